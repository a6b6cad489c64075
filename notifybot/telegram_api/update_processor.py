"""Hand updates to their handlers one at a time, each marked while it is under way (storage/under_way.py).

One that failed is repeated in its place: those behind it may be presses of other people, who would then be first.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import timedelta
from functools import partial
from typing import Any

from telegram import Update
from telegram.ext import BaseUpdateProcessor

from notifybot.errors import Unavailable
from notifybot.storage.database import Database
from notifybot.storage.under_way import DiedBefore, UnderWay, Work, WorkKind
from notifybot.telegram_api import update_store
from notifybot.times.clock import Clock

REPEAT_AFTER = timedelta(seconds=1)
Handling = Coroutine[Any, Any, Any]
log = logging.getLogger(__name__)


class MarkingProcessor(BaseUpdateProcessor):
    """Parks an update whose handling ended the process again and again."""

    def __init__(self, under_way: UnderWay, database: Database, clock: Clock) -> None:
        super().__init__(max_concurrent_updates=1)
        self._under_way = under_way
        self._database = database
        self._clock = clock
        self._again: Callable[[], Handling] | None = None
        """Handles the current update once more."""
        self._pause: asyncio.Task[None] | None = None
        self._is_stopping = False

    def repeat(self, handle: Callable[[], Handling]) -> None:
        """Handle the current update again in a second, before those behind it."""
        self._again = handle

    def stop_repeating(self) -> None:
        """Leave an update that failed, and all behind it, to the next start: they are stored."""
        self._is_stopping = True
        if self._pause is not None:
            self._pause.cancel()

    async def do_process_update(self, update: object, coroutine: Handling) -> None:  # type: ignore[override]
        if not isinstance(update, Update):
            await coroutine
            return
        if self._again is not None:  # left to the next start, and so is this one
            coroutine.close()
            return
        await self._attempt(update, coroutine)
        while self._again is not None and await self._has_paused():
            handle, self._again = self._again, None
            await self._attempt(update, handle())

    async def _has_paused(self) -> bool:
        """Wait a moment. Return False if the daemon stops."""
        if not self._is_stopping:
            pause = self._clock.sleep_until(self._clock.now() + REPEAT_AFTER)
            self._pause = asyncio.create_task(pause, name="repeat")
            await asyncio.wait([self._pause])
        return not self._is_stopping

    async def _attempt(self, update: Update, coroutine: Handling) -> None:
        try:
            async with self._under_way.working_on(Work(WorkKind.UPDATE, str(update.update_id))):
                await coroutine
        except DiedBefore as refusal:
            coroutine.close()
            await self._park(update.update_id, refusal.detail)

    async def _park(self, update_id: int, reason: str) -> None:
        log.error("update parked", extra={"action": "update_parked", "update": update_id, "reason": reason})
        try:
            await self._database.write(partial(update_store.park, update_id=update_id, problem=reason))
        except Unavailable:  # it stays waiting, and is refused again at the next start
            log.warning("an update could not be parked", extra={"action": "update_not_parked", "update": update_id})

    async def initialize(self) -> None:
        """Nothing to open."""

    async def shutdown(self) -> None:
        """Nothing to close."""
