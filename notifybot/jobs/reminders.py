"""People are reminded of alerts that are not closed."""

from datetime import datetime
from functools import partial

from notifybot import reminders
from notifybot.jobs import close
from notifybot.jobs.rows import work_off
from notifybot.runtime import Runtime


async def tick(runtime: Runtime, now: datetime) -> int:
    """Remind people of what is due; return of how many. What is overdue for both is closed first, whichever job beats
    first: nobody is reminded of what is over."""
    await close.tick(runtime, now)
    work = partial(reminders.remind_due, directory=runtime.directory)
    return await work_off(runtime, "reminders", reminders.REMINDERS, work, now=now)
