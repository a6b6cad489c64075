"""What a route is, and how a handler reaches the runtime."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from notifybot.authorisation import Action
from notifybot.runtime import Runtime

RUNTIME = web.AppKey("runtime", Runtime)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Route:
    """`about` is one sentence for whoever reads `GET /`; `action` says who gets to the handler at all."""

    method: str
    path: str
    handler: Handler
    about: str
    action: Action = Action.ADMINISTER


def runtime_of(request: web.Request) -> Runtime:
    return request.app[RUNTIME]
