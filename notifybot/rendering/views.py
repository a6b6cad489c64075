"""Messages and posts as the renderer sees them."""

from dataclasses import dataclass
from datetime import datetime

from notifybot.model.states import State, can_acknowledge
from notifybot.rendering.parts import DEFAULT_APPEARANCE, Appearance, Fetch, Media, MissingFile, Part, PostButton


@dataclass(frozen=True)
class MessageView:
    """What a post shows of one message."""

    id: str
    state: State
    is_alert: bool
    is_escalation: bool
    title: str | None
    content: str
    source: str
    created_at: datetime
    """When it was accepted, or was meant to be sent."""
    shown_at: datetime
    """When its delivery was shown, or now."""
    escalated_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    """A name for people."""
    closed_at: datetime | None
    resolved_at: datetime | None = None
    look: Appearance = DEFAULT_APPEARANCE
    media: tuple[Media, ...] = ()
    missing: tuple[MissingFile, ...] = ()
    to_fetch: tuple[Fetch, ...] = ()
    """Files that must come into our store before they can be shown."""
    written: tuple[PostButton, ...] = ()
    """The caller's buttons where they stand in the text."""
    repeats: int = 0
    """How often the same was told again under its dedup_key."""
    repeated_at: datetime | None = None
    snoozed_until: datetime | None = None
    snoozed_by: str | None = None
    """A name for people."""
    unacknowledged_at: datetime | None = None
    """When an acknowledgement was taken back last."""
    unacknowledged_by: str | None = None
    """A name for people."""
    is_reminder: bool = False
    """The post says once more what another of this chat says already."""
    is_superseded: bool = False
    """And a newer one says it again."""


@dataclass(frozen=True)
class ShownPart:
    """What stands in the chat of one part: its messages there, and the digest of what they show (rendering.Part)."""

    message_ids: tuple[int, ...]
    digest: str


@dataclass(frozen=True)
class PostView:
    """One post as it should stand now. Its content is either a ready `reply` or one message (more after a storm)."""

    id: str
    chat_id: str
    version: int
    is_silent: bool
    thread_id: int | None
    shown: tuple[ShownPart, ...]
    reply: Part | None
    message: MessageView | None
    is_plain: bool = False
    """Telegram did not take its formatting, or a button: all that is text now."""


def is_open(message: MessageView) -> bool:
    """Return True if the message still waits for an acknowledgement."""
    is_acknowledged = message.acknowledged_at is not None
    return can_acknowledge(message.state, is_alert=message.is_alert, is_acknowledged=is_acknowledged)


def is_acknowledged(message: MessageView) -> bool:
    """Whether somebody acknowledged it, and it still wants to be closed."""
    return message.is_alert and message.state is State.ACKNOWLEDGED
