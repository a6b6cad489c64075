"""A clock that is moved by the story, and a bell that rings after every possible change."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta

from notifybot.sandbox.world.signals import Signal
from notifybot.times.clock import Clock

BEGINNING = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TICK = timedelta(milliseconds=2)
"""Each look at the clock takes so long: more than the even distance of two calls under the stories' wide limits."""


class Bell(Signal):
    """Counts its rings, so that no one misses a ring between a check and the following wait."""

    def __init__(self) -> None:
        super().__init__()
        self.rings = 0

    def fire(self) -> None:
        self.rings += 1
        super().fire()


class MovedClock(Clock):
    """Clock that only moves by a TICK per reading, and by `move`, which wakes the waiters of every time it reaches."""

    def __init__(self, bell: Bell) -> None:
        self.at = BEGINNING
        """The true time, which is Telegram's."""
        self.ahead = timedelta()
        """How far the machine's clock is ahead of it."""
        self.boot = "first boot"
        self.slept = timedelta()
        self._bell = bell
        self._alarms: dict[asyncio.Timeout, tuple[datetime | None, str]] = {}
        self._lock = threading.Lock()
        super().__init__()

    def restarts(self) -> None:
        """Begin again, as in a new process."""
        self._listeners.clear()
        self.booted_at = self.wall() - self.since_boot()

    def wall(self) -> datetime:
        return self.at + self.ahead

    def since_boot(self) -> timedelta:
        with self._lock:
            self.at += TICK
            return self.at - BEGINNING

    def asleep_for(self) -> timedelta:
        return self.slept

    def boot_id(self) -> str:
        return self.boot

    def seconds(self) -> float:
        """Return Telegram's time in Unix seconds, without a tick."""
        return self.at.timestamp()

    async def wait(self, event: asyncio.Event, until: datetime | None) -> None:
        if until is not None and until <= self.now():
            await asyncio.sleep(0)
            return
        try:
            async with asyncio.timeout(None) as alarm:
                truly = None if until is None else until - (self.booted_at - BEGINNING)
                self._alarms[alarm] = (truly, _this_task())
                self._bell.fire()
                await event.wait()
        except TimeoutError:
            return
        finally:
            self._alarms.pop(alarm, None)

    def move(self, to: datetime) -> None:
        """Set the clock to `to`, and wake everyone who waits for that or an earlier moment."""
        with self._lock:
            self.at = max(self.at, to)
        for alarm, (until, _) in list(self._alarms.items()):
            if until is not None and until <= self.at:
                del self._alarms[alarm]
                alarm.reschedule(0)

    def next_alarm(self) -> datetime | None:
        """Return the first moment that anyone waits for."""
        return min((until for until, _ in self._alarms.values() if until is not None), default=None)

    def is_awaited_by(self, task: str) -> bool:
        """Return True if the task with this name waits, for a moment or for its event."""
        return any(name == task for _, name in self._alarms.values())


def _this_task() -> str:
    task = asyncio.current_task()
    assert task is not None
    return task.get_name()
