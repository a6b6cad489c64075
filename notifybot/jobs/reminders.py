"""Post open alerts again."""

from datetime import datetime
from functools import partial

from notifybot.alerts import remind
from notifybot.jobs.batches import process_due
from notifybot.runtime import Runtime


async def run(runtime: Runtime, _: datetime) -> int:
    """Send the reminders that are due; return how many alerts they are for."""
    work = partial(remind.remind_due, directory=runtime.directory)
    return await process_due(runtime, "reminders", remind.REMINDERS, work)
