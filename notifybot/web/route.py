"""What a route is, and how a handler reaches the runtime."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from pydantic import BaseModel

from notifybot.auth.permissions import Action
from notifybot.runtime import Runtime

RUNTIME = web.AppKey("runtime", Runtime)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Route:
    """`about` is one sentence for whoever reads `GET /`; `action` says who gets to the handler at all.

    `body` and `query` are the models that the handler checks them with, `statuses` what it answers when all is well.
    """

    method: str
    path: str
    handler: Handler
    about: str
    action: Action = Action.ADMINISTER
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    statuses: tuple[int, ...] = (200,)
    has_form: bool = False
    """The body may come as a multipart form, with files."""


def runtime_of(request: web.Request) -> Runtime:
    return request.app[RUNTIME]
