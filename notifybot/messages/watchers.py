"""Wait for a change of a message, or of any post."""

import asyncio
from collections import defaultdict
from datetime import datetime

from notifybot.storage.writer import Changes
from notifybot.times.clock import Clock

ANY_POST = ""
"""In place of a message id: `watch(ANY_POST)` wakes whenever a post may have been shown."""


class Watchers:
    """Wakes the requests that wait for a message, after each commit that changes it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._events: dict[str, list[asyncio.Event]] = defaultdict(list)

    def on_commit(self, changes: Changes) -> None:
        for message_id in changes.messages & self._events.keys():
            self._wake(message_id)
        if changes.is_call_over and ANY_POST in self._events:
            self._wake(ANY_POST)

    def _wake(self, message_id: str) -> None:
        for event in self._events[message_id]:
            event.set()

    async def next_change(self, changed: asyncio.Event, until: datetime) -> None:
        """Return once `changed` is set, or at `until`."""
        await self._clock.wait(changed, until)
        changed.clear()

    def watch(self, message_id: str) -> asyncio.Event:
        """Return an event that every change of this message sets from now on, until `unwatch`."""
        event = asyncio.Event()
        self._events[message_id].append(event)
        return event

    def unwatch(self, message_id: str, event: asyncio.Event) -> None:
        self._events[message_id].remove(event)
        if not self._events[message_id]:
            del self._events[message_id]
