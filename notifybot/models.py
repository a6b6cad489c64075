"""The tables of messages and of what is done about them; people and callers: identities.py, what comes at its time:
timetable.py.

States are documented where their columns stand; who may change them: lifecycle.py and outbox.py.

Table models do not validate: what comes from outside is checked before it becomes a row.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index, Table, Text, text
from sqlalchemy import Enum as EnumType
from sqlmodel import Field, SQLModel

from notifybot.kinds import DeliveryStatus, EventKind, Purpose
from notifybot.lifecycle import State
from notifybot.rendering import MediaKind


def _values(kind: type[StrEnum]) -> list[str]:
    return [member.value for member in kind]


def table_of(model: type[SQLModel]) -> Table:
    """The table behind a model, for statements that are built once and run past the session."""
    return model.metadata.tables[str(model.__tablename__)]


def _enum(kind: type[StrEnum]) -> EnumType:
    return EnumType(kind, native_enum=False, values_callable=_values, length=16, create_constraint=False)


def _partial(name: str, condition: str, *columns: str, is_unique: bool = False) -> Index:
    """An index of those rows alone that meet `condition`, on both databases."""
    only = text(condition)
    return Index(name, *columns, unique=is_unique, sqlite_where=only, postgresql_where=only)


# What the timed jobs look for. The partial indexes below hold exactly these rows, and the queries repeat the
# same text, for SQLite uses a partial index only where it can see that the query implies its condition. They say which
# states are left out: for those that are meant, SQLite would prefer to look through all messages of each.
MAY_ESCALATE = (
    "escalate_at IS NOT NULL AND steps_left > 0 AND state NOT IN ('scheduled', 'acknowledged', 'closed', 'cancelled')"
)
IS_OPEN = "is_alert AND state NOT IN ('scheduled', 'closed', 'cancelled')"
_WAITS = "state NOT IN ('initiated', 'sent', 'escalated', 'acknowledged', 'closed', 'failed', 'cancelled')"
MAY_BE_RELEASED = f"release_at IS NOT NULL AND {_WAITS}"
IS_NEXT = "schedule_id IS NOT NULL AND state = 'scheduled'"
"""It waits to be the next occurrence of its schedule, which has one at most."""
MAY_REMIND = "remind_at IS NOT NULL AND state NOT IN ('scheduled', 'closed', 'cancelled')"
MAY_EXPIRE = "close_at IS NOT NULL AND may_expire AND state NOT IN ('scheduled', 'closed', 'cancelled')"
IS_DUE = "withdrawn_at IS NULL AND failure IS NULL AND shown_version < version"
IS_IN_TROUBLE = f"errors > 0 AND {IS_DUE}"
HAS_WORK = "next_at IS NOT NULL"
IS_NAMED = "substr(chat_id, 1, 1) = '@'"
"""Its chat is known by @name only, so far."""


class Bot(SQLModel, table=True):
    """One row (id 1): what concerns every chat."""

    __tablename__ = "bot"

    id: int = Field(primary_key=True)
    term: int = 0
    """Counts the daemons that have led; claims of older terms are void."""
    batch: int = Field(default=0, sa_type=BigInteger)
    """On PostgreSQL the term's commits are numbered; see leadership.py."""
    held_until: datetime | None = None
    pace: datetime | None = None
    """See pacing.py; the overall limit."""
    floods: int = 0
    """429s in a row, of whatever chats: several mean that Telegram is tired of the whole bot."""
    network_errors: int = 0
    """Failures in a row, whatever the chat; from AWAY_AFTER on Telegram counts as away and is only probed."""
    identity: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """What getMe said last, so that stored presses can be handled while Telegram is away."""
    probe_at: datetime | None = None
    """While Telegram is away: when the next single call may go out."""


class Chat(SQLModel, table=True):
    """A private chat, group or channel, by Telegram's id as digits, or by @name until Telegram told its id."""

    __tablename__ = "chats"

    id: str = Field(primary_key=True)
    kind: str | None = None
    """Telegram's word: private, group, supergroup, channel; null until known."""
    title: str | None = None
    """Its name at Telegram, as far as the bot was told."""
    moved_to: str | None = None
    unreachable: str | None = None
    """Why nothing can be shown here; null when it answered last."""
    held_until: datetime | None = None
    pace: datetime | None = None
    group_pace: datetime | None = None
    quiet_pace: datetime | None = None
    urgency: int | None = None
    """Of its most urgent due post; null when nothing is due."""
    next_at: datetime | None = None
    """When the next call may be worth trying: early is harmless, late would be a delay; null when nothing is due."""
    claimed_post: str | None = None
    claim_term: int | None = None
    claim_until: datetime | None = None

    __table_args__ = (
        _partial("chats_next", HAS_WORK, "urgency", "next_at"),
        _partial("chats_oldest", HAS_WORK, "next_at"),
        _partial("chats_held", "held_until IS NOT NULL", "held_until"),
        _partial("chats_claimed", "claimed_post IS NOT NULL", "claim_term"),
    )


class Message(SQLModel, table=True):
    """What a caller asked notifybot to tell."""

    __tablename__ = "messages"

    id: str = Field(primary_key=True)
    state: State = Field(sa_column=Column(_enum(State), nullable=False))
    is_alert: bool
    title: str | None = None
    content: str = Field(sa_type=Text)
    recipients: list[str] = Field(sa_column=Column(JSON, nullable=False))
    """As the caller named them."""
    source: str
    account: str
    """The caller's."""
    created_at: datetime
    send_at: datetime | None = None
    """When it is to be sent, or was; null: at once. Its deadlines count from here."""
    release_at: datetime | None = None
    """While it is scheduled: when it is released. That is `send_at`, or later where a release failed; null: not as long
    as its schedule is paused."""
    schedule_id: str | None = Field(default=None, foreign_key="schedules.id")
    """Of a message that repeats: all its occurrences have the same."""
    event: str | None = None
    """The kind of event that it tells of; see routes/events.py."""
    policy: str | None = None
    """The name of its policy in the config, when it was accepted."""
    plan: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """The steps of its policy (policies.Plan); null: one step, to the escalation channel."""
    steps_left: int = 1
    """So many steps of escalation are still ahead."""
    escalate_at: datetime | None = None
    """When the next step is taken, or when the last one was due."""
    close_at: datetime | None = None
    remind_every_s: int | None = None
    remind_at: datetime | None = None
    """When people are reminded next that it is still open; null: never."""
    may_expire: bool = False
    """Time may close it: it was shown somewhere, or nothing is left that could still be shown."""
    sent_at: datetime | None = None
    escalated_at: datetime | None = None
    """When its last step so far was taken."""
    acknowledged_at: datetime | None = None
    acknowledged_by: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """`{telegram_id, name, username}` or `{account}`."""
    closed_at: datetime | None = None
    resolved_at: datetime | None = None
    """Its source said that the trouble is over."""
    look: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """How it is to be shown (rendering.Look); null for the usual."""
    data: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """The caller's own, kept as it came."""
    file_count: int = 0
    dedup_key: str | None = None
    repeats: int = 0
    """How often the same was told again under its dedup_key."""
    repeated_at: datetime | None = None
    snoozed_until: datetime | None = None
    """Its deadlines lie their spans behind this, or behind `unacknowledged_at` if that is later; see
    deadlines.py."""
    snoozed_by: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """As `acknowledged_by`."""
    unacknowledged_at: datetime | None = None
    """When an acknowledgement was taken back last."""
    unacknowledged_by: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """As `acknowledged_by`."""

    __table_args__ = (
        _partial("messages_escalate", MAY_ESCALATE, "escalate_at"),
        _partial("messages_close", MAY_EXPIRE, "close_at"),
        _partial("messages_release", MAY_BE_RELEASED, "release_at"),
        _partial("messages_remind", MAY_REMIND, "remind_at"),
        _partial("messages_of_schedules", "schedule_id IS NOT NULL", "schedule_id", "id"),
        _partial("messages_next", IS_NEXT, "schedule_id", is_unique=True),
        _partial("messages_open", IS_OPEN, "id"),
        _partial("messages_sent_later", "send_at IS NOT NULL", "send_at"),
        _partial("messages_answered", "acknowledged_at IS NOT NULL", "acknowledged_at"),
        Index("messages_by_state", "state", "id"),
        Index("messages_by_source", "source", "id"),
        Index("messages_by_account", "account", "id"),
    )


class Post(SQLModel, table=True):
    """What stands in a chat: due when IS_DUE holds and `not_before` has come."""

    __tablename__ = "posts"

    id: str = Field(primary_key=True)
    chat_id: str = Field(foreign_key="chats.id")
    urgency: int
    version: int = 1
    """Counts what should stand there."""
    shown_version: int = 0
    """The newest that does; 0 before the last part of the first was shown."""
    not_before: datetime
    errors: int = 0
    tried_for_s: float = 0.0
    """Time spent backing off; bans and our own downtime do not count."""
    failure: str | None = None
    withdrawn_at: datetime | None = None
    is_silent: bool = False
    is_reminder: bool = False
    """It says once more what another post of this chat says already."""
    superseded_at: datetime | None = None
    """A newer reminder came since: this one loses its buttons, and follows no later change."""
    thread_id: int | None = Field(default=None, sa_type=BigInteger)
    reply: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """What the bot answers somebody, ready to show; null where the post shows deliveries."""
    is_plain: bool = False
    """Telegram did not take its formatting, or a button."""
    parts_shown: int = 0
    shown: list[list[Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    """For each part shown so far, in order: `[digest, message_id, …]`; see formatting.ShownPart."""
    uncertain: int = 0
    """How often Telegram may have accepted a send that we could not record."""

    __table_args__ = (
        _partial("posts_of_names", IS_NAMED, "chat_id"),
        _partial("posts_of_replies", "reply IS NOT NULL", "not_before"),
        _partial("posts_uncertain", "uncertain > 0", "uncertain"),
        _partial("posts_due", IS_DUE, "chat_id", "urgency", "not_before", "id"),
        _partial("posts_in_trouble", IS_IN_TROUBLE, "chat_id"),
    )


class Delivery(SQLModel, table=True):
    """One chat's copy of one message."""

    __tablename__ = "deliveries"

    id: int | None = Field(default=None, primary_key=True)
    message_id: str = Field(foreign_key="messages.id", index=True)
    post_id: str = Field(foreign_key="posts.id", index=True)
    chat_id: str
    recipient: str
    purpose: Purpose = Field(sa_column=Column(_enum(Purpose), nullable=False))
    status: DeliveryStatus = Field(sa_column=Column(_enum(DeliveryStatus), nullable=False))
    attempts: int = 0
    last_error: str | None = None
    shown_at: datetime | None = None

    __table_args__ = (
        _partial("deliveries_waiting", "status = 'waiting'", "message_id", "purpose"),
        _partial("deliveries_of_names", IS_NAMED, "chat_id"),
    )


class Attachment(SQLModel, table=True):
    """A file of a message. Where its content comes from: `file_id` (Telegram has it), else our store (`sha256`), else
    `url`, which Telegram fetches, and where it refused (`is_refused`) we do."""

    __tablename__ = "attachments"

    id: int | None = Field(default=None, primary_key=True)
    message_id: str = Field(foreign_key="messages.id", index=True)
    ordinal: int
    """From 1, in the caller's order."""
    kind: MediaKind = Field(sa_column=Column(_enum(MediaKind), nullable=False))
    name: str
    url: str | None = Field(default=None, sa_type=Text)
    is_refused: bool = False
    sha256: str | None = None
    """Of its content in our store."""
    size: int | None = Field(default=None, sa_type=BigInteger)
    media_type: str | None = None
    file_id: str | None = None
    problem: str | None = None
    """Why it is not shown: its line in the text says so."""

    __table_args__ = (
        _partial("attachments_stored", "sha256 IS NOT NULL", "sha256", "id"),
        _partial("attachments_known", "file_id IS NOT NULL", "sha256", "kind", "name"),
    )


class TimelineEvent(SQLModel, table=True):
    """One line of a message's history."""

    __tablename__ = "timeline"

    id: int | None = Field(default=None, primary_key=True)
    message_id: str = Field(foreign_key="messages.id", index=True)
    at: datetime
    event: EventKind = Field(sa_column=Column(_enum(EventKind), nullable=False))
    actor: str
    """`account:alice`, `telegram:42`, `notifybot`."""
    detail: str | None = None


class ClientId(SQLModel, table=True):
    """A request that must not be accepted twice: the caller's own name for it."""

    __tablename__ = "client_ids"

    account: str = Field(primary_key=True)
    client_id: str = Field(primary_key=True)
    message_id: str = Field(foreign_key="messages.id", index=True)
    fingerprint: str
    """Of what was asked: the same name with another request is a conflict."""
    expires_at: datetime = Field(index=True)


class DedupKey(SQLModel, table=True):
    """A caller's name for a trouble that lasts: while it is bound, whatever comes under it counts on one message."""

    __tablename__ = "dedup_keys"

    account: str = Field(primary_key=True)
    recipients: str = Field(primary_key=True)
    """All of them, as one text."""
    dedup_key: str = Field(primary_key=True)
    message_id: str = Field(foreign_key="messages.id", index=True)
    bound_until: datetime | None = None
    """Null before an answer."""


class Update(SQLModel, table=True):
    """An update from Telegram, stored before it is confirmed, kept so that a redelivery does not run twice."""

    __tablename__ = "inbox"

    update_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    payload: str = Field(sa_type=Text)
    received_at: datetime
    handled_at: datetime | None = None
    attempts: int = 0
    error: str | None = None
    """Of the last attempt; after the third it is parked."""

    __table_args__ = (_partial("inbox_waiting", "handled_at IS NULL", "update_id"),)
