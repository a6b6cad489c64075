"""Error handler: a failed update is retried, then parked."""

import logging
from datetime import timedelta
from functools import partial

from telegram import Update

from notifybot.errors import Unavailable
from notifybot.handlers.transaction import Context, runtime_of
from notifybot.system.logs import redact
from notifybot.telegram_api import update_store
from notifybot.telegram_api.update_queue import DurableQueue

RETRY_AFTER = timedelta(seconds=1)
SORRY = "That did not work. Please press again in a minute."
log = logging.getLogger(__name__)


async def on_error(update: object, context: Context) -> None:
    log.error("update failed", exc_info=context.error, extra={"action": "update_failed"})
    if not isinstance(update, Update):
        return
    runtime = runtime_of(context)
    if await _may_retry(update, context):
        context.application.create_task(_retry(update, context))
        return
    log.error("update parked", extra={"action": "update_parked", "update": update.update_id})
    if update.callback_query is not None:
        await runtime.sender.answer_press(update.callback_query.id, SORRY)


async def _may_retry(update: Update, context: Context) -> bool:
    """Count the failure. While the database cannot store even that, any update may be retried."""
    reason = redact(repr(context.error))
    note = partial(update_store.note_failure, update_id=update.update_id, error=reason)
    try:
        return await runtime_of(context).database.write(note)
    except Unavailable:
        return True


async def _retry(update: Update, context: Context) -> None:
    clock = runtime_of(context).clock
    await clock.sleep_until(clock.now() + RETRY_AFTER)
    queue = context.application.update_queue
    assert isinstance(queue, DurableQueue)
    await queue.put_stored(update)
