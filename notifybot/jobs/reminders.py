"""People are reminded of alerts that are not closed."""

from datetime import datetime
from functools import partial

from notifybot.alerts import remind
from notifybot.jobs import close
from notifybot.jobs.batches import process_due
from notifybot.runtime import Runtime


async def run(runtime: Runtime, now: datetime) -> int:
    """Remind people of what is due; return of how many. What is overdue for both is closed first, whichever job beats
    first: nobody is reminded of what is over."""
    await close.run(runtime, now)
    work = partial(remind.remind_due, directory=runtime.directory)
    return await process_due(runtime, "reminders", remind.REMINDERS, work, now=now)
