"""Wake waiting tasks after a change."""

import asyncio
from collections import deque
from dataclasses import dataclass
from itertools import islice

from notifybot.sandbox.values import JsonObject

KEPT_EVENTS = 10_000


class Signal:
    """Wakes all current waiters. `fire` is synchronous and has no memory."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def fire(self) -> None:
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def wait(self, timeout: float | None) -> bool:
        """Wait for the next `fire`, at most `timeout` seconds of real time; False on timeout."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            # Not wait_for: Python 3.11's swallows a cancellation right after `fire`.
            async with asyncio.timeout(timeout):
                await future
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(future)
        return True


@dataclass(frozen=True, slots=True)
class Event:
    """An event of the stream; `n` counts from 1."""

    n: int
    kind: str
    data: JsonObject


class Events:
    """The newest KEPT_EVENTS events, for pages that follow them."""

    def __init__(self) -> None:
        self.changed = Signal()
        self.last = 0
        self._kept: deque[Event] = deque(maxlen=KEPT_EVENTS)

    def publish(self, kind: str, data: JsonObject) -> None:
        """Store an event and wake all waiters. `data` must not change afterwards."""
        self.last += 1
        self._kept.append(Event(self.last, kind, data))
        self.changed.fire()

    def since(self, n: int) -> list[Event]:
        """List the kept events after number `n`, oldest first."""
        newest_first = islice(reversed(self._kept), max(0, self.last - n))
        return list(newest_first)[::-1]
