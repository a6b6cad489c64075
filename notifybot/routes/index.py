"""GET /: list the endpoints."""

from collections.abc import Sequence

from aiohttp import web

from notifybot import __version__
from notifybot.auth.permissions import Action
from notifybot.schemas.responses.jobs import IndexDocument
from notifybot.web.documents import json_response
from notifybot.web.guard import known_caller_of
from notifybot.web.route import Route


def with_index(routes: Sequence[Route]) -> tuple[Route, ...]:
    """Return the routes and the one that lists them."""

    async def about(request: web.Request) -> web.Response:
        endpoints = {f"{route.method} {route.path}": route.summary for route in everything}
        greeting = "notifybot notifies the right people in Telegram."
        version = None if known_caller_of(request) is None else __version__
        return json_response(IndexDocument(message=greeting, version=version, endpoints=endpoints))

    everything = (Route("GET", "/", about, IndexDocument, "List the endpoints.", Action.LOOK), *routes)
    return everything
