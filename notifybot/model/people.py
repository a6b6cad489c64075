"""Tables of people, link secrets and API tokens."""

from datetime import datetime

from sqlalchemy import JSON, Column
from sqlmodel import Field, SQLModel


class Person(SQLModel, table=True):
    """Someone who pressed /start, or was subscribed by a caller."""

    __tablename__ = "people"

    user_id: str = Field(primary_key=True)
    account: str | None = Field(default=None, unique=True)
    """Local or dashboard user that the chat is linked to."""
    chat_id: str = Field(unique=True, foreign_key="chats.id")
    chat_name: str
    is_renamed: bool = False
    """An admin chose the chat_name, so /start keeps it."""
    created_at: datetime
    linked_at: datetime | None = None
    linked_by: str | None = None
    """Actor, as in the timeline: `account:alice`, `telegram:42`."""
    is_enabled: bool = True
    """Gets notices and summaries."""
    muted_until: datetime | None = None
    time_zone: str | None = Field(default=None, index=True)
    """IANA name; null for the one in the config."""
    summary_time: str | None = None
    """`HH:MM` in their time zone; null for the one in the config."""
    quiet_from: str | None = None
    quiet_until: str | None = None
    """`HH:MM` in their time zone, both or neither. Quiet hours may cross midnight."""


class LinkSecret(SQLModel, table=True):
    """A link code that the bot gave to a chat, or the link token of a deep link that a caller asked for.

    Each links one chat to one account, once. Only a keyed hash is stored.
    """

    __tablename__ = "link_secrets"

    digest: str = Field(primary_key=True)
    chat_id: str | None = Field(default=None, index=True)
    """Chat that got the code, or that used the token."""
    account: str | None = Field(default=None, index=True)
    """Account that the token is for, or that used the code."""
    actor: str | None = None
    """Actor who asked for the token."""
    expires_at: datetime = Field(index=True)
    used_at: datetime | None = None


class LinkGuess(SQLModel, table=True):
    """A wrong link code. Too many within a short time block the account."""

    __tablename__ = "link_guesses"

    id: int | None = Field(default=None, primary_key=True)
    account: str = Field(index=True)
    at: datetime = Field(index=True)


class ApiToken(SQLModel, table=True):
    """Bearer token of a caller on TCP. Only its hash is stored."""

    __tablename__ = "api_tokens"

    id: str = Field(primary_key=True)
    name: str = Field(unique=True)
    account: str
    """Account that the token acts for."""
    digest: str = Field(unique=True)
    scopes: list[str] = Field(sa_column=Column(JSON, nullable=False))
    """Any of `send`, `read`, `admin`."""
    recipients: list[str] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """Recipients it may send to; null for those of `socket.allow`."""
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
