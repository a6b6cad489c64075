"""The queue between Telegram and the handlers: what `put` has returned for is on disk.

python-telegram-bot confirms updates to Telegram only after it has put them here, by polling and by webhook alike.
"""

import asyncio
import logging
from datetime import timedelta
from functools import partial

import telegram

from notifybot.errors import Unavailable
from notifybot.storage.database import Database
from notifybot.telegram_api import update_store
from notifybot.times.clock import Clock

RETRY_EVERY = timedelta(seconds=1)
log = logging.getLogger(__name__)


class DurableQueue(asyncio.Queue[object]):
    """Stores each update before it hands it on; one that was stored before is not handed on again."""

    def __init__(self, database: Database, clock: Clock) -> None:
        super().__init__()
        self._database = database
        self._clock = clock

    async def put(self, item: object) -> None:
        """Never raises but CancelledError: an exception here would end polling silently, so it waits for the disk."""
        if not isinstance(item, telegram.Update):
            await super().put(item)  # the library's own word to stop
            return
        while True:
            try:
                is_new = await self._store(item)
                break
            except Unavailable:
                log.error("an update could not be stored", extra={"action": "update_waits", "update": item.update_id})
                await self._clock.sleep_until(self._clock.now() + RETRY_EVERY)
        if is_new:
            await super().put(item)

    async def put_stored(self, item: telegram.Update) -> None:
        """Hand on an update that lies in the inbox already."""
        await super().put(item)

    async def _store(self, item: telegram.Update) -> bool:
        store = partial(update_store.store, update_id=item.update_id, payload=item.to_json(), now=self._clock.now())
        return await self._database.write(store)
