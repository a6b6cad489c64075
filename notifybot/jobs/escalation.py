"""Escalate alerts that nobody has acknowledged in time."""

from datetime import datetime
from functools import partial

from notifybot.alerts import escalate
from notifybot.jobs.batches import process_due
from notifybot.runtime import Runtime


async def run(runtime: Runtime, _: datetime) -> int:
    """Escalate overdue alerts; return the number escalated."""
    channel = runtime.config.alerts.escalation_channel
    work = partial(escalate.escalate_due, directory=runtime.directory, channel=channel)
    return await process_due(runtime, "escalation", escalate.ESCALATIONS, work)
