"""Serve photos and documents to the chat page and tests."""

from collections.abc import Awaitable, Callable
from urllib.parse import quote

from aiohttp import web

from notifybot.sandbox.sandbox import Sandbox
from notifybot.sandbox.world.files import Media

# Files are untrusted: nothing in them may run in the page, and browsers must not guess their type.
HEADERS = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "max-age=3600",
}


def handing_out(sandbox: Sandbox) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return the handler that serves a file by its `file_unique_id`."""

    async def handle(request: web.Request) -> web.StreamResponse:
        media = sandbox.world.files.find_unique(request.match_info["id"])
        if media is None:
            return web.json_response({"error": "no such file"}, status=404)
        return web.FileResponse(media.content.path, headers=_headers(media))

    return handle


def _headers(media: Media) -> dict[str, str]:
    headers = HEADERS | {"Content-Type": media.mime_type}
    if media.file_name is None:
        return headers
    return headers | {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(media.file_name)}"}
