"""Read a call's body: form, JSON or multipart, with files streamed to disk."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from notifybot.sandbox.bot_api.wire import ApiError, bad_request
from notifybot.sandbox.values import JsonObject
from notifybot.sandbox.world.spool import Source, Spool

MAX_FILE_BYTES = 50 * 1024 * 1024
# Room for the other fields and multipart boundaries. Telegram does not publish its limit.
MAX_BODY_BYTES = MAX_FILE_BYTES + 1024 * 1024
MAX_FIELD_BYTES = 1024 * 1024
CHUNK_BYTES = 256 * 1024
ATTACHED = "attach://"
MULTIPART = "multipart/form-data"


@dataclass(slots=True)
class Body:
    """Parameters of a call as given, and files by part name."""

    given: JsonObject = field(default_factory=dict)
    uploads: dict[str, Source] = field(default_factory=dict)

    def attach(self, parameters: Iterable[str]) -> None:
        """Use a file named like one of these parameters as its value."""
        self.given |= {name: ATTACHED + name for name in self.uploads if name in parameters}

    def check_used(self, method: str, references: Iterable[str]) -> None:
        """Refuse unreferenced files, which Telegram would ignore."""
        used = {*self.given.values(), *references} if self.uploads else ()
        if unused := [name for name in self.uploads if ATTACHED + name not in used]:
            raise bad_request(f'{method} has no parameter "{min(unused)}"')

    def files(self) -> dict[str, Source]:
        """Return the files by reference: `attach://<part name>`."""
        return {ATTACHED + name: source for name, source in self.uploads.items()}


async def read_body(http: web.Request, spool: Spool) -> Body:
    """Collect parameters from query and body; the body wins. Raise Telegram's error for a malformed body."""
    body = Body(dict(http.query) if http.query_string else {})
    if not http.body_exists:
        return body
    if (http.content_length or 0) > MAX_BODY_BYTES:
        raise too_large()
    try:
        await _read_into(body, http, spool)
    except UnicodeDecodeError as error:
        raise bad_request("strings must be encoded in UTF-8") from error
    except web.HTTPRequestEntityTooLarge as error:
        raise too_large() from error
    except (ValueError, HttpProcessingError) as error:
        raise bad_request("can't parse the request body") from error
    return body


def too_large() -> ApiError:
    """Build Telegram's error for a body that is too large."""
    return ApiError(413, "Request Entity Too Large")


async def _read_into(body: Body, http: web.Request, spool: Spool) -> None:
    match http.content_type:
        case "application/json":
            body.given |= _object(await http.read())
        case kind if kind == MULTIPART:
            await _read_multipart(body, http, spool)
        case _:
            body.given |= parse_qsl((await http.read()).decode(), keep_blank_values=True, errors="strict")


def _object(body: bytes) -> JsonObject:
    try:
        decoded = json.loads(body)
    except UnicodeDecodeError:
        raise
    except (ValueError, RecursionError) as error:
        raise bad_request("can't parse JSON object") from error
    if not isinstance(decoded, dict):
        raise bad_request("JSON object expected")
    return decoded


async def _read_multipart(body: Body, http: web.Request, spool: Spool) -> None:
    """Read the parts one by one."""
    size = 0
    async for part in await http.multipart():
        if not isinstance(part, BodyPartReader) or part.name is None:
            raise bad_request("can't parse the request body")
        if part.filename is None:
            text = await _read_field(part)
            body.given[part.name] = text
            size += len(text)
        else:
            upload = await _read_file(part, spool, room=MAX_BODY_BYTES - size)
            body.uploads[part.name] = upload
            size += upload.content.size
        if size > MAX_BODY_BYTES:
            raise too_large()


async def _read_field(part: BodyPartReader) -> str:
    data = bytearray()
    while chunk := await part.read_chunk(CHUNK_BYTES):
        data += chunk
        if len(data) > MAX_FIELD_BYTES:
            raise too_large()
    return data.decode()


async def _read_file(part: BodyPartReader, spool: Spool, *, room: int) -> Source:
    """Stream a file to disk; an incomplete body leaves nothing."""
    incoming = spool.begin()
    try:
        while chunk := await part.read_chunk(CHUNK_BYTES):
            incoming.write(chunk)
            if incoming.size > min(room, MAX_FILE_BYTES):
                raise too_large()
    except BaseException:
        incoming.discard()
        raise
    return Source(incoming.finish(), part.filename or "")
