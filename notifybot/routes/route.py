"""What a route is, and how a handler reaches the runtime."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from notifybot.runtime import Runtime

RUNTIME = web.AppKey("runtime", Runtime)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Route:
    """`about` is one sentence for whoever reads `GET /`."""

    method: str
    path: str
    handler: Handler
    about: str


def runtime_of(request: web.Request) -> Runtime:
    return request.app[RUNTIME]
