"""The queue between Telegram and the handlers: once `put` returns, the update is on disk.

python-telegram-bot confirms updates to Telegram only after putting them here, with polling and webhook alike.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import telegram
from sqlmodel import Session

from notifybot.errors import Unavailable
from notifybot.storage.database import Database
from notifybot.telegram_api import update_store
from notifybot.telegram_api.results import UnreadableUpdate
from notifybot.times.clock import Clock

RETRY_EVERY = timedelta(seconds=1)
log = logging.getLogger(__name__)

Kept = TypeVar("Kept")


class DurableQueue(asyncio.Queue[object]):
    """Stores each update before passing it on. One that is stored already is not passed on again."""

    def __init__(self, database: Database, clock: Clock) -> None:
        super().__init__()
        self._database = database
        self._clock = clock

    async def put(self, item: object) -> None:
        """Store and pass on an update. Retry until the disk accepts it: an exception would end polling silently."""
        if not isinstance(item, telegram.Update):
            await super().put(item)  # the library's stop sentinel
            return
        if await self._kept(partial(_store, item=item, now=self._clock.now())):
            await self._pass_on(item)

    async def put_stored(self, item: telegram.Update) -> None:
        """Pass on an update that is stored already."""
        if isinstance(item, UnreadableUpdate):
            await self._kept(partial(update_store.park, update_id=item.update_id, problem=item.problem))
        await self._pass_on(item)

    async def _kept(self, write: Callable[[Session], Kept]) -> Kept:
        while True:
            try:
                return await self._database.write(write)
            except Unavailable:
                log.error("an update could not be stored", extra={"action": "update_waits"})
                await self._clock.sleep_until(self._clock.now() + RETRY_EVERY)

    async def _pass_on(self, item: telegram.Update) -> None:
        if isinstance(item, UnreadableUpdate):
            facts = {"action": "update_unreadable", "update": item.update_id, "reason": item.problem}
            log.warning("an update cannot be read and was parked", extra=facts)
        else:
            await super().put(item)


def _store(session: Session, *, item: telegram.Update, now: datetime) -> bool:
    """Store an update, parked if it cannot be read. Return False if it is known already."""
    if isinstance(item, UnreadableUpdate):
        return update_store.store(session, item.update_id, item.payload, now=now, problem=item.problem)
    return update_store.store(session, item.update_id, item.to_json(), now=now)
