"""Routes, and the runtime that their handlers need."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from notifybot.auth.permissions import Action, Caller
from notifybot.messages.new_message import Acceptance, NewMessage
from notifybot.runtime import Runtime

RUNTIME = web.AppKey("runtime", Runtime)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Identify = Callable[[web.Request], Awaitable[Caller | None]]


@dataclass(frozen=True)
class Route:
    """A handler, its permission, and all that OpenAPI says of it.

    `response`: the document type that it returns; None for a file, Any for any JSON. `body` and `query`: the
    models that check the request. `statuses`: those of a success. `takes_form`: the body may be a multipart form.
    `identify`: its own way to find the caller.
    """

    method: str
    path: str
    handler: Handler
    response: Any
    summary: str
    action: Action = Action.ADMINISTER
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    statuses: tuple[int, ...] = (200,)
    takes_form: bool = False
    identify: Identify | None = None


@dataclass(frozen=True)
class ShortRoute:
    """What web.short_way needs of a route that accepts messages.

    `read`: returns the message in a body; None, or the refusal, if it needs the whole handler. It changes nothing.
    """

    action: Action
    read: Callable[[Runtime, Caller, bytes], NewMessage | None]
    answer: Callable[[NewMessage, Acceptance], web.Response]


SHORT_ROUTES = web.AppKey("short_routes", dict[tuple[str, str], ShortRoute])
"""By method and path."""


def runtime_of(request: web.Request) -> Runtime:
    return request.app[RUNTIME]
