"""The clock: the only place that reads the time or waits for it."""

import asyncio
from datetime import UTC, datetime


class Clock:
    """Real time. Tests use a clock that they move by hand."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251

    async def wait(self, event: asyncio.Event, until: datetime | None) -> None:
        """Return once `event` is set, or at `until` if that comes first."""
        seconds = None if until is None else max(0.0, (until - self.now()).total_seconds())
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return

    async def sleep_until(self, moment: datetime) -> None:
        await self.wait(asyncio.Event(), moment)
