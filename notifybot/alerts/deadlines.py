"""Compute an alert's deadlines after a snooze or a taken-back acknowledgement."""

from datetime import datetime, timedelta

from notifybot.model.messages import Message

DeadlineColumns = dict[str, datetime | None]
"""Columns of a message."""


def begins_at(message: Message) -> datetime:
    """From when its deadlines count: when it was sent, woke last, or when its acknowledgement was taken back."""
    anew = [moment for moment in (message.snoozed_until, message.unacknowledged_at) if moment is not None]
    return max(anew, default=message.send_at or message.created_at)


def restarted(message: Message, begins: datetime) -> DeadlineColumns:
    """Its deadlines where it `begins` anew then: each as far behind that as it lay behind the beginning before. Where
    its next step was brought forward since, that comes as soon as it begins."""
    before = begins_at(message)
    moved: DeadlineColumns = {}
    if message.close_at is not None:
        moved["close_at"] = begins + (message.close_at - before)
    if message.escalate_at is not None and message.steps_left:
        moved["escalate_at"] = begins + max(message.escalate_at - before, timedelta())
    if message.remind_every_s is not None:
        moved["remind_at"] = begins + timedelta(seconds=message.remind_every_s)
    return moved
