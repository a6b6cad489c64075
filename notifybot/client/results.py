"""What the daemon answers its clients, as values. Standard library only.

Each value keeps the JSON it was read from in `document`, with fields that a newer daemon may have added.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from notifybot.client.errors import UnknownShape
from notifybot.client.json_fields import JsonFields, JsonObject


@dataclass(frozen=True)
class DeliveryInfo:
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
class TimelineEntry:
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
class AttachmentInfo:
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
    deliveries: tuple[DeliveryInfo, ...]
    document: JsonObject


@dataclass(frozen=True)
class MessageInfo:
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
    attachments: tuple[AttachmentInfo, ...]
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
    deliveries: tuple[DeliveryInfo, ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()

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

    messages: tuple[MessageInfo, ...]
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


def read_accepted(document: object) -> Accepted:
    """Raise UnknownShape where `document` is none; so do all the functions below."""
    fields = JsonFields(document)
    return Accepted(
        id=fields.text("id"),
        status=fields.text("status"),
        is_duplicate=fields.truth("duplicate"),
        created_at=fields.moment("created_at"),
        escalate_at=fields.moment_or_none("escalate_at"),
        close_at=fields.moment_or_none("close_at"),
        send_at=fields.moment_or_none("send_at"),
        schedule_id=fields.text_or_none("schedule_id"),
        next_times=fields.moments("next_times"),
        deliveries=tuple(_delivery(each) for each in fields.each("deliveries")),
        document=fields.document,
    )


def read_message(document: object) -> MessageInfo:
    fields = JsonFields(document)
    return replace(
        _said(fields),
        send_at=fields.moment_or_none("send_at"),
        escalate_at=fields.moment_or_none("escalate_at"),
        close_at=fields.moment_or_none("close_at"),
        remind_at=fields.moment_or_none("remind_at"),
        repeated_at=fields.moment_or_none("repeated_at"),
        resolved_at=fields.moment_or_none("resolved_at"),
        snoozed_until=fields.moment_or_none("snoozed_until"),
        snoozed_by=_answerer(fields.document.get("snoozed_by")),
        acknowledged_at=fields.moment_or_none("acknowledged_at"),
        acknowledged_by=_answerer(fields.document.get("acknowledged_by")),
        closed_at=fields.moment_or_none("closed_at"),
        deliveries=tuple(_delivery(each) for each in fields.each("deliveries")),
        timeline=tuple(_event(each) for each in fields.each("timeline")),
    )


def read_page(document: object) -> MessagePage:
    fields = JsonFields(document)
    messages = tuple(read_message(each.document) for each in fields.each("messages"))
    return MessagePage(messages, fields.text_or_none("next_cursor"), fields.document)


def read_health(document: object) -> Health:
    fields = JsonFields(document)
    return Health(
        status=fields.text("status"),
        telegram=fields.summary("telegram"),
        database=fields.summary("database"),
        jobs=fields.summary("jobs"),
        waiting=int(fields.number("waiting")),
        oldest_waiting_s=fields.number("oldest_waiting_s"),
        warnings=fields.texts("warnings"),
        document=fields.document,
    )


def read_subscriber(document: object) -> Subscriber:
    fields = JsonFields(document)
    return Subscriber(
        user_id=fields.text("user_id"),
        chat_id=fields.text("chat_id"),
        chat_name=fields.text("chat_name"),
        created_at=fields.moment("created_at"),
    )


def read_subscribers(document: object) -> tuple[Subscriber, ...]:
    if not isinstance(document, list):
        raise UnknownShape("a list of subscribers was expected")
    return tuple(read_subscriber(each) for each in document)


def _said(fields: JsonFields) -> MessageInfo:
    """What a message says, and to whom; nothing yet of what became of it."""
    return MessageInfo(
        id=fields.text("id"),
        status=fields.text("status"),
        is_alert=fields.truth("acknowledge"),
        type=fields.text_or_none("type") or "text",
        title=fields.text_or_none("title"),
        content=fields.text_or_none("content"),
        caption=fields.text_or_none("caption"),
        parse_mode=fields.text_or_none("parse_mode"),
        priority=fields.text_or_none("priority") or "normal",
        is_silent=fields.truth("silent"),
        has_link_preview=fields.truth("link_preview"),
        thread_id=fields.integer_or_none("thread_id"),
        buttons=tuple(_button(each) for each in fields.each("buttons")),
        attachments=tuple(_attachment(each) for each in fields.each("attachments")),
        data=fields.object_or_none("data"),
        dedup_key=fields.text_or_none("dedup_key"),
        repeats=fields.integer_or_none("repeats") or 0,
        source=fields.text("source"),
        recipients=_recipients(fields),
        event=fields.text_or_none("event"),
        policy=fields.text_or_none("policy"),
        steps_left=fields.integer_or_none("steps_left") or 0,
        schedule_id=fields.text_or_none("schedule_id"),
        created_at=fields.moment("created_at"),
        document=fields.document,
    )


def _button(fields: JsonFields) -> Button:
    return Button(fields.text("text"), url=fields.text_or_none("url"), copy=fields.text_or_none("copy"))


def _attachment(fields: JsonFields) -> AttachmentInfo:
    return AttachmentInfo(
        name=fields.text("name"),
        kind=fields.text("kind"),
        size=fields.integer_or_none("size"),
        media_type=fields.text_or_none("media_type"),
        url=fields.text_or_none("url"),
        href=fields.text_or_none("href"),
        problem=fields.text_or_none("problem"),
    )


def _delivery(fields: JsonFields) -> DeliveryInfo:
    return DeliveryInfo(
        recipient=fields.text("recipient"),
        chat_id=fields.text("chat_id"),
        purpose=fields.text("purpose"),
        status=fields.text("status"),
        telegram_message_ids=fields.integers("telegram_message_ids"),
        attempts=int(fields.number("attempts")),
        last_error=fields.text_or_none("last_error"),
        shown_at=fields.moment_or_none("shown_at"),
    )


def _event(fields: JsonFields) -> TimelineEntry:
    return TimelineEntry(fields.moment("at"), fields.text("event"), fields.text("actor"), fields.text_or_none("detail"))


def _recipients(fields: JsonFields) -> tuple[str, ...]:
    """To whom it was addressed: whichever of the three fields the message has."""
    if isinstance(fields.document.get("to"), list):
        return fields.texts("to")
    single = fields.text_or_none("channel_id") or fields.text_or_none("user")
    return (single,) if single else ()


def _answerer(document: object) -> str | None:
    """A name for whoever acknowledged: `Anna (@anna)`, or the account."""
    if not isinstance(document, Mapping):
        return None
    fields = JsonFields(document)
    name, username = fields.text_or_none("name"), fields.text_or_none("username")
    if name and username:
        return f"{name} (@{username})"
    return name or username or fields.text_or_none("account") or fields.text_or_none("telegram_id")
