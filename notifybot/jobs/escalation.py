"""Unanswered alerts go to the next people of their policy, or to the escalation channel."""

from datetime import datetime
from functools import partial

from notifybot import escalation
from notifybot.jobs.rows import work_off
from notifybot.runtime import Runtime


async def tick(runtime: Runtime, now: datetime) -> int:
    """Escalate what is overdue, in transactions short enough to let callers through; return how many."""
    channel = runtime.config.alerts.escalation_channel
    work = partial(escalation.escalate_due, directory=runtime.directory, channel=channel)
    return await work_off(runtime, "escalation", escalation.ESCALATIONS, work, now=now)
