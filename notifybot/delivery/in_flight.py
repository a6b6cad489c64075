"""Calls in flight: how many more may begin, and whether Telegram still responds."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta

MAX_IN_FLIGHT = 50
MAX_WITH_HANGING = 2 * MAX_IN_FLIGHT
"""Including calls that hang since before Telegram last responded; each holds a connection until it times out."""
STALLED_AFTER = timedelta(seconds=3)
"""A call takes some tenths of a second. If one waits this long and no other call gets a response, the connection
is stalled: a probe, which shows nothing, finds out before more calls get lost."""


class InFlight:
    """The tasks of the calls, each with its start. A hanging call is never cancelled: Telegram may have accepted it,
    and would show it twice."""

    def __init__(self, now: datetime) -> None:
        self._began: dict[asyncio.Task[None], datetime] = {}
        self._aside: set[asyncio.Task[None]] = set()
        self._answered_at = now

    def __len__(self) -> int:
        return len(self._began) + len(self._aside)

    def __iter__(self) -> Iterator[asyncio.Task[None]]:
        return iter((*self._began, *self._aside))

    def add(self, call: asyncio.Task[None], now: datetime) -> None:
        self._began[call] = now

    def discard(self, call: asyncio.Task[None]) -> None:
        self._began.pop(call, None)
        self._aside.discard(call)

    def put_aside(self, call: asyncio.Task[None]) -> None:
        """Free its place until it is taken back: it waits, but not for Telegram."""
        if self._began.pop(call, None) is not None:
            self._aside.add(call)

    def take_back(self, call: asyncio.Task[None], now: datetime) -> None:
        if call in self._aside:
            self._aside.discard(call)
            self._began[call] = now

    def move(self, step: timedelta) -> None:
        """Follow a step of the clock."""
        self._began = {call: began + step for call, began in self._began.items()}
        self._answered_at += step

    def note_answer(self, now: datetime) -> None:
        """Note that Telegram responded, with success or an error."""
        self._answered_at = now

    def is_stalled(self, now: datetime) -> bool:
        at = self.stalled_at()
        return at is not None and at <= now

    def stalled_at(self) -> datetime | None:
        """Return when the connection counts as stalled unless Telegram responds first; None with no call in flight."""
        oldest = next(iter(self._began.values()), None)  # in the order of their start
        return None if oldest is None else max(oldest, self._answered_at) + STALLED_AFTER

    def free(self, now: datetime) -> int:
        """Return how many more calls may begin; hanging ones do not count against the limit."""
        fresh = sum(began > now - STALLED_AFTER for began in self._began.values())
        return min(MAX_IN_FLIGHT - fresh, MAX_WITH_HANGING - len(self._began))
