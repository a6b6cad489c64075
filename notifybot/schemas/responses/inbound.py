"""Inbound routes and their refusals in the API."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from notifybot.config.model import Inbound
from notifybot.inbound.refusals import Refusal
from notifybot.web.documents import OPTIONAL, Timestamp


@dataclass(slots=True, kw_only=True)
class InboundDocument:
    """Reply to a sender. `status` is that of the message, or why there is none."""

    id: Annotated[str | None, OPTIONAL] = None
    status: str
    duplicate: bool = False


@dataclass(slots=True, kw_only=True)
class RefusalDocument:
    """A refused request. `body`: its beginning, null if it was not read; `size`: bytes of the whole."""

    at: Timestamp
    status: int
    reason: str
    body: str | None
    size: int


@dataclass(slots=True, kw_only=True)
class InboundRouteDocument:
    name: str
    path: str
    format: str
    to: list[str]
    has_secret: bool
    refusals: list[RefusalDocument]


@dataclass(slots=True, kw_only=True)
class InboundRoutesDocument:
    routes: list[InboundRouteDocument]


def route(name: str, settings: Inbound, refusals: Sequence[Refusal]) -> InboundRouteDocument:
    return InboundRouteDocument(
        name=name,
        path=f"/in/{name}",
        format=settings.format,
        to=list(settings.to),
        has_secret=settings.secret is not None,
        refusals=[
            RefusalDocument(at=each.at, status=each.status, reason=each.reason, body=each.body, size=each.size)
            for each in refusals
        ],
    )
