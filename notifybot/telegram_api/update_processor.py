"""Hand updates to their handlers one at a time, each marked while it is under way (storage/under_way.py)."""

import logging
from collections.abc import Coroutine
from functools import partial
from typing import Any

from telegram import Update
from telegram.ext import BaseUpdateProcessor

from notifybot.errors import Unavailable
from notifybot.storage.database import Database
from notifybot.storage.under_way import DiedBefore, UnderWay, Work, WorkKind
from notifybot.telegram_api import update_store

log = logging.getLogger(__name__)


class MarkingProcessor(BaseUpdateProcessor):
    """Parks an update whose handling ended the process again and again."""

    def __init__(self, under_way: UnderWay, database: Database) -> None:
        super().__init__(max_concurrent_updates=1)
        self._under_way = under_way
        self._database = database

    async def do_process_update(self, update: object, coroutine: Coroutine[Any, Any, Any]) -> None:  # type: ignore[override]
        if not isinstance(update, Update):
            await coroutine
            return
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
