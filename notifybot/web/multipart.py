"""Files in requests: multipart forms, read in chunks, and base64 in JSON."""

import asyncio
import base64
import binascii
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from urllib.parse import unquote

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from notifybot.errors import NotifybotError, TooLarge
from notifybot.files.admit import FileAdmission
from notifybot.files.store import StoredFile
from notifybot.files.upload_slots import UploadSlots
from notifybot.model.enums import MediaKind
from notifybot.rendering.parts import NewFile
from notifybot.web import json
from notifybot.web.allowance import count_bytes
from notifybot.web.bodies import MAX_BODY_BYTES
from notifybot.web.problems import FieldProblem, InvalidFields, RequestTooSlow, shortened

FORM = "multipart/form-data"
MAX_FILES = 20
MAX_PARTS = 100
PIECE_BYTES = 32 * 1024
PIECE_WITHIN_S = 30.0
FORM_WITHIN_S = 600.0
NO_TEXT = frozenset({"acknowledge", "silent", "thread_id", "to", "buttons", "data", "link_preview"})
"""Fields that are JSON in a form, not text."""
KIND_OF_FIELD = {"photo": MediaKind.PHOTO, "file": MediaKind.DOCUMENT, "document": MediaKind.DOCUMENT}
Count = Callable[[int], None]
"""Counts bytes as they arrive, for the caller's allowance."""
_ENCODED = re.compile(r"([^%]|%[0-9A-Fa-f]{2})*")
_DATA_URL = re.compile(r"data:[^,;\s]{0,100}(;[^,;\s]{1,100})*;base64,", re.IGNORECASE)


@dataclass(frozen=True)
class Form:
    """The fields of a form, and its files, already stored."""

    fields: Mapping[str, object]
    files: tuple[NewFile, ...]


def is_form(request: web.Request) -> bool:
    return request.headers.get("Content-Type", "").lower().startswith(FORM)


async def read_form(request: web.Request, intake: FileAdmission, file_fields: Sequence[str]) -> Form:
    """Read a multipart form with files in `file_fields`. Raise NotifybotError if it is invalid, RequestTooSlow, or an
    error of FileAdmission."""
    try:
        async with asyncio.timeout(FORM_WITHIN_S):
            return await _read(await request.multipart(), intake, file_fields, partial(count_bytes, request))
    except TimeoutError:
        raise RequestTooSlow(
            f"The form took more than {FORM_WITHIN_S:g} seconds, or sent nothing for {PIECE_WITHIN_S:g}."
        ) from None
    except (ValueError, HttpProcessingError, web.RequestPayloadError, asyncio.IncompleteReadError):
        raise NotifybotError(
            "The form does not match its headers, or is incomplete.",
            hint="Send multipart/form-data, as with `curl -F`.",
        ) from None


@dataclass(frozen=True)
class _UploadedFile:
    field: str
    name: str
    stored: StoredFile


async def _read(reader: MultipartReader, intake: FileAdmission, file_fields: Sequence[str], count: Count) -> Form:
    fields: dict[str, object] = {}
    uploads: list[_UploadedFile] = []
    room = MAX_BODY_BYTES
    for _ in range(MAX_PARTS):
        part = await reader.next()
        if part is None:
            return Form(fields, tuple([await _admit(upload, fields, intake) for upload in uploads]))
        if not isinstance(part, BodyPartReader) or not part.name:
            raise _problem("", "each part of a form needs a name")
        if part.filename is not None:
            if part.name not in file_fields:
                raise _problem(part.name, f"a file must be named {' or '.join(file_fields)}")
            uploads += await _upload(part, len(uploads), intake, count)
        else:
            text = await _text(part, room)
            count(len(text))
            room -= len(text)
            _add_field(fields, part.name, text)
    raise _problem("", f"a form may have at most {MAX_PARTS} parts")


async def _upload(part: BodyPartReader, before: int, intake: FileAdmission, count: Count) -> list[_UploadedFile]:
    """Store one file. Ignore an empty one without a name, which browsers send if none is chosen."""
    field = part.name or ""
    if before >= MAX_FILES:
        raise _problem(field, f"a message may have at most {MAX_FILES} files")
    async with aclosing(_pieces(part, intake.upload_slots, count)) as pieces:
        first = await anext(pieces, b"")
        if not first and not part.filename:
            return []
        return [_UploadedFile(field, _name(part), await intake.store.receive(_joined(first, pieces)))]


async def _joined(first: bytes, others: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in others:
        yield piece


def _name(part: BodyPartReader) -> str:
    """Return the file name. Decode undeclared percent-encoding, which some libraries send without `filename*`."""
    given = part.filename or ""
    if "filename*" in part.headers.get("Content-Disposition", "") or not _ENCODED.fullmatch(given):
        return given
    try:
        return unquote(given, errors="strict")
    except UnicodeDecodeError:
        return given


async def _admit(upload: _UploadedFile, fields: Mapping[str, object], intake: FileAdmission) -> NewFile:
    """Admit a file, once all fields are known: `type` may come after the content."""
    kind = KIND_OF_FIELD.get(upload.field) or kind_of_type(fields.get("type"))
    return await intake.admit(upload.stored, upload.name, kind)


def kind_of_type(given: object) -> MediaKind:
    return MediaKind.PHOTO if given == "image" else MediaKind.DOCUMENT


async def _pieces(part: BodyPartReader, turns: UploadSlots, count: Count) -> AsyncGenerator[bytes]:
    _check_plain(part)
    is_empty, upload = True, turns.new_slot()
    while not part.at_eof():
        async with upload.piece(partial(part.read_chunk, PIECE_BYTES), within_s=PIECE_WITHIN_S) as piece:
            is_empty = is_empty and not piece
            count(len(piece))
            yield piece
    if is_empty and part.filename:
        raise _problem(part.name or "", "this file is empty")


async def _text(part: BodyPartReader, limit: int) -> bytes:
    _check_plain(part)
    text = bytearray()
    while not part.at_eof():
        async with asyncio.timeout(PIECE_WITHIN_S):
            text += await part.read_chunk(PIECE_BYTES)
        if len(text) > limit:
            raise TooLarge(f"The texts in the form are larger than {MAX_BODY_BYTES} bytes.")
    return bytes(text)


def _check_plain(part: BodyPartReader) -> None:
    """Refuse encoded parts: compressed ones can be bombs, and no client needs them."""
    coding = part.headers.get("Content-Transfer-Encoding", "binary").lower()
    if "Content-Encoding" in part.headers or coding not in ("binary", "8bit", "7bit"):
        raise _problem(part.name or "", "parts of a form must not be encoded")


def _add_field(fields: dict[str, object], name: str, text: bytes) -> None:
    if name in fields:
        raise _problem(name, "this field is given twice")
    try:
        value = text.decode("utf-8", "surrogatepass")  # refused or replaced later, as in JSON
        fields[name] = json.parse(value) if name in NO_TEXT else value
    except UnicodeDecodeError:
        raise _problem(name, "this is not UTF-8") from None
    except NotifybotError:
        raise _problem(name, 'in a form this must be JSON: true, 5, ["a"] or {"a": 5}') from None


def _problem(name: str, error: str) -> InvalidFields:
    return InvalidFields([FieldProblem((shortened(name),) if name else (), error)])


async def from_base64(content: str, *, name: str | None, kind: MediaKind, intake: FileAdmission) -> NewFile:
    """Store base64, with or without `data:…;base64,` before it."""
    text = _DATA_URL.sub("", content, count=1) if content.startswith(("data:", "DATA:")) else content
    try:
        decoded = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise _problem("content", f"for {kind.value}s this must be an https:// URL or base64") from None
    if not decoded:
        raise _problem("content", "this file is empty")
    return await intake.admit(await intake.store.receive(_once(decoded)), name or "", kind)


async def _once(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), PIECE_BYTES):
        yield content[start : start + PIECE_BYTES]
