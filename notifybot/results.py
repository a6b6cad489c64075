"""What the daemon answers its clients, as values. Standard library only.

Each value keeps the JSON it was read from in `document`, with fields that a newer daemon may have added.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from notifybot.client_errors import UnknownShape

JsonObject = Mapping[str, object]


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
class Accepted:
    """The message is on the daemon's disk. `deliveries` is filled only where the call waited and all were decided.

    `is_duplicate`: the caller's own `client_id` was known already, and this is what the first request got.
    """

    id: str
    status: str
    is_duplicate: bool
    created_at: datetime
    escalate_at: datetime | None
    close_at: datetime | None
    deliveries: tuple[Delivery, ...]
    document: JsonObject


@dataclass(frozen=True)
class Message:
    """A message as the daemon knows it now; a list leaves `deliveries` and `timeline` empty."""

    id: str
    status: str
    is_alert: bool
    title: str | None
    content: str
    source: str
    recipients: tuple[str, ...]
    created_at: datetime
    escalate_at: datetime | None
    close_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    """A name for a person to read; what is behind it stands in `document`."""
    closed_at: datetime | None
    deliveries: tuple[Delivery, ...]
    timeline: tuple[Event, ...]
    document: JsonObject


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


def read_accepted(document: object) -> Accepted:
    """Raise UnknownShape where `document` is none; so do all the functions below."""
    fields = _Fields(document)
    return Accepted(
        id=fields.text("id"),
        status=fields.text("status"),
        is_duplicate=fields.truth("duplicate"),
        created_at=fields.moment("created_at"),
        escalate_at=fields.moment_or_none("escalate_at"),
        close_at=fields.moment_or_none("close_at"),
        deliveries=tuple(_delivery(each) for each in fields.each("deliveries")),
        document=fields.document,
    )


def read_message(document: object) -> Message:
    fields = _Fields(document)
    return Message(
        id=fields.text("id"),
        status=fields.text("status"),
        is_alert=fields.truth("acknowledge"),
        title=fields.text_or_none("title"),
        content=fields.text("content"),
        source=fields.text("source"),
        recipients=_recipients(fields),
        created_at=fields.moment("created_at"),
        escalate_at=fields.moment_or_none("escalate_at"),
        close_at=fields.moment_or_none("close_at"),
        acknowledged_at=fields.moment_or_none("acknowledged_at"),
        acknowledged_by=_answerer(fields.document.get("acknowledged_by")),
        closed_at=fields.moment_or_none("closed_at"),
        deliveries=tuple(_delivery(each) for each in fields.each("deliveries")),
        timeline=tuple(_event(each) for each in fields.each("timeline")),
        document=fields.document,
    )


def read_page(document: object) -> MessagePage:
    fields = _Fields(document)
    messages = tuple(read_message(each.document) for each in fields.each("messages"))
    return MessagePage(messages, fields.text_or_none("next_cursor"), fields.document)


def read_health(document: object) -> Health:
    fields = _Fields(document)
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
    fields = _Fields(document)
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


def _delivery(fields: "_Fields") -> Delivery:
    return Delivery(
        recipient=fields.text("recipient"),
        chat_id=fields.text("chat_id"),
        purpose=fields.text("purpose"),
        status=fields.text("status"),
        telegram_message_ids=fields.integers("telegram_message_ids"),
        attempts=int(fields.number("attempts")),
        last_error=fields.text_or_none("last_error"),
        shown_at=fields.moment_or_none("shown_at"),
    )


def _event(fields: "_Fields") -> Event:
    return Event(fields.moment("at"), fields.text("event"), fields.text("actor"), fields.text_or_none("detail"))


def _recipients(fields: "_Fields") -> tuple[str, ...]:
    """To whom it was addressed: whichever of the three fields the message has."""
    if isinstance(fields.document.get("to"), list):
        return fields.texts("to")
    single = fields.text_or_none("channel_id") or fields.text_or_none("user")
    return (single,) if single else ()


def _answerer(document: object) -> str | None:
    """A name for whoever acknowledged: `Anna (@anna)`, or the account."""
    if not isinstance(document, Mapping):
        return None
    fields = _Fields(document)
    name, username = fields.text_or_none("name"), fields.text_or_none("username")
    if name and username:
        return f"{name} (@{username})"
    return name or username or fields.text_or_none("account") or fields.text_or_none("telegram_id")


class _Fields:
    """One JSON object and the kinds its fields are expected to be."""

    def __init__(self, document: object) -> None:
        if not isinstance(document, Mapping):
            raise UnknownShape("an object was expected")
        self.document: JsonObject = document

    def text(self, name: str) -> str:
        value = self.text_or_none(name)
        if value is None:
            raise UnknownShape(f"`{name}` is missing")
        return value

    def text_or_none(self, name: str) -> str | None:
        """A text; a number, as ids may be, becomes its digits."""
        match self.document.get(name):
            case None:
                return None
            case str(value):
                return value
            case int(value) if not isinstance(value, bool):
                return str(value)
        raise UnknownShape(f"`{name}` is not text")

    def truth(self, name: str) -> bool:
        return self.document.get(name) is True

    def number(self, name: str) -> float:
        """A number; 0 where it is missing or null."""
        match self.document.get(name):
            case None:
                return 0
            case int(value) | float(value) if not isinstance(value, bool):
                return value
        raise UnknownShape(f"`{name}` is not a number")

    def moment(self, name: str) -> datetime:
        value = self.moment_or_none(name)
        if value is None:
            raise UnknownShape(f"`{name}` is missing")
        return value

    def moment_or_none(self, name: str) -> datetime | None:
        value = self.text_or_none(name)
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value)
        except ValueError as error:
            raise UnknownShape(f"`{name}` is not a time") from error
        if moment.tzinfo is None:
            raise UnknownShape(f"`{name}` names no time zone")
        return moment

    def each(self, name: str) -> "Iterator[_Fields]":
        return (_Fields(item) for item in self._list(name))

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(str(item) for item in self._list(name))

    def integers(self, name: str) -> tuple[int, ...]:
        return tuple(item for item in self._list(name) if isinstance(item, int))

    def summary(self, name: str) -> str:
        """A part's state in one text, whether the daemon says it as a word or as an object of facts."""
        match self.document.get(name):
            case None:
                return "unknown"
            case str(value):
                return value
            case Mapping() as facts:
                return ", ".join(f"{key} {value}" for key, value in facts.items())
            case value:
                return str(value)

    def _list(self, name: str) -> list[object]:
        value = self.document.get(name, [])
        if not isinstance(value, list):
            raise UnknownShape(f"`{name}` is not a list")
        return value
