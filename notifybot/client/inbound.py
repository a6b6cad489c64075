"""Inbound routes and the requests that they refused. Standard library only."""

from datetime import datetime

from notifybot.client.reader import JsonObject
from notifybot.client.record import record, whole


@record(kw_only=True)
class InboundRefusal:
    """A refused request. `body`: its beginning, None if it was not read; `size`: bytes of the whole."""

    at: datetime
    status: int
    reason: str
    body: str | None
    size: int


@record(kw_only=True)
class InboundRoute:
    """A route for another program's format, with its last refusals, newest first."""

    name: str
    path: str
    format: str
    to: tuple[str, ...]
    has_secret: bool
    refusals: tuple[InboundRefusal, ...]
    document: JsonObject = whole()
