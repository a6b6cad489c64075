"""Calls under way: how many more may begin, and whether Telegram still answers."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta

MOST_IN_FLIGHT = 50
MOST_WITH_HANGING = 2 * MOST_IN_FLIGHT
"""Those included that hang since before Telegram last answered: each holds a connection until its time is over."""
STALLED_AFTER = timedelta(seconds=3)
"""A call takes some tenths of a second. Where one waits so long, and nothing else was answered meanwhile, the way to
Telegram is stalled: then a call that shows nothing finds out, before more go where nobody may answer."""


class InFlight:
    """The tasks of the calls, each with its beginning. A call that hangs is never cut: Telegram may have it, and what
    is cut would be shown twice."""

    def __init__(self, now: datetime) -> None:
        self._began: dict[asyncio.Task[None], datetime] = {}
        self._aside: set[asyncio.Task[None]] = set()
        self._heard_at = now

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
        """It waits for something else than Telegram's answer: it takes nobody's place until it is taken back."""
        if self._began.pop(call, None) is not None:
            self._aside.add(call)

    def take_back(self, call: asyncio.Task[None], now: datetime) -> None:
        if call in self._aside:
            self._aside.discard(call)
            self._began[call] = now

    def heard(self, now: datetime) -> None:
        """Telegram answered, whatever it was."""
        self._heard_at = now

    def is_stalled(self, now: datetime) -> bool:
        at = self.stalled_at()
        return at is not None and at <= now

    def stalled_at(self) -> datetime | None:
        """When it counts as stalled unless Telegram answers before; None while nothing is under way."""
        oldest = next(iter(self._began.values()), None)  # they stand in the order of their beginning
        return None if oldest is None else max(oldest, self._heard_at) + STALLED_AFTER

    def free(self, now: datetime) -> int:
        """How many more may begin: what hangs for long takes no place from the others."""
        fresh = sum(began > now - STALLED_AFTER for began in self._began.values())
        return min(MOST_IN_FLIGHT - fresh, MOST_WITH_HANGING - len(self._began))
