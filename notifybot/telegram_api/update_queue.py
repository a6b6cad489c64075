"""The queue between Telegram and the handlers: once `put` returns, the update is on disk.

python-telegram-bot confirms updates to Telegram only after putting them here, with polling and webhook alike.
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
        """Pass on an update that is stored already."""
        await super().put(item)

    async def _store(self, item: telegram.Update) -> bool:
        store = partial(update_store.store, update_id=item.update_id, payload=item.to_json(), now=self._clock.now())
        return await self._database.write(store)
