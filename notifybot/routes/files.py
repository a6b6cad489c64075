"""Download attachments."""

import asyncio
import re
from contextlib import aclosing
from functools import partial
from urllib.parse import quote

from aiohttp import web

from notifybot.auth import permissions
from notifybot.auth.permissions import Action
from notifybot.errors import NotFound
from notifybot.messages import attachments
from notifybot.model.ids import is_id
from notifybot.model.messages import Attachment
from notifybot.web.documents import SERVER
from notifybot.web.guard import caller_of
from notifybot.web.route import Route, runtime_of

CHUNK_WITHIN_S = 30.0
"""Time for a caller to read a chunk."""
FILES = "/files/{name}"
_NAME = re.compile(r"([0-9a-fA-F-]{36})_([0-9]{1,4})_(.+)", re.DOTALL)
INLINE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf")
"""Types that a browser may show; others are downloads, for they could be pages with scripts."""


async def show(request: web.Request) -> web.StreamResponse:
    file = await _find(request)
    assert file.sha256 is not None
    async with aclosing(runtime_of(request).files.store.pieces(file.sha256)) as pieces:
        first = await anext(pieces, b"")  # before the headers: the content may have been deleted
        answer = web.StreamResponse(headers=_headers(file))
        answer.content_length = file.size
        await answer.prepare(request)
        if request.method == "HEAD":
            return answer
        try:
            await _write(answer, first)
            async for piece in pieces:
                await _write(answer, piece)
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()  # the length tells the caller that it is incomplete
    return answer


async def _write(answer: web.StreamResponse, piece: bytes) -> None:
    async with asyncio.timeout(CHUNK_WITHIN_S):
        await answer.write(piece)


async def _find(request: web.Request) -> Attachment:
    unknown = NotFound("There is no such file, or it is not yours.", hint="GET /api/messages/{id} lists the files.")
    named = _NAME.fullmatch(request.match_info["name"])
    if named is None or not is_id(named[1].lower()):
        raise unknown
    find = partial(attachments.find_stored, message_id=named[1].lower(), ordinal=int(named[2]))
    found = await runtime_of(request).database.read(find)
    if found is None or found.file.name != named[3]:
        raise unknown
    try:
        permissions.check_owner(caller_of(request), Action.READ, found.account)
    except NotFound:
        raise unknown from None
    return found.file


def _headers(file: Attachment) -> dict[str, str]:
    is_inline = file.media_type in INLINE_TYPES
    disposition = "inline" if is_inline else "attachment"
    return {
        **SERVER,
        "Content-Type": file.media_type if is_inline and file.media_type else "application/octet-stream",
        "Content-Disposition": f"{disposition}; filename*=UTF-8''{quote(file.name, safe='')}",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, max-age=3600",
    }


ROUTES = (Route("GET", FILES, show, None, "Download an attachment; for its sender and admins.", Action.READ),)
