"""GET /: the list of all routes."""

from collections.abc import Sequence

from aiohttp import web

from notifybot import __version__
from notifybot.auth.permissions import Action
from notifybot.schemas import responses
from notifybot.web.guard import known_caller_of
from notifybot.web.route import Route


def with_index(routes: Sequence[Route]) -> tuple[Route, ...]:
    """All routes and the one that lists them."""

    async def about(request: web.Request) -> web.Response:
        endpoints = {f"{route.method} {route.path}": route.about for route in everything}
        greeting = "notifybot tells the right people in Telegram."
        version = {} if known_caller_of(request) is None else {"version": __version__}
        return responses.json_response({"message": greeting, **version, "endpoints": endpoints})

    everything = (Route("GET", "/", about, "This list.", Action.LOOK), *routes)
    return everything
