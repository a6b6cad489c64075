"""Enums that tables, jobs and callers share."""

# key() and its like make dataclass fields, as dataclasses.field() does.
from enum import IntEnum, StrEnum


class Purpose(StrEnum):
    """Why a chat gets its copy of a message."""

    PRIMARY = "primary"
    ESCALATION = "escalation"


class DeliveryStatus(StrEnum):
    WAITING = "waiting"
    SHOWN = "shown"
    FAILED = "failed"
    """A dead letter; `last_error` says why."""
    WITHDRAWN = "withdrawn"
    """Answered, closed or cancelled before it was shown."""


class Deadline(StrEnum):
    """What a job waits for: of messages, by the name of the column that says when."""

    RELEASE = "release_at"
    ESCALATE = "escalate_at"
    CLOSE = "close_at"
    REMIND = "remind_at"
    SUMMARY = "summary"
    TURN = "turn"


class Urgency(IntEnum):
    """Which posts go first; within one urgency the order of acceptance decides."""

    ALERT = 0
    REPLY = 1
    NOTICE = 2
    EDIT = 3
    BULK = 4


class EventKind(StrEnum):
    """What a timeline can say."""

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
    """How Telegram shows a file."""

    PHOTO = "photo"
    DOCUMENT = "document"
