"""The clock: the only place that reads the time or waits for it."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

SMALLEST_STEP = timedelta(milliseconds=500)
"""Smaller differences add up until they are a step, so that no wait is off by more."""
READ_WITHIN = timedelta(milliseconds=20)
"""A pause between reading two clocks would look like a step."""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
OnStep = Callable[[timedelta], None]


class Clock:
    """The time of day, counted on from the start by CLOCK_BOOTTIME, which also runs while the machine sleeps.

    So `now()` never jumps by itself. When somebody sets the wall clock, `off_by()` says by how much, and `step` follows
    it, together with everything that waits (posts/clock_steps.py). Tests use a clock that they move by hand.
    """

    def __init__(self) -> None:
        self._listeners: list[OnStep] = []
        self.booted_at = self.wall() - self.since_boot()
        """Time of the boot, by the wall clock as last followed."""

    def now(self) -> datetime:
        return self.booted_at + self.since_boot()

    def wall(self) -> datetime:
        """Return what the clock on the wall shows; use `now()` for everything but noticing a step."""
        return datetime.now(UTC)  # noqa: TID251

    def since_boot(self) -> timedelta:
        return timedelta(seconds=time.clock_gettime(time.CLOCK_BOOTTIME))

    def asleep_for(self) -> timedelta:
        """Return how long this machine has slept since its boot. Timers of the event loop stop meanwhile."""
        return self.since_boot() - timedelta(seconds=time.monotonic())

    def boot_id(self) -> str:
        return BOOT_ID.read_text().strip()

    def off_by(self) -> timedelta:
        """Return how far the wall clock was set since the last step; zero below SMALLEST_STEP."""
        while True:
            before = self.since_boot()
            wall, after = self.wall(), self.since_boot()
            if after - before < READ_WITHIN:
                break
        step = wall - (self.booted_at + before)
        return step if abs(step) >= SMALLEST_STEP else timedelta()

    def on_step(self, listener: OnStep) -> None:
        """Call `listener` with each step, to move what it waits for by that much. Zero: timers may be late."""
        self._listeners.append(listener)

    def step(self, by: timedelta) -> None:
        """Follow a step of the wall clock."""
        self.booted_at += by
        for listener in self._listeners:
            listener(by)

    async def wait(self, event: asyncio.Event, until: datetime | None) -> None:
        """Return once `event` is set, or at `until` if that comes first. A step meanwhile changes nothing."""
        seconds = None if until is None else max(0.0, (until - self.now()).total_seconds())
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return

    async def sleep_until(self, moment: datetime) -> None:
        await self.wait(asyncio.Event(), moment)
