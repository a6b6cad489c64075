"""The tables of messages and of what is done about them; people and callers: model/people.py, what comes at its time:
model/schedules.py.

States are documented where their columns stand; who may change them: model/states.py and posts/posts.py.

Table models do not validate: what comes from outside is checked before it becomes a row.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index, Text
from sqlmodel import Field, SQLModel

from notifybot.model.columns import enum_column, partial_index
from notifybot.model.conditions import IS_NAMED, IS_NEXT, IS_OPEN, MAY_BE_RELEASED, MAY_ESCALATE, MAY_EXPIRE, MAY_REMIND
from notifybot.model.enums import DeliveryStatus, EventKind, MediaKind, Purpose
from notifybot.model.states import State


class Message(SQLModel, table=True):
    """What a caller asked notifybot to tell."""

    __tablename__ = "messages"

    id: str = Field(primary_key=True)
    state: State = Field(sa_column=Column(enum_column(State), nullable=False))
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
    alerts/deadlines.py."""
    snoozed_by: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """As `acknowledged_by`."""
    unacknowledged_at: datetime | None = None
    """When an acknowledgement was taken back last."""
    unacknowledged_by: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """As `acknowledged_by`."""

    __table_args__ = (
        partial_index("messages_escalate", MAY_ESCALATE, "escalate_at"),
        partial_index("messages_close", MAY_EXPIRE, "close_at"),
        partial_index("messages_release", MAY_BE_RELEASED, "release_at"),
        partial_index("messages_remind", MAY_REMIND, "remind_at"),
        partial_index("messages_of_schedules", "schedule_id IS NOT NULL", "schedule_id", "id"),
        partial_index("messages_next", IS_NEXT, "schedule_id", is_unique=True),
        partial_index("messages_open", IS_OPEN, "id"),
        partial_index("messages_sent_later", "send_at IS NOT NULL", "send_at"),
        partial_index("messages_answered", "acknowledged_at IS NOT NULL", "acknowledged_at"),
        Index("messages_by_state", "state", "id"),
        Index("messages_by_source", "source", "id"),
        Index("messages_by_account", "account", "id"),
    )


class Delivery(SQLModel, table=True):
    """One chat's copy of one message."""

    __tablename__ = "deliveries"

    id: int | None = Field(default=None, primary_key=True)
    message_id: str = Field(foreign_key="messages.id", index=True)
    post_id: str = Field(foreign_key="posts.id", index=True)
    chat_id: str
    recipient: str
    purpose: Purpose = Field(sa_column=Column(enum_column(Purpose), nullable=False))
    status: DeliveryStatus = Field(sa_column=Column(enum_column(DeliveryStatus), nullable=False))
    attempts: int = 0
    last_error: str | None = None
    shown_at: datetime | None = None

    __table_args__ = (
        partial_index("deliveries_waiting", "status = 'waiting'", "message_id", "purpose"),
        partial_index("deliveries_of_names", IS_NAMED, "chat_id"),
    )


class Attachment(SQLModel, table=True):
    """A file of a message. Where its content comes from: `file_id` (Telegram has it), else our store (`sha256`), else
    `url`, which Telegram fetches, and where it refused (`is_refused`) we do."""

    __tablename__ = "attachments"

    id: int | None = Field(default=None, primary_key=True)
    message_id: str = Field(foreign_key="messages.id", index=True)
    ordinal: int
    """From 1, in the caller's order."""
    kind: MediaKind = Field(sa_column=Column(enum_column(MediaKind), nullable=False))
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
        partial_index("attachments_stored", "sha256 IS NOT NULL", "sha256", "id"),
        partial_index("attachments_known", "file_id IS NOT NULL", "sha256", "kind", "name"),
    )


class TimelineEvent(SQLModel, table=True):
    """One line of a message's history."""

    __tablename__ = "timeline"

    id: int | None = Field(default=None, primary_key=True)
    message_id: str = Field(foreign_key="messages.id", index=True)
    at: datetime
    event: EventKind = Field(sa_column=Column(enum_column(EventKind), nullable=False))
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
