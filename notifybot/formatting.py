"""Messages and answers to people → texts, entities and buttons; callback data both ways."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from notifybot.ids import full, is_id, short
from notifybot.lifecycle import State
from notifybot.rendering import Button, Call, EditText, Entity, Part, SendText
from notifybot.splitting import split, utf16_len

LATE_AFTER = timedelta(minutes=2)
"""A message that stands in a chat later than this after its acceptance says so."""


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
    shown_at: datetime
    """When its delivery was shown, or now."""
    escalated_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    """A name for people."""
    closed_at: datetime | None


@dataclass(frozen=True)
class PostView:
    """One post as it should stand now. Its content is either a ready `reply` or one message (more after a storm)."""

    id: str
    chat_id: str
    version: int
    is_silent: bool
    thread_id: int | None
    telegram_message_ids: tuple[int, ...]
    reply: Part | None
    message: MessageView | None


@dataclass(frozen=True)
class NextCall:
    """One call of a post, and whether the post stands as its version says once the call is accepted."""

    call: Call
    is_last: bool


def next_call(post: PostView) -> NextCall:
    """The call that brings a post forward: its next part, or an edit of its last one."""
    parts = render(post)
    shown = len(post.telegram_message_ids)
    if shown < len(parts):
        call = SendText(post.chat_id, parts[shown], silent=post.is_silent, thread_id=post.thread_id)
        return NextCall(call, is_last=shown + 1 == len(parts))
    return NextCall(EditText(post.chat_id, post.telegram_message_ids[-1], parts[-1]), is_last=True)


def render(post: PostView) -> tuple[Part, ...]:
    """The parts of a post. The last one carries the status line and the buttons."""
    if post.reply is not None:
        return (post.reply,)
    assert post.message is not None
    return _render_message(post, post.message)


def _render_message(post: PostView, message: MessageView) -> tuple[Part, ...]:
    status = _status(message)
    suffix = f"\n\n{status}" if status else ""
    text, entities = _body(message)
    parts = split(text, entities, reserve_last=utf16_len(suffix))
    last = parts[-1]
    emphasis = (Entity("italic", utf16_len(last.text) + 2, utf16_len(status)),) if status else ()
    buttons = ((acknowledge_button(post.id, post.version),),) if is_open(message) else ()
    return (*parts[:-1], Part(last.text + suffix, last.entities + emphasis, buttons))


def _body(message: MessageView) -> tuple[str, tuple[Entity, ...]]:
    head = _headline(message)
    if not head:
        return message.content, ()
    return f"{head}\n{message.content}", (Entity("bold", 0, utf16_len(head)),)


def _headline(message: MessageView) -> str:
    mark = "⏫ Escalated: " if message.is_escalation else ""
    return (mark + (message.title or message.source)) if message.is_alert else (message.title or "")


def is_open(message: MessageView) -> bool:
    """Whether there is something left to acknowledge."""
    return (
        message.is_alert
        and message.acknowledged_at is None
        and message.state in (State.INITIATED, State.SENT, State.ESCALATED, State.FAILED)
    )


def _status(message: MessageView) -> str:
    lines = [_late(message), _escalated(message), _ending(message)]
    return "\n".join(line for line in lines if line)


def _late(message: MessageView) -> str:
    if message.shown_at - message.created_at < LATE_AFTER:
        return ""
    return f"🕓 Late: this is from {clock_time(message.created_at, message.shown_at)}."


def _escalated(message: MessageView) -> str:
    if message.escalated_at is None or message.is_escalation:
        return ""
    return f"⏫ Escalated at {clock_time(message.escalated_at, message.created_at)}."


def _ending(message: MessageView) -> str:
    """Who answered, or that nobody did; empty while the alert is open."""
    if message.acknowledged_at is not None:
        answered = clock_time(message.acknowledged_at, message.created_at)
        return f"✅ Acknowledged by {message.acknowledged_by} at {answered}."
    if message.state is State.CLOSED and message.closed_at is not None:
        return f"⚪ Closed at {clock_time(message.closed_at, message.created_at)}; nobody acknowledged it."
    if message.state is State.CANCELLED:
        return "⚪ Cancelled."
    return ""


def clock_time(moment: datetime, beside: datetime) -> str:
    """`14:02 UTC`, with the date where it is not that of `beside`."""
    utc = moment.astimezone(UTC)
    form = "%H:%M UTC" if utc.date() == beside.astimezone(UTC).date() else "%Y-%m-%d %H:%M UTC"
    return utc.strftime(form)


# Callback data: at most 64 bytes, and unguessable, so that a button that an older database made hits nothing.
ANSWER_POST = "ack"
ANSWER_MESSAGE = "one"
_VERSION = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class PostAnswer:
    """Acknowledge pressed under a post: it means the messages that this version of the post shows."""

    post_id: str
    version: int


@dataclass(frozen=True)
class MessageAnswer:
    """Acknowledge pressed in a list of open alerts: it means this one message."""

    message_id: str


def acknowledge_button(post_id: str, version: int) -> Button:
    return Button("Acknowledge", callback_data=f"{ANSWER_POST}:{short(post_id)}:{version}", style="success")


def open_alert_button(message_id: str, label: str) -> Button:
    return Button(label, callback_data=f"{ANSWER_MESSAGE}:{short(message_id)}")


def read_callback_data(data: str) -> PostAnswer | MessageAnswer | None:
    """What a press means; None for data that none of our buttons carries."""
    match data.split(":"):
        case ["ack", post, version] if is_id(full(post)) and _VERSION.fullmatch(version):
            return PostAnswer(full(post), int(version))
        case ["one", message] if is_id(full(message)):
            return MessageAnswer(full(message))
    return None
