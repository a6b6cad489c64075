"""The only place that reads the clock, and the only way to wait for a moment."""

import asyncio
from datetime import UTC, datetime


class Clock:
    """Real time. Tests put a clock of their own here, which moves when they say so."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251

    async def wait(self, event: asyncio.Event, until: datetime | None) -> None:
        """Return when `event` is set or `until` has come, whichever is first; without `until`, on the event alone."""
        seconds = None if until is None else max(0.0, (until - self.now()).total_seconds())
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return

    async def sleep_until(self, moment: datetime) -> None:
        await self.wait(asyncio.Event(), moment)
