"""Tables of chats, of posts in them, and of what Telegram sends."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Text
from sqlmodel import Field, SQLModel

from notifybot.model.columns import partial_index
from notifybot.model.conditions import HAS_WORK, IS_DUE, IS_IN_TROUBLE, IS_NAMED


class Bot(SQLModel, table=True):
    """One row (id 1): what concerns every chat."""

    __tablename__ = "bot"

    id: int = Field(primary_key=True)
    term: int = 0
    """Counts the daemons that have led; claims of older terms are void."""
    batch: int = Field(default=0, sa_type=BigInteger)
    """On PostgreSQL the term's commits are numbered; see storage/leadership.py."""
    held_until: datetime | None = None
    pace: datetime | None = None
    """See delivery/rate_limits.py; the overall limit."""
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
        partial_index("chats_next", HAS_WORK, "urgency", "next_at"),
        partial_index("chats_oldest", HAS_WORK, "next_at"),
        partial_index("chats_held", "held_until IS NOT NULL", "held_until"),
        partial_index("chats_claimed", "claimed_post IS NOT NULL", "claim_term"),
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
        partial_index("posts_of_names", IS_NAMED, "chat_id"),
        partial_index("posts_of_replies", "reply IS NOT NULL", "not_before"),
        partial_index("posts_uncertain", "uncertain > 0", "uncertain"),
        partial_index("posts_due", IS_DUE, "chat_id", "urgency", "not_before", "id"),
        partial_index("posts_in_trouble", IS_IN_TROUBLE, "chat_id"),
    )


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

    __table_args__ = (partial_index("inbox_waiting", "handled_at IS NULL", "update_id"),)
