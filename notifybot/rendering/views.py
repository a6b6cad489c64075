"""Messages and posts as the renderer sees them."""

from dataclasses import dataclass
from datetime import datetime

from notifybot.model.enums import AsText
from notifybot.model.states import State, can_acknowledge
from notifybot.rendering.parts import DEFAULT_APPEARANCE, Appearance, Fetch, Media, MissingFile, Part


@dataclass(frozen=True)
class MessageView:
    """The content of one message in a post."""

    id: str
    state: State
    is_alert: bool
    is_escalation: bool
    title: str | None
    content: str
    source: str
    account: str
    """The caller's; a `source` that only repeats it says nothing."""
    created_at: datetime
    """Acceptance, or the scheduled time."""
    shown_at: datetime
    """First shown in this chat, or now."""
    escalated_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    """Display name."""
    closed_at: datetime | None
    resolved_at: datetime | None = None
    host: str | None = None
    look: Appearance = DEFAULT_APPEARANCE
    media: tuple[Media, ...] = ()
    missing: tuple[MissingFile, ...] = ()
    to_fetch: tuple[Fetch, ...] = ()
    """Files to download before they can be shown."""
    repeats: int = 0
    """Further messages with the same dedup_key."""
    repeated_at: datetime | None = None
    snoozed_until: datetime | None = None
    snoozed_by: str | None = None
    """Display name."""
    unacknowledged_at: datetime | None = None
    """Last time an acknowledgement was taken back."""
    unacknowledged_by: str | None = None
    """Display name."""
    is_reminder: bool = False
    """The post repeats an earlier one in this chat."""
    is_superseded: bool = False
    """A newer reminder replaces this one."""
    may_escalate: bool = False
    """An alert with an escalation step left."""


@dataclass(frozen=True)
class ShownPart:
    """A part in the chat: its message ids there, and the digest of what they show (see `Part.digest`)."""

    message_ids: tuple[int, ...]
    digest: str


@dataclass(frozen=True)
class PostView:
    """A post's current target state. Its content is a ready `reply` or one message (several after a storm)."""

    id: str
    chat_id: str
    version: int
    is_silent: bool
    thread_id: int | None
    shown: tuple[ShownPart, ...]
    reply: Part | None
    message: MessageView | None
    as_text: AsText = AsText.NOTHING
    """What Telegram refused, and the text has instead."""
    files_follow: bool = False
    """An upload failed or was refused: the text goes first, and each file follows it alone."""


def is_open(message: MessageView) -> bool:
    """Return True if the message still waits for an acknowledgement."""
    is_acknowledged = message.acknowledged_at is not None
    return can_acknowledge(message.state, is_alert=message.is_alert, is_acknowledged=is_acknowledged)


def is_acknowledged(message: MessageView) -> bool:
    """Return True if the alert is acknowledged but not closed."""
    return message.is_alert and message.state is State.ACKNOWLEDGED
