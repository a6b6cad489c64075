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

from notifybot.errors import NotifybotError, TooLarge, TooManyRequests
from notifybot.files.admit import FileAdmission, unless_refused
from notifybot.files.store import StoredFile
from notifybot.files.upload_slots import UploadSlots
from notifybot.model.enums import MediaKind
from notifybot.rendering.parts import NewFile
from notifybot.web import json
from notifybot.web.allowance import count_bytes
from notifybot.web.bodies import MAX_BODY_BYTES, JsonTypes, RequestFields, json_types
from notifybot.web.problems import FieldProblem, InvalidFields, RequestTooSlow, shortened

FORM = "multipart/form-data"
MAX_FILES = 20
MAX_PARTS = 100
PIECE_BYTES = 32 * 1024
PIECE_WITHIN_S = 30.0
FORM_WITHIN_S = 600.0
KIND_OF_FIELD = {"photo": MediaKind.PHOTO, "image": MediaKind.PHOTO, "document": MediaKind.DOCUMENT}
"""Kinds of files by the name of their part. Others are what `type` says."""
TEXT = frozenset({"string"})
STRUCTURES = {"{": "object", "[": "array"}
Count = Callable[[int], None]
"""Counts bytes as they arrive, for the caller's allowance."""
_ENCODED = re.compile(r"([^%]|%[0-9A-Fa-f]{2})*")
_DATA_URL = re.compile(r"data:[^,;\s]{0,100}(;[^,;\s]{1,100})*;base64,", re.IGNORECASE)


@dataclass(frozen=True)
class Form:
    """The fields of a form, and its files: stored, or refused."""

    fields: Mapping[str, object]
    files: tuple[NewFile, ...]


def is_form(request: web.Request) -> bool:
    return request.headers.get("Content-Type", "").lower().startswith(FORM)


async def read_form(
    request: web.Request, intake: FileAdmission, model: type[RequestFields], file_fields: Sequence[str]
) -> Form:
    """Read a multipart form of the model's fields, with files in `file_fields`. Raise NotifybotError if it is invalid,
    and RequestTooSlow."""
    try:
        async with asyncio.timeout(FORM_WITHIN_S):
            count = partial(count_bytes, request)
            return await _read(await request.multipart(), intake, json_types(model), file_fields, count)
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
    stored: StoredFile | NotifybotError


async def _read(
    reader: MultipartReader, intake: FileAdmission, types: JsonTypes, file_fields: Sequence[str], count: Count
) -> Form:
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
            _add_field(fields, part.name, text, types.get(part.name, TEXT))
    raise _problem("", f"a form may have at most {MAX_PARTS} parts")


async def _upload(part: BodyPartReader, before: int, intake: FileAdmission, count: Count) -> list[_UploadedFile]:
    """Store one file. Ignore an empty one without a name, which browsers send if none is chosen."""
    stored: StoredFile | NotifybotError
    try:
        if before >= MAX_FILES:
            raise NotifybotError(f"A message may have at most {MAX_FILES} files.")
        async with aclosing(_pieces(part, intake.upload_slots, count)) as pieces:
            first = await anext(pieces, b"")
            if not first and not part.filename:
                return []
            stored = await intake.store.receive(_joined(first, pieces))
    except TooManyRequests:
        raise
    except NotifybotError as refusal:
        stored = refusal
        await _skip(part, count)
    return [_UploadedFile(part.name or "", _name(part), stored)]


async def _skip(part: BodyPartReader, count: Count) -> None:
    while not part.at_eof():
        async with asyncio.timeout(PIECE_WITHIN_S):
            count(len(await part.read_chunk(PIECE_BYTES)))


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
    must_be_image = upload.field != "file"

    async def admission() -> NewFile:
        if isinstance(upload.stored, NotifybotError):
            raise upload.stored
        return await intake.admit(upload.stored, upload.name, kind, must_be_image=must_be_image)

    return await unless_refused(admission(), kind, upload.name)


def kind_of_type(given: object) -> MediaKind:
    return MediaKind.PHOTO if given == "image" else MediaKind.DOCUMENT


async def _pieces(part: BodyPartReader, turns: UploadSlots, count: Count) -> AsyncGenerator[bytes]:
    _check_plain(part)
    upload = turns.new_slot()
    while not part.at_eof():
        async with upload.piece(partial(part.read_chunk, PIECE_BYTES), within_s=PIECE_WITHIN_S) as piece:
            count(len(piece))
            yield piece


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


def _add_field(fields: dict[str, object], name: str, text: bytes, types: frozenset[str]) -> None:
    """Add a field: text if its field takes text, else JSON; one that takes both is JSON if it looks like it."""
    if name in fields:
        raise _problem(name, "this field is given twice")
    try:
        value = text.decode("utf-8", "surrogatepass")  # refused or replaced later, as in JSON
        is_structure = value.lstrip()[:1] in STRUCTURES and STRUCTURES[value.lstrip()[:1]] in types
        fields[name] = json.parse(value) if is_structure or "string" not in types else value
    except UnicodeDecodeError:
        raise _problem(name, "this is not UTF-8") from None
    except NotifybotError:
        raise _problem(name, 'in a form this must be JSON: true, 5, ["a"] or {"a": 5}') from None


def _problem(name: str, error: str) -> InvalidFields:
    return InvalidFields([FieldProblem((shortened(name),) if name else (), error)])


async def from_base64(content: str, *, name: str, kind: MediaKind, intake: FileAdmission) -> NewFile:
    """Store base64, with or without `data:…;base64,` before it."""
    text = _DATA_URL.sub("", content, count=1) if content.startswith(("data:", "DATA:")) else content
    try:
        decoded = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise _problem("content", f"for {kind.value}s this must be an https:// URL or base64") from None
    return await intake.admit(await intake.store.receive(_once(decoded)), name, kind)


async def _once(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), PIECE_BYTES):
        yield content[start : start + PIECE_BYTES]
