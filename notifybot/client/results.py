"""The daemon's responses about messages, people and itself, as values. Standard library only.

Each keeps the JSON that it was read from in `document`, with fields that a newer daemon may have added.
"""

from datetime import datetime

from notifybot.client.reader import JsonObject
from notifybot.client.record import key, record, whole


@record()
class DeliveryInfo:
    """One chat's copy of a message. `status`: waiting, shown, failed, withdrawn; `purpose`: primary, escalation."""

    recipient: str
    chat_id: str
    purpose: str
    status: str
    telegram_message_ids: tuple[int, ...]
    attempts: int
    last_error: str | None
    shown_at: datetime | None


@record()
class TimelineEntry:
    """One line of a message's timeline; `actor` is for example `account:alice`, `telegram:42` or `notifybot`."""

    at: datetime
    event: str
    actor: str
    detail: str | None


@record()
class ActorInfo:
    """Someone who acted on a message: a Telegram user, or an account."""

    telegram_id: str | None
    name: str | None
    username: str | None
    account: str | None

    def __str__(self) -> str:
        if self.name and self.username and self.name != self.username:
            return f"{self.name} (@{self.username})"
        return self.name or self.username or self.account or self.telegram_id or "someone"


@record()
class Button:
    """A button under a message that opens `url`, or copies `copy` to the reader's clipboard."""

    text: str
    url: str | None = None
    copy: str | None = None


@record()
class AttachmentInfo:
    """A picture or file of a message. `kind`: photo, document; `size` in bytes; `problem`: why it is not shown.

    `href` is the path to download it from, None if the daemon does not have it (yet).
    """

    name: str
    kind: str
    size: int | None
    media_type: str | None
    url: str | None
    href: str | None
    problem: str | None


@record(kw_only=True)
class Accepted:
    """A message that is on the daemon's disk. `deliveries` is empty unless the call waited and all are decided.

    `is_duplicate`: the daemon already had this `client_id`, and repeats its first response. `send_at`: when a delayed
    message is sent. `next_times`: the first few times of a recurring one. `warnings`: files that cannot be sent; the
    text names them.
    """

    id: str
    status: str
    is_duplicate: bool = key("duplicate", default=False)
    created_at: datetime
    escalate_at: datetime | None
    close_at: datetime | None
    send_at: datetime | None
    schedule_id: str | None
    next_times: tuple[datetime, ...]
    deliveries: tuple[DeliveryInfo, ...]
    warnings: tuple[str, ...]
    document: JsonObject = whole()


@record(kw_only=True)
class MessageInfo:
    """The current state of a message; lists leave `attachments`, `deliveries` and `timeline` empty.

    `type`: text, image, document. `content`: the text, or the URL of a file; the text of files is `caption`.
    `plain_text`: the beginning of a text with markup, without it.
    `repeats`: how many repeats were counted under its `dedup_key`. `send_at`: when a delayed message is sent, else
    None. `schedule_id`: the schedule it belongs to.
    """

    id: str
    status: str
    is_alert: bool = key("acknowledge", default=False)
    type: str = "text"
    title: str | None
    content: str | None
    caption: str | None
    parse_mode: str | None
    plain_text: str | None
    priority: str = "normal"
    is_silent: bool = key("silent", default=False)
    has_link_preview: bool = key("link_preview", default=False)
    thread_id: int | None
    buttons: tuple[Button, ...]
    attachments: tuple[AttachmentInfo, ...]
    data: JsonObject | None
    dedup_key: str | None
    repeats: int = 0
    source: str
    recipients: tuple[str, ...] = key("to")
    event: str | None
    policy: str | None
    steps_left: int = 0
    schedule_id: str | None
    created_at: datetime
    send_at: datetime | None
    escalate_at: datetime | None
    close_at: datetime | None
    remind_at: datetime | None
    repeated_at: datetime | None
    resolved_at: datetime | None
    snoozed_until: datetime | None
    snoozed_by_whom: ActorInfo | None = key("snoozed_by")
    acknowledged_at: datetime | None
    acknowledged_by_whom: ActorInfo | None = key("acknowledged_by")
    closed_at: datetime | None
    deliveries: tuple[DeliveryInfo, ...]
    timeline: tuple[TimelineEntry, ...]
    document: JsonObject = whole()

    @property
    def acknowledged_by(self) -> str | None:
        """The person's name, as people read it: `Anna (@anna)`."""
        return None if self.acknowledged_by_whom is None else str(self.acknowledged_by_whom)

    @property
    def snoozed_by(self) -> str | None:
        return None if self.snoozed_by_whom is None else str(self.snoozed_by_whom)

    @property
    def text(self) -> str:
        """The text that people see, from `caption` or `content`; empty for files alone."""
        return self.caption or (self.content if self.type == "text" else None) or ""

    @property
    def summary(self) -> str:
        """Title and text without markup; the type, for files alone."""
        text = self.plain_text or self.text or f"({self.type})"
        return f"{self.title}: {text}" if self.title else text


@record(kw_only=True)
class MessagePage:
    """Messages, newest first; `next_cursor` continues the list, None at its end."""

    messages: tuple[MessageInfo, ...]
    next_cursor: str | None
    document: JsonObject = whole()


@record()
class Subscriber:
    """Someone who can be sent to."""

    user_id: str
    chat_id: str
    chat_name: str
    created_at: datetime


@record(kw_only=True)
class Health:
    """The daemon's health. `status`: ok, degraded, or down if it cannot accept messages or is stuck."""

    status: str
    telegram: str = "unknown"
    database: str = "unknown"
    jobs: str = "unknown"
    waiting: int = 0
    oldest_waiting_s: float = 0
    warnings: tuple[str, ...]
    document: JsonObject = whole()
