"""Alerts whose time is over are closed."""

from datetime import datetime
from functools import partial

from notifybot import escalation as deadlines
from notifybot.jobs import escalation
from notifybot.runtime import Runtime

A_TRANSACTION = 100


async def tick(runtime: Runtime, now: datetime) -> int:
    """Close what is overdue; return how many. What is overdue for both escalates first, whichever job beats first."""
    await escalation.tick(runtime, now)
    total = 0
    while done := await runtime.database.write(partial(deadlines.close_due, now=now, most=A_TRANSACTION)):
        total += done
    return total
