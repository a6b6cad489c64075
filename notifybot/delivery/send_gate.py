"""Let calls leave one by one, at the bot's rate limit."""

import asyncio
from datetime import datetime, timedelta

from notifybot.delivery.rate_limits import RateLimit
from notifybot.times.clock import Clock

MIN_TIMER = timedelta(milliseconds=5)
"""Calls allowed within this leave together: a timer for each would cost more."""


class SendGate:
    """Spaces out the calls of claims, which reach us in bursts, as commits do."""

    def __init__(self, clock: Clock, limit: RateLimit) -> None:
        self._clock = clock
        self._limit = limit
        self._pace: datetime | None = None
        self._first_in_line = asyncio.Lock()
        self.is_waiting = False
        """A call waits for its time."""

    def move(self, step: timedelta) -> None:
        """Follow a step of the clock."""
        self._pace = None if self._pace is None else self._pace + step

    async def wait(self) -> None:
        """Return when the next call may leave."""
        async with self._first_in_line:
            early = max(timedelta(), MIN_TIMER - self._limit.interval)
            open_at = self._limit.next_allowed(self._pace, now := self._clock.now()) - early
            if open_at > now:
                self.is_waiting = True
                await self._clock.sleep_until(open_at)
                self.is_waiting = False
            self._pace = self._limit.after_call(self._pace, self._clock.now())
