"""What the daemon answers its clients, as values. Standard library only.

Each value keeps the JSON it was read from in `document`, with fields that a newer daemon may have added.
"""

from dataclasses import dataclass
from datetime import datetime

from notifybot.client_json import JsonObject


@dataclass(frozen=True)
class Delivery:
    """One chat's copy of a message. `status`: waiting, shown, failed, withdrawn; `purpose`: primary, escalation."""

    recipient: str
    chat_id: str
    purpose: str
    status: str
    telegram_message_ids: tuple[int, ...]
    attempts: int
    last_error: str | None
    shown_at: datetime | None


@dataclass(frozen=True)
class Event:
    """One line of a message's timeline; `actor` is for example `account:alice`, `telegram:42` or `notifybot`."""

    at: datetime
    event: str
    actor: str
    detail: str | None


@dataclass(frozen=True)
class Button:
    """A button under a message, which opens `url`, or puts `copy` into the reader's clipboard."""

    text: str
    url: str | None = None
    copy: str | None = None


@dataclass(frozen=True)
class Attachment:
    """A picture or file of a message. `kind`: photo, document; `size` in bytes; `problem` says why it is not shown.

    `href` is where the daemon hands it out, None while, or as, it does not have it.
    """

    name: str
    kind: str
    size: int | None
    media_type: str | None
    url: str | None
    href: str | None
    problem: str | None


@dataclass(frozen=True)
class Accepted:
    """The message is on the daemon's disk. `deliveries` is filled only where the call waited and all were decided.

    `is_duplicate`: the caller's own `client_id` was known already, and this is what the first request got. `send_at`:
    when it is to be sent, where that lies ahead; of one that repeats, `next_times` are its first few.
    """

    id: str
    status: str
    is_duplicate: bool
    created_at: datetime
    escalate_at: datetime | None
    close_at: datetime | None
    send_at: datetime | None
    schedule_id: str | None
    next_times: tuple[datetime, ...]
    deliveries: tuple[Delivery, ...]
    document: JsonObject


@dataclass(frozen=True)
class Message:
    """A message as the daemon knows it now; a list leaves `deliveries` and `timeline` empty.

    `type`: text, image, document. `content` is the text, or where the file came from; beside files the text is
    `caption`. `repeats` counts how often it was told again under its `dedup_key`. `send_at` is when it was to be sent,
    None for at once; `schedule_id` names what repeats it.
    """

    id: str
    status: str
    is_alert: bool
    type: str
    title: str | None
    content: str | None
    caption: str | None
    parse_mode: str | None
    priority: str
    is_silent: bool
    has_link_preview: bool
    thread_id: int | None
    buttons: tuple[Button, ...]
    attachments: tuple[Attachment, ...]
    data: JsonObject | None
    dedup_key: str | None
    repeats: int
    source: str
    recipients: tuple[str, ...]
    event: str | None
    policy: str | None
    steps_left: int
    schedule_id: str | None
    created_at: datetime
    document: JsonObject
    send_at: datetime | None = None
    escalate_at: datetime | None = None
    close_at: datetime | None = None
    remind_at: datetime | None = None
    repeated_at: datetime | None = None
    resolved_at: datetime | None = None
    snoozed_until: datetime | None = None
    snoozed_by: str | None = None
    """A name for a person to read, as `acknowledged_by`."""
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    """A name for a person to read; what is behind it stands in `document`."""
    closed_at: datetime | None = None
    deliveries: tuple[Delivery, ...] = ()
    timeline: tuple[Event, ...] = ()

    @property
    def text(self) -> str:
        """What it says to people, also where that is a caption; empty where files say it all."""
        return self.caption or (self.content if self.type == "text" else None) or ""

    @property
    def summary(self) -> str:
        """Its title and text; a message of files alone is its kind."""
        said = self.text or f"({self.type})"
        return f"{self.title}: {said}" if self.title else said


@dataclass(frozen=True)
class MessagePage:
    """Messages, newest first; `next_cursor` continues the list, None at its end."""

    messages: tuple[Message, ...]
    next_cursor: str | None
    document: JsonObject


@dataclass(frozen=True)
class Subscriber:
    """Somebody who can be sent to."""

    user_id: str
    chat_id: str
    chat_name: str
    created_at: datetime


@dataclass(frozen=True)
class Health:
    """`status`: ok, degraded, or down, when nothing can be accepted or work stands still."""

    status: str
    telegram: str
    database: str
    jobs: str
    waiting: int
    oldest_waiting_s: float
    warnings: tuple[str, ...]
    document: JsonObject
