"""Tables of people and callers: chats, link secrets, API tokens."""

from datetime import datetime

from sqlalchemy import JSON, Column
from sqlmodel import Field, SQLModel


class Person(SQLModel, table=True):
    """Somebody who pressed /start, or whom a caller subscribed."""

    __tablename__ = "people"

    user_id: str = Field(primary_key=True)
    account: str | None = Field(default=None, unique=True)
    """The local or dashboard user whose chat this is, once it is linked."""
    chat_id: str = Field(unique=True, foreign_key="chats.id")
    chat_name: str
    is_renamed: bool = False
    """An admin chose the chat_name: /start leaves it."""
    created_at: datetime
    linked_at: datetime | None = None
    linked_by: str | None = None
    """As in the timeline: `account:alice`, `telegram:42`."""
    is_enabled: bool = True
    """Wants notices and summaries."""
    muted_until: datetime | None = None
    time_zone: str | None = None
    """By its IANA name; null is the summary's in the config."""
    summary_time: str | None = None
    """`HH:MM` there; null is the config's."""
    quiet_from: str | None = None
    quiet_until: str | None = None
    """`HH:MM` in their zone; both or neither. From the later to the earlier one goes over midnight."""


class LinkSecret(SQLModel, table=True):
    """A code that the bot gave to a chat, or the token of a deep link that a caller asked for. Each ties a chat to an
    account, once; only its keyed hash is kept."""

    __tablename__ = "link_secrets"

    digest: str = Field(primary_key=True)
    chat_id: str | None = Field(default=None, index=True)
    """Of a code: whose it is. Of a token: the chat that used it."""
    account: str | None = Field(default=None, index=True)
    """Of a token: for whom. Of a code: who used it."""
    actor: str | None = None
    """Who asked for a token."""
    expires_at: datetime = Field(index=True)
    used_at: datetime | None = None


class LinkGuess(SQLModel, table=True):
    """A code that was wrong: too many in a short time stop whoever guesses."""

    __tablename__ = "link_guesses"

    id: int | None = Field(default=None, primary_key=True)
    account: str = Field(index=True)
    at: datetime = Field(index=True)


class ApiToken(SQLModel, table=True):
    """What a caller on TCP proves who it is with. Only its hash is kept."""

    __tablename__ = "api_tokens"

    id: str = Field(primary_key=True)
    name: str = Field(unique=True)
    account: str
    """As whom it calls."""
    digest: str = Field(unique=True)
    scopes: list[str] = Field(sa_column=Column(JSON, nullable=False))
    """Of send, read, admin."""
    recipients: list[str] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """To whom it may send; null: as `socket.allow` says."""
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
