"""Error handler: a failed update is repeated before those behind it, and parked after three failures of its own."""

import logging
from functools import partial

from telegram import Update

from notifybot.errors import Unavailable
from notifybot.handlers.transaction import Context, runtime_of
from notifybot.system.logs import redact
from notifybot.telegram_api import update_store
from notifybot.telegram_api.update_processor import MarkingProcessor

SORRY = "That did not work. Please press again in a minute."
log = logging.getLogger(__name__)


async def on_error(update: object, context: Context) -> None:
    if not isinstance(update, Update):
        log.error("update failed", exc_info=context.error, extra={"action": "update_failed"})
        return
    if await _may_retry(update, context):
        processor = context.application.update_processor
        assert isinstance(processor, MarkingProcessor)
        processor.repeat(partial(context.application.process_update, update))
        return
    log.error("update parked", extra={"action": "update_parked", "update": update.update_id})
    if update.callback_query is not None:
        await runtime_of(context).sender.answer_press(update.callback_query.id, SORRY)


async def _may_retry(update: Update, context: Context) -> bool:
    """Count the failure, unless it would meet every update: then this one is not to blame."""
    database, error = runtime_of(context).database, context.error
    if isinstance(error, Unavailable) and database.is_down(error):
        log.error("an update waits for the database", extra={"action": "update_waits", "update": update.update_id})
        return True
    log.error("update failed", exc_info=error, extra={"action": "update_failed"})
    note = partial(update_store.note_failure, update_id=update.update_id, error=redact(repr(error)))
    try:
        return await database.write(note)
    except Unavailable:  # not even the count can be stored
        return True
