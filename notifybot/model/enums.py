"""Enums shared by tables, jobs and callers."""

from enum import IntEnum, IntFlag, StrEnum


class Purpose(StrEnum):
    """Reason for a delivery."""

    PRIMARY = "primary"
    ESCALATION = "escalation"


class DeliveryStatus(StrEnum):
    WAITING = "waiting"
    SHOWN = "shown"
    FAILED = "failed"
    """A dead letter: given up, with the reason in `last_error`."""
    WITHDRAWN = "withdrawn"
    """Not needed any more before it was shown (acknowledged, closed, cancelled), or its reader had muted the bot."""


class Deadline(StrEnum):
    """The deadlines that jobs wait for. Those of messages are named like their column."""

    RELEASE = "release_at"
    ESCALATE = "escalate_at"
    CLOSE = "close_at"
    REMIND = "remind_at"
    SUMMARY = "summary"
    SHIFT = "shift"
    TROUBLE = "trouble"


class Urgency(IntEnum):
    """Order in which posts are sent, most urgent first; within one urgency callers take turns, and each caller's posts
    go in the order of acceptance."""

    REPLY = 0
    """Answers to people: to presses and commands. They never take two turns in a row while something else waits."""
    ALERT = 1
    HIGH = 2
    NOTICE = 3
    EDIT = 4
    BULK = 5


class AsText(IntFlag):
    """What a post has in its text, since Telegram refused it in its proper form."""

    NOTHING = 0
    FORMATTING = 1
    """Links are written with their addresses."""
    CALLERS_BUTTONS = 2
    ALL_BUTTONS = 4


class EventKind(StrEnum):
    """Kind of a timeline event."""

    ACCEPTED = "accepted"
    RELEASED = "released"
    SENT = "sent"
    EDITED = "edited"
    ESCALATED = "escalated"
    SNOOZED = "snoozed"
    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    CLOSED = "closed"
    RESOLVED = "resolved"
    FAILED = "failed"
    RETRIED = "retried"
    CANCELLED = "cancelled"
    WITHDRAWN = "withdrawn"
    UNCERTAIN = "uncertain"
    REFORMATTED = "reformatted"


class Priority(StrEnum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    CRITICAL = "critical"


class MediaKind(StrEnum):
    """The form in which Telegram shows a file."""

    PHOTO = "photo"
    DOCUMENT = "document"
