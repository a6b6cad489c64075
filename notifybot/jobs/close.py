"""Alerts whose time is over are closed."""

from datetime import datetime

from notifybot.alerts import expire
from notifybot.jobs import escalation
from notifybot.jobs.batches import process_due
from notifybot.runtime import Runtime


async def run(runtime: Runtime, now: datetime) -> int:
    """Close what is overdue; return how many. What is overdue for both escalates first, whichever job beats first."""
    await escalation.run(runtime, now)
    return await process_due(runtime, "close", expire.EXPIRATIONS, expire.expire_due, now=now)
