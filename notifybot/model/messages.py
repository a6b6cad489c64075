"""Tables of messages, deliveries, attachments, the timeline and callers' keys.

The states of a message and its transitions are in model/states.py. Table models do not validate: input is checked
before it becomes a row.
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
    """A message from a caller: an alert, which asks for an acknowledgement, or a notice."""

    __tablename__ = "messages"

    id: str = Field(primary_key=True)
    state: State = Field(sa_column=Column(enum_column(State), nullable=False))
    is_alert: bool
    title: str | None = None
    content: str = Field(sa_type=Text)
    recipients: list[str] = Field(sa_column=Column(JSON, nullable=False))
    """Recipients as the caller wrote them."""
    source: str
    account: str
    """Account of the caller."""
    created_at: datetime
    """Time of acceptance."""
    send_at: datetime | None = None
    """Time for which it is or was scheduled; its deadlines count from here. Null if it was sent at once."""
    release_at: datetime | None = None
    """Time of the release: `send_at`, or later if a release failed. Null while its schedule is paused."""
    schedule_id: str | None = Field(default=None, foreign_key="schedules.id")
    """Schedule of a repeating message, the same for all its occurrences."""
    event: str | None = None
    """Kind of event, from `POST /api/events`; see routes/events.py."""
    policy: str | None = None
    """Name of its policy in the config at acceptance."""
    plan: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """Steps of its policy (alerts.policy.EscalationPlan). Null: one step, to the escalation channel."""
    steps_left: int = 1
    """Escalation steps still to come."""
    escalate_at: datetime | None = None
    """Time of the next escalation step. With no steps left: the time at which the last one was due."""
    close_at: datetime | None = None
    """Time at which the alert expires; null for never."""
    remind_every_s: int | None = None
    remind_at: datetime | None = None
    """Time of the next reminder; null for never."""
    may_expire: bool = False
    """Derived from its deliveries: one was shown, or none is waiting. Written by messages.transitions alone."""
    sent_at: datetime | None = None
    """Time when it was posted in at least one primary chat with no primary delivery waiting."""
    escalated_at: datetime | None = None
    """Time of the last escalation step taken."""
    acknowledged_at: datetime | None = None
    acknowledged_by: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """`{telegram_id, name, username}` or `{account}`."""
    closed_at: datetime | None = None
    resolved_at: datetime | None = None
    """Time at which its source resolved it."""
    look: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """Appearance (rendering.parts.Appearance); null for the default."""
    data: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """Data of the caller, kept unchanged."""
    file_count: int = 0
    dedup_key: str | None = None
    repeats: int = 0
    """Further messages counted under its dedup_key."""
    repeated_at: datetime | None = None
    """Time of the last of them."""
    snoozed_until: datetime | None = None
    """End of the last snooze. Deadlines count from here, or from `unacknowledged_at` if that is later; see
    messages/deadlines.py."""
    is_snoozed_by_clock: bool = False
    """The snooze ends at a time of day; otherwise it is a span."""
    snoozed_by: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """Like `acknowledged_by`."""
    counts_from: datetime | None = None
    """Set where its deadlines count from a time of their own: shown only after its close_at, or a step of the clock has
    skipped its send_at. See messages/deadlines.py."""
    unacknowledged_at: datetime | None = None
    """Time at which an acknowledgement was last taken back."""
    unacknowledged_by: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """Like `acknowledged_by`."""

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
    """A file of a message.

    Its content comes from Telegram if it has a `file_id`, else from our store (`sha256`), else from `url`: Telegram
    fetches that, and if it refuses to (`is_refused`) we do. Only we fetch http URLs.
    """

    __tablename__ = "attachments"

    id: int | None = Field(default=None, primary_key=True)
    message_id: str = Field(foreign_key="messages.id", index=True)
    ordinal: int
    """Position in the caller's order, from 1."""
    kind: MediaKind = Field(sa_column=Column(enum_column(MediaKind), nullable=False))
    name: str
    url: str | None = Field(default=None, sa_type=Text)
    is_refused: bool = False
    """Telegram rejected the `url`, or was never asked."""
    sha256: str | None = None
    """Hash of the content, and its name in our store."""
    size: int | None = Field(default=None, sa_type=BigInteger)
    media_type: str | None = None
    file_id: str | None = None
    """Telegram's name for the file, from an earlier upload."""
    problem: str | None = None
    """Reason why it cannot be shown; a line in the text gives it."""

    __table_args__ = (
        partial_index("attachments_stored", "sha256 IS NOT NULL", "sha256", "id"),
        partial_index("attachments_known", "file_id IS NOT NULL", "sha256", "kind", "name"),
    )


class TimelineEvent(SQLModel, table=True):
    """One event in the history of a message."""

    __tablename__ = "timeline"

    id: int | None = Field(default=None, primary_key=True)
    message_id: str = Field(foreign_key="messages.id", index=True)
    at: datetime
    event: EventKind = Field(sa_column=Column(enum_column(EventKind), nullable=False))
    actor: str
    """`account:alice`, `telegram:42` or `notifybot`."""
    detail: str | None = None


class ClientId(SQLModel, table=True):
    """Idempotency key of a request, chosen by the caller: the same request is not accepted twice."""

    __tablename__ = "client_ids"

    account: str = Field(primary_key=True)
    client_id: str = Field(primary_key=True)
    message_id: str = Field(foreign_key="messages.id", index=True)
    fingerprint: str
    """Hash of the request. The same key with another request is a conflict."""
    expires_at: datetime = Field(index=True)


class DedupKey(SQLModel, table=True):
    """Key that a caller gives to an ongoing problem. While it is bound, repeats are counted on the first message."""

    __tablename__ = "dedup_keys"

    account: str = Field(primary_key=True)
    recipients: str = Field(primary_key=True)
    """All recipients, as one text; see messages.dedup.recipients_key."""
    dedup_key: str = Field(primary_key=True)
    message_id: str = Field(foreign_key="messages.id", index=True)
    bound_until: datetime | None = None
    """End of the binding, once acknowledged; null before that."""
