"""Alerts whose time is over are closed."""

from datetime import datetime

from notifybot import escalation as deadlines
from notifybot.jobs import escalation
from notifybot.jobs.rows import work_off
from notifybot.runtime import Runtime


async def tick(runtime: Runtime, now: datetime) -> int:
    """Close what is overdue; return how many. What is overdue for both escalates first, whichever job beats first."""
    await escalation.tick(runtime, now)
    return await work_off(runtime, "close", deadlines.CLOSINGS, deadlines.close_due, now=now)
