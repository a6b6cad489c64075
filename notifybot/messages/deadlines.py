"""Deadlines of an alert that starts again: a new occurrence, a snooze, or an acknowledgement that was taken back."""

from datetime import datetime, timedelta
from typing import Any

DeadlineColumns = dict[str, datetime | None]
"""Columns of a message."""


BEGINNINGS = ("created_at", "send_at", "snoozed_until", "unacknowledged_at", "counts_from")
"""Columns that `begins_at` reads."""


def begins_at(message: Any) -> datetime:
    """Return the time that the deadlines of a message (or row) count from."""
    restarts = (message.snoozed_until, message.unacknowledged_at, message.counts_from)
    begins: datetime = max(filter(None, restarts), default=message.send_at or message.created_at)
    return begins


def restarted(message: Any, begins: datetime) -> DeadlineColumns:
    """Return the deadlines of a message (or row) if it begins at `begins` instead, each after the same span as before.

    An escalation that was brought forward comes at `begins`. Without a step left, escalate_at stays as it is.
    """
    shift = begins - begins_at(message)
    every = message.remind_every_s
    moved: DeadlineColumns = {
        "close_at": None if message.close_at is None else message.close_at + shift,
        "remind_at": None if every is None else begins + timedelta(seconds=every),
    }
    if message.escalate_at is None:
        moved["escalate_at"] = None
    elif message.steps_left:
        moved["escalate_at"] = max(message.escalate_at + shift, begins)
    return moved
