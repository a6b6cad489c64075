"""Unanswered alerts go to the escalation channel."""

from datetime import datetime
from functools import partial

from notifybot import escalation
from notifybot.runtime import Runtime

A_TRANSACTION = 100


async def tick(runtime: Runtime, now: datetime) -> int:
    """Escalate what is overdue, in transactions short enough to let callers through; return how many."""
    channel = runtime.config.alerts.escalation_channel
    total = 0
    while done := await runtime.database.write(
        partial(escalation.escalate_due, channel=channel, now=now, most=A_TRANSACTION)
    ):
        total += done
    return total
