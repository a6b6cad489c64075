"""The last refused requests of each inbound route, with their bodies. In memory, bounded in count and bytes."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime

MAX_REFUSALS = 10
"""Kept for each route."""
MAX_BODY = 8192
"""Bytes kept of a body."""


@dataclass(frozen=True)
class Refusal:
    """`body` is None if none was read, as without the secret. `size`: of the whole body, in bytes."""

    at: datetime
    status: int
    reason: str
    body: str | None
    size: int


class Refusals:
    """Callers without the secret have one place of their own, so that they cannot push out the others."""

    def __init__(self) -> None:
        self._refused: dict[str, deque[Refusal]] = {}
        self._strangers: dict[str, Refusal] = {}

    def note(self, route: str, at: datetime, status: int, reason: str, body: bytes | None) -> None:
        kept = None if body is None else body[:MAX_BODY].decode("utf-8", "replace")
        refusal = Refusal(at, status, reason, kept, len(body or b""))
        if body is None and status in (401, 403, 421):
            self._strangers[route] = refusal
        else:
            self._refused.setdefault(route, deque(maxlen=MAX_REFUSALS)).append(refusal)

    def of(self, route: str) -> list[Refusal]:
        """Return the refusals of a route, newest first."""
        stranger = [self._strangers[route]] if route in self._strangers else []
        found = [*self._refused.get(route, ()), *stranger]
        return sorted(found, key=lambda refusal: refusal.at, reverse=True)
