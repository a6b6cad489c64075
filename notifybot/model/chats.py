"""Tables of chats, posts, turns, updates from Telegram, and the bot itself."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index, Text
from sqlmodel import Field, SQLModel

from notifybot.model.columns import partial_index
from notifybot.model.conditions import IS_DUE, IS_IN_TROUBLE, IS_NAMED


class Bot(SQLModel, table=True):
    """State of the whole bot, in a single row with id 1."""

    __tablename__ = "bot"

    id: int = Field(primary_key=True)
    term: int = 0
    """Number of the current leader: each daemon that starts to lead adds one. Claims of older terms are void."""
    batch: int = Field(default=0, sa_type=BigInteger)
    """Number of the term's last commit, on PostgreSQL; see storage/leadership.py."""
    held_until: datetime | None = None
    """End of the bot-wide flood wait; null if there was none."""
    pace: datetime | None = None
    """State of the overall rate limit; see delivery/rate_limits.py."""
    floods: int = 0
    """Consecutive 429s over all chats. Several in a row mean that Telegram limits the whole bot."""
    network_errors: int = 0
    """Consecutive network failures over all chats. From AWAY_AFTER on, Telegram counts as away and is only probed."""
    identity: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """Last result of getMe, so that stored presses can be handled while Telegram is away."""
    former_identity: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """Identity of the bot that used this database before; null if there was none."""
    replaced_at: datetime | None = None
    """Time when the current bot replaced it."""
    probe_at: datetime | None = None
    """While Telegram is away: time of the next single call."""
    reported_zones: list[str] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """Time zones unknown on this system that people and admins were told of."""
    reported_names: list[str] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """Recipients that no longer exist and that admins were told of."""


class Chat(SQLModel, table=True):
    """A private chat, group or channel. The id is Telegram's, or the @name until Telegram reports the id."""

    __tablename__ = "chats"

    id: str = Field(primary_key=True)
    kind: str | None = None
    """`private`, `group`, `supergroup` or `channel`; null until known."""
    title: str | None = None
    """Name of the chat in Telegram, if the bot has seen it."""
    moved_to: str | None = None
    """Id of the chat that replaces this one: a group became a supergroup, or the id of an @name is known."""
    unreachable: str | None = None
    """Reason why nothing can be sent here; null if the last call succeeded."""
    held_until: datetime | None = None
    """End of the chat's flood wait; null if there was none."""
    pace: datetime | None = None
    """State of the chat's rate limit per second; see delivery/rate_limits.py."""
    group_pace: datetime | None = None
    """State of the limit per minute, for groups."""
    quiet_pace: datetime | None = None
    """State of the part of that limit that notices may use."""
    is_new: bool = True
    """It never took a message and never wrote, and the config does not name it: it may not exist."""
    last_caller: str = ""
    """Caller of the last call."""
    claimed_post: str | None = None
    """Post with a call in flight; null if there is none."""
    claim_term: int | None = None
    """Term of the daemon that claimed it."""
    claim_until: datetime | None = None
    """End of the claim's lease."""

    __table_args__ = (
        partial_index("chats_held", "held_until IS NOT NULL", "held_until"),
        partial_index("chats_claimed", "claimed_post IS NOT NULL", "claim_term"),
    )


class Turn(SQLModel, table=True):
    """What one caller has due in one chat, at one urgency. The row is deleted once nothing is due."""

    __tablename__ = "turns"

    chat_id: str = Field(primary_key=True)
    urgency: int = Field(primary_key=True)
    caller: str = Field(primary_key=True)
    is_new: bool
    """As in the chat's row."""
    next_at: datetime
    """Time of the next call worth trying. Too early is harmless, too late delays a post."""
    since: datetime
    """Time from which the first of its posts is due."""

    __table_args__ = (
        Index("turns_next", "urgency", "is_new", "caller", "next_at"),
        Index("turns_by_time", "next_at"),
    )


class Post(SQLModel, table=True):
    """A Telegram message, or its parts, in one chat. Due once IS_DUE holds and `not_before` has come."""

    __tablename__ = "posts"

    id: str = Field(primary_key=True)
    chat_id: str = Field(foreign_key="chats.id")
    urgency: int
    caller: str = ""
    """Account of its message's caller; empty for replies of the bot."""
    version: int = 1
    """Version that the chat should show; each change adds one."""
    shown_version: int = 0
    """Newest version shown in full; 0 until every part of the first one is shown."""
    not_before: datetime
    """Time of the next attempt."""
    errors: int = 0
    """Consecutive failed attempts."""
    tried_for_s: float = 0.0
    """Time spent backing off; flood waits and our own downtime do not count."""
    failure: str | None = None
    """Reason for giving up; null unless given up."""
    withdrawn_at: datetime | None = None
    """Set when the post is not needed any more."""
    is_silent: bool = False
    is_reminder: bool = False
    """Repeats another post of this chat."""
    superseded_at: datetime | None = None
    """Set when a newer reminder replaces it: it loses its buttons and is not edited any more."""
    thread_id: int | None = Field(default=None, sa_type=BigInteger)
    reply: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """A reply of the bot, ready to show (rendering.parts.Part); null if the post shows deliveries."""
    as_text: int = 0
    """What Telegram refused, and the text has instead; see enums.AsText."""
    reposted_version: int = 0
    """Version whose edit was refused, so that it was posted again, which happens once; 0 for none."""
    files_follow: bool = False
    """An upload failed or was refused: the text goes first, and each file follows it alone."""
    parts_shown: int = 0
    """Parts of the newest version shown so far."""
    shown: list[list[Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    """Parts in the chat, in order, each `[digest, message_id, …]`; see rendering.views.ShownPart."""
    uncertain: int = 0
    """Sends that Telegram may have accepted without our record."""

    __table_args__ = (
        partial_index("posts_of_names", IS_NAMED, "chat_id"),
        partial_index("posts_of_replies", "reply IS NOT NULL", "not_before"),
        partial_index("posts_uncertain", "uncertain > 0", "uncertain"),
        partial_index("posts_due", IS_DUE, "chat_id", "urgency", "caller", "not_before", "id"),
        partial_index("posts_in_trouble", IS_IN_TROUBLE, "chat_id"),
    )


class ChatTrouble(SQLModel, table=True):
    """A chat with a long flood wait, or a topic that takes no posts. Deleted once the topic takes one again."""

    __tablename__ = "chat_troubles"

    id: str = Field(primary_key=True)
    """The chat's id, with `:<topic>` for a topic."""
    chat_id: str
    thread_id: int | None = Field(default=None, sa_type=BigInteger)
    """Number of the topic, 0 for posts outside of topics; null if the whole chat has a flood wait."""
    reason: str
    since: datetime
    until: datetime
    """End of the flood wait, or time when a message tries the topic again."""
    tell_at: datetime | None = None
    """Time to notify the admins; null once that is done."""

    __table_args__ = (
        partial_index("chat_troubles_untold", "tell_at IS NOT NULL", "tell_at"),
        Index("chat_troubles_of", "chat_id"),
    )


class Update(SQLModel, table=True):
    """An update from Telegram. Stored before it is confirmed, and kept so that a redelivery is not handled twice."""

    __tablename__ = "inbox"

    update_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    payload: str = Field(sa_type=Text)
    received_at: datetime
    handled_at: datetime | None = None
    attempts: int = 0
    error: str | None = None
    """Error of the last attempt. After the third the update is parked."""

    __table_args__ = (partial_index("inbox_waiting", "handled_at IS NULL", "update_id"),)
