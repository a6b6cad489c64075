"""Handing out stored attachments, to whoever sent them and to admins."""

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

TAKEN_WITHIN_S = 30.0
"""Who takes nothing of a file for so long is cut off: until then it stays open for them."""
FILES = "/files/{name}"
_NAME = re.compile(r"([0-9a-fA-F-]{36})_([0-9]{1,4})_(.+)", re.DOTALL)
READABLE_INLINE = ("image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf")
"""What a browser may show by itself. Everything else is only saved: it could be a page with scripts."""


async def show(request: web.Request) -> web.StreamResponse:
    """Stream one attachment."""
    file = await _find(request)
    assert file.sha256 is not None
    async with aclosing(runtime_of(request).files.store.pieces(file.sha256)) as pieces:
        first = await anext(pieces, b"")  # before the headers go out: it may not be kept any more
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
                request.transport.abort()  # what came so far would look whole to nobody
    return answer


async def _write(answer: web.StreamResponse, piece: bytes) -> None:
    async with asyncio.timeout(TAKEN_WITHIN_S):
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
    may_show = file.media_type in READABLE_INLINE
    disposition = "inline" if may_show else "attachment"
    return {
        **SERVER,
        "Content-Type": file.media_type if may_show and file.media_type else "application/octet-stream",
        "Content-Disposition": f"{disposition}; filename*=UTF-8''{quote(file.name, safe='')}",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, max-age=3600",
    }


ROUTES = (Route("GET", FILES, show, None, "Download an attachment; for its sender and admins.", Action.READ),)
