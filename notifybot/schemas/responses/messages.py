"""Messages in the API: acceptance, fields and state, deliveries, attachments and timeline."""

from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import Field

from notifybot.messages.new_message import Acceptance, NewMessage
from notifybot.messages.queries import DeliveryDetails, MessageDetails
from notifybot.model.enums import DeliveryStatus, EventKind, MediaKind, Priority, Purpose
from notifybot.model.messages import Attachment, Message
from notifybot.model.states import State
from notifybot.rendering.parts import Appearance
from notifybot.rendering.plain import plain_text
from notifybot.web.documents import OPTIONAL, Timestamp, build, named

MessageType = Literal["text", "image", "document"]
Actor = dict[str, Any]
"""`{telegram_id, name, username}` or `{account}`."""


@dataclass(slots=True, kw_only=True)
class DeliveryDocument:
    """One chat's copy of a message."""

    recipient: str
    chat_id: str
    purpose: Purpose
    is_reminder: bool
    status: DeliveryStatus
    telegram_message_ids: tuple[int, ...]
    attempts: int
    last_error: str | None
    shown_at: Timestamp | None


@dataclass(slots=True, kw_only=True)
class AcceptedDocument:
    """An accepted message. `send_at` only if it is scheduled, `schedule_id` and `next_times` only if it repeats,
    `deliveries` only after ?wait. `warnings`: files that cannot be sent; the text names them."""

    id: str
    status: State
    is_duplicate: Annotated[bool, named("duplicate")]
    created_at: Timestamp
    escalate_at: Timestamp | None
    close_at: Timestamp | None
    send_at: Annotated[Timestamp | None, OPTIONAL] = None
    schedule_id: Annotated[str | None, OPTIONAL] = None
    next_times: Annotated[tuple[Timestamp, ...] | None, OPTIONAL] = None
    deliveries: Annotated[list[DeliveryDocument] | None, OPTIONAL] = None
    warnings: Annotated[list[str] | None, OPTIONAL] = None


@dataclass(slots=True, kw_only=True)
class ButtonDocument:
    """A button that opens `url`, or copies `copy`."""

    text: str
    url: Annotated[str | None, OPTIONAL] = None
    copy: Annotated[str | None, OPTIONAL] = None


@dataclass(slots=True, kw_only=True)
class MessageDocument:
    """A message, its deadlines and its state."""

    id: str
    state: Annotated[State, named("status")]
    type: MessageType
    is_alert: Annotated[bool, named("acknowledge")]
    title: str | None
    content: Annotated[str | None, Field(description="The text; of a file, the URL it was fetched from.")]
    caption: str | None
    parse_mode: str | None
    plain_text: Annotated[
        str | None, Field(description="The beginning of a text with parse_mode, without its markup; else null.")
    ]
    priority: Priority
    silent: bool
    thread_id: int | None
    link_preview: bool
    buttons: list[ButtonDocument]
    data: dict[str, Any] | None
    dedup_key: str | None
    repeats: Annotated[int, Field(description="How many duplicates were counted under dedup_key.")]
    repeated_at: Timestamp | None
    recipients: Annotated[list[str], named("to")]
    source: str
    account: str
    schedule_id: str | None
    event: str | None
    policy: str | None
    steps_left: Annotated[int, Field(description="Escalation steps that are still ahead.")]
    created_at: Timestamp
    send_at: Timestamp | None
    escalate_at: Timestamp | None
    close_at: Timestamp | None
    remind_at: Timestamp | None
    sent_at: Timestamp | None
    escalated_at: Timestamp | None
    snoozed_until: Timestamp | None
    snoozed_by: Actor | None
    acknowledged_at: Timestamp | None
    acknowledged_by: Actor | None
    unacknowledged_at: Timestamp | None
    unacknowledged_by: Actor | None
    closed_at: Timestamp | None
    resolved_at: Timestamp | None


@dataclass(slots=True, kw_only=True)
class AttachmentDocument:
    """A file of a message. `href` is its path on this server, once it is stored; `problem` is why it is not shown."""

    name: str
    kind: MediaKind
    size: int | None
    media_type: str | None
    url: str | None
    href: str | None
    problem: str | None


@dataclass(slots=True, kw_only=True)
class EventDocument:
    """One line of a message's timeline."""

    at: Timestamp
    event: EventKind
    actor: Annotated[str, Field(examples=["account:alice", "telegram:42", "notifybot"])]
    detail: str | None


@dataclass(slots=True, kw_only=True)
class MessageDetailDocument(MessageDocument):
    """A message with its attachments, deliveries and timeline."""

    attachments: list[AttachmentDocument]
    deliveries: list[DeliveryDocument]
    timeline: list[EventDocument]


@dataclass(slots=True, kw_only=True)
class MessagesDocument:
    """A page of messages, newest first. `next_cursor` is null on the last page."""

    messages: list[MessageDocument]
    next_cursor: str | None


def accepted(found: Acceptance, new: NewMessage) -> AcceptedDocument:
    document = AcceptedDocument(
        id=found.id,
        status=found.status,
        is_duplicate=found.is_duplicate,
        created_at=found.created_at,
        escalate_at=found.escalate_at,
        close_at=found.close_at,
    )
    if found.send_at is not None:
        document.send_at = found.send_at
        if found.schedule_id is not None:
            document.schedule_id, document.next_times = found.schedule_id, found.next_times
    document.warnings = [f"{file.name}: {file.refusal.detail}" for file in new.files if file.refusal] or None
    return document


def message(found: Message) -> MessageDocument:
    return build(MessageDocument, found, **_content(found))


def message_detail(found: MessageDetails) -> MessageDetailDocument:
    fields = _content(found.message)
    if fields["type"] != "text":
        fields["content"] = next((file.url for file in found.files if file.url), None)
    return build(
        MessageDetailDocument,
        found.message,
        **fields,
        attachments=[attachment(file) for file in found.files],
        deliveries=[delivery(copy) for copy in found.deliveries],
        timeline=[build(EventDocument, line) for line in found.timeline],
    )


def redacted(document: MessageDetailDocument) -> MessageDetailDocument:
    """Remove what the message says and who got it; its id, state and deadlines remain."""
    return replace(
        document,
        title=None,
        content=None,
        caption=None,
        plain_text=None,
        data=None,
        buttons=[],
        recipients=[],
        dedup_key=None,
        snoozed_by=None,
        acknowledged_by=None,
        unacknowledged_by=None,
        attachments=[],
        deliveries=[],
        timeline=[],
    )


def _content(found: Message) -> dict[str, Any]:
    """The fields of a message that are no columns: its content, and how it is shown."""
    look = Appearance.of(found.look)
    is_text = look.type == "text"
    return {
        **{name: getattr(look, name) for name in ("type", "parse_mode", "silent", "thread_id", "link_preview")},
        "priority": Priority(look.priority),
        "buttons": [ButtonDocument(text=each.text, url=each.url, copy=each.copy) for each in look.buttons],
        "content": found.content if is_text else None,
        "caption": None if is_text else found.content or None,
        "plain_text": plain_text(found.content, look.parse_mode) if found.content and look.parse_mode else None,
    }


def delivery(copy: DeliveryDetails) -> DeliveryDocument:
    return build(DeliveryDocument, copy.delivery, copy)


def attachment(file: Attachment) -> AttachmentDocument:
    return build(AttachmentDocument, file, href=None if file.sha256 is None else path_of(file))


def path_of(file: Attachment) -> str:
    return f"/files/{file.message_id}_{file.ordinal}_{quote(file.name, safe='')}"
