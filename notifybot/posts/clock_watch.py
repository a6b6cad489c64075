"""Notice that the clock was set, or that the machine slept, and follow it."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from notifybot.errors import Unavailable
from notifybot.posts import clock_steps
from notifybot.storage.database import Database
from notifybot.times.clock import SMALLEST_STEP, Clock

LOOK_EVERY_S = 1.0
NOTE_EVERY = timedelta(minutes=5)
log = logging.getLogger(__name__)


class ClockWatch:
    """Looks at the clock every second. `ahead_of_telegram` returns by how much, if that is known."""

    def __init__(self, clock: Clock, database: Database, ahead_of_telegram: Callable[[], timedelta | None]) -> None:
        self._clock = clock
        self._database = database
        self._ahead_of_telegram = ahead_of_telegram
        self._asleep_for = clock.asleep_for()
        self._noted_at = clock.since_boot() - NOTE_EVERY

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Follow a step; wake everything that waits after a sleep; note the time now and then."""
        if by := self._clock.off_by():
            await self._follow(by)
        slept = self._clock.asleep_for() - self._asleep_for
        if slept >= SMALLEST_STEP:
            self._asleep_for += slept
            log.info("the machine slept", extra={"action": "machine_slept", "for_s": round(slept.total_seconds(), 1)})
            self._clock.step(timedelta())
        if self._clock.since_boot() - self._noted_at >= NOTE_EVERY:
            await self._note()

    async def _follow(self, by: timedelta) -> None:
        """Move the rows and the clock together. What was handed to the writer before has the old time, and moves; what
        is handed to it from now on has the new one."""
        clock = self._clock
        now, booted_at = clock.now() + by, clock.booted_at + by
        moving = self._database.start_write(partial(clock_steps.follow, by=by, now=now, booted_at=booted_at))
        clock.step(by)
        facts = clock_steps.facts_of(by)
        try:
            await moving
        except Unavailable:
            clock.step(-by)  # the next look tries again
            log.error("the clock was set, but what waits could not be moved", extra=facts)
            return
        log.warning("the clock was set; what waits has moved with it", extra=facts)

    async def _note(self) -> None:
        note = partial(clock_steps.note_seen, now=self._clock.now(), ahead_of_telegram=self._ahead_of_telegram())
        try:
            await self._database.write(note)
        except Unavailable:  # logged by the database; the next look tries again
            return
        self._noted_at = self._clock.since_boot()
