"""Messages and answers to people → texts, entities and buttons."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from notifybot import markup
from notifybot.buttons import Snooze, acknowledge_button, close_button, snooze_button, unacknowledge_button
from notifybot.layout import Content, Foot, lay_out
from notifybot.lifecycle import State
from notifybot.markup import ParseMode
from notifybot.rendering import (
    USUAL,
    Button,
    Buttons,
    Call,
    Delete,
    Edit,
    Entity,
    Fetch,
    Look,
    Media,
    Part,
    Send,
    Stands,
    Substance,
)
from notifybot.splitting import utf16_len

LATE_AFTER = timedelta(minutes=2)
"""A message that stands in a chat later than this after its acceptance says so."""
STATUS_UNITS = 160
"""What the status of an alert usually needs in its life."""
BUTTONS_A_ROW = 2
LONG = 8192
"""Characters of markup."""


@dataclass(frozen=True)
class Missing:
    """A file that could not be shown: its name or address, and why."""

    name: str
    reason: str


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
    look: Look = USUAL
    media: tuple[Media, ...] = ()
    missing: tuple[Missing, ...] = ()
    to_fetch: tuple[Fetch, ...] = ()
    """Files that must come into our store before they can be shown."""
    written: tuple[Button, ...] = ()
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


@dataclass(frozen=True)
class NextCall:
    """One call of a post: None where nothing differs. It concerns the part at `place`, which then has this digest.

    `is_last`: once the call is accepted the post stands as its version says.
    """

    call: Call | None
    place: int
    digest: str
    is_last: bool


def next_call(post: PostView, *, most_parts: int, snoozes: Sequence[Snooze] = ()) -> NextCall:
    """The call that brings a post forward: what differs first between what stands there and what should. An alert has
    a button for each of `snoozes`."""
    if post.message is not None and post.message.to_fetch:
        return NextCall(post.message.to_fetch[0], len(post.shown), "", is_last=False)
    parts = _placed(render(post, most_parts=most_parts, snoozes=snoozes), post.shown)
    there = [shown.digest for shown in post.shown]
    wanted = [None if part is None else part.digest for part in parts]
    places = [place for place, digest in enumerate(wanted) if [digest] != there[place : place + 1]]
    if not places:
        return NextCall(None, len(parts), "", is_last=True)
    place = places[0]
    return NextCall(_call(post, parts[place], place), place, wanted[place] or "", is_last=len(places) == 1)


def _placed(parts: Iterable[Part], shown: Sequence[ShownPart]) -> tuple[Part | None, ...]:
    """Each part where one of the same substance stands, for no edit makes a text of a file; None: what stands there
    goes. What finds no place comes below: nothing can be put between two posts."""
    left = list(parts)
    placed = tuple(_taken(left, Stands.of(part.digest).substance) for part in shown)
    return (*placed, *left)


def _taken(left: list[Part], substance: Substance | None) -> Part | None:
    for place, part in enumerate(left):
        if substance in (None, part.substance):
            return left.pop(place)
    return None


def _call(post: PostView, part: Part | None, place: int) -> Call:
    if place >= len(post.shown):
        assert part is not None
        return Send(post.chat_id, part, silent=post.is_silent, thread_id=post.thread_id)
    stands = post.shown[place]
    if part is None:
        return Delete(post.chat_id, stands.message_ids)
    return Edit(post.chat_id, stands.message_ids[0], part)


def render(post: PostView, *, most_parts: int, snoozes: Sequence[Snooze] = ()) -> tuple[Part, ...]:
    """The parts of a post. One of them carries the status line and the buttons."""
    if post.reply is not None:
        return (post.reply,)
    assert post.message is not None
    if not post.is_plain:
        return _render_message(post, post.message, most_parts, snoozes)
    plain = replace(post.message, look=replace(post.message.look, buttons=()), written=post.message.look.buttons)
    return tuple(replace(part, entities=()) for part in _render_message(post, plain, most_parts, snoozes))


def _render_message(
    post: PostView, message: MessageView, most_parts: int, snoozes: Sequence[Snooze]
) -> tuple[Part, ...]:
    foot = Foot(_status(message), _buttons(post, message, snoozes), room=STATUS_UNITS if message.is_alert else 0)
    parts = lay_out(_content(message), foot, most_parts=most_parts)
    return tuple(replace(part, link_preview=True) for part in parts) if message.look.link_preview else parts


def _content(message: MessageView) -> Content:
    text, entities = readable(message.content, message.look.parse_mode)
    if head := _headline(message):
        shift = utf16_len(head) + 1
        bold = Entity("bold", 0, utf16_len(head))
        entities = (bold, *(replace(entity, offset=entity.offset + shift) for entity in entities))
        text = f"{head}\n{text}" if text else head
    lines = [f"📎 {missing.name}: {missing.reason}" for missing in message.missing]
    lines += [f"{button.text}: {button.url or button.copy}" for button in message.written]
    text = "\n\n".join(filter(None, (text, "\n".join(lines))))
    return Content(text, entities, message.media, message.look.text_first)


def readable(content: str, parse_mode: str | None) -> tuple[str, tuple[Entity, ...]]:
    """A text with its markup read; what cannot be read is shown as it was written (see `why_plain`)."""
    if parse_mode is None:
        return content, ()
    try:
        formatted = markup.parse(content, ParseMode(parse_mode))
    except markup.Unparseable:
        return content, ()
    return (formatted.text, formatted.entities) if formatted.text else (content, ())


def is_long_markup(content: str, parse_mode: str | None) -> bool:
    """Whether reading it may take longer than anybody else should wait for."""
    return parse_mode is not None and len(content) > LONG


def why_plain(content: str, parse_mode: str | None) -> str | None:
    """Why markup cannot be read; None where it can."""
    if parse_mode is None:
        return None
    try:
        shows_something = bool(markup.parse(content, ParseMode(parse_mode)).text) or not content
    except markup.Unparseable as error:
        return f"{parse_mode}: {error}"
    return None if shows_something else f"{parse_mode}: nothing of it would be shown."


def _headline(message: MessageView) -> str:
    if not message.is_alert:
        return message.title or ""
    return _mark(message) + (message.title or message.source)


def _mark(message: MessageView) -> str:
    """Why an alert stands here where it is not for the first time."""
    if message.is_superseded:
        return "🔔 Reminder: "
    if message.is_reminder and rests(message):
        return f"🔔 Acknowledged by {message.acknowledged_by}, still not closed: "
    if message.is_reminder:
        return "🔔 Still open: " if is_open(message) else "🔔 Reminder: "
    return "⏫ Escalated: " if message.is_escalation else ""


def _buttons(post: PostView, message: MessageView, snoozes: Sequence[Snooze]) -> Buttons:
    """Acknowledge in a row of its own, then for how long one may snooze; where somebody acknowledged it already, what
    can be done then; and the caller's. Of an older reminder the caller's alone."""
    written = _rows(message.look.buttons)
    if message.is_superseded:
        return written
    if rests(message):
        return ((close_button(post.id, post.version), unacknowledge_button(post.id, post.version)), *written)
    if not is_open(message):
        return written
    snoozing = [snooze_button(post.id, post.version, snooze) for snooze in snoozes]
    return ((acknowledge_button(post.id, post.version),), *_rows(snoozing), *written)


def _rows(buttons: Sequence[Button]) -> Buttons:
    return tuple(tuple(buttons[start : start + BUTTONS_A_ROW]) for start in range(0, len(buttons), BUTTONS_A_ROW))


def is_open(message: MessageView) -> bool:
    """Whether there is something left to acknowledge."""
    return (
        message.is_alert
        and message.acknowledged_at is None
        and message.state in (State.INITIATED, State.SENT, State.ESCALATED, State.FAILED)
    )


def rests(message: MessageView) -> bool:
    """Whether somebody acknowledged it, and it still wants to be closed."""
    return message.is_alert and message.state is State.ACKNOWLEDGED


def _status(message: MessageView) -> str:
    lines = [_late(message), _repeated(message), _escalated(message), _snoozed(message), _reopened(message)]
    lines.append(_ending(message))
    return "\n".join(line for line in lines if line)


def _late(message: MessageView) -> str:
    """Since when it is open, where it stands here once more; that it came late, where that was not meant."""
    if message.shown_at - message.created_at < LATE_AFTER:
        return ""
    meant = message.escalated_at if message.is_escalation else message.created_at
    is_in_time = meant is not None and message.shown_at - meant < LATE_AFTER
    how = "Since" if message.is_reminder or is_in_time else "Late: this is from"
    return f"🕓 {how} {clock_time(message.created_at, message.shown_at)}."


def _repeated(message: MessageView) -> str:
    if not message.repeats or message.repeated_at is None:
        return ""
    return f"🔁 {message.repeats + 1} times, last at {clock_time(message.repeated_at, message.created_at)}."


def _escalated(message: MessageView) -> str:
    """Where it was told already, it says when others were told after it."""
    if message.escalated_at is None or (message.is_escalation and message.escalated_at <= message.shown_at):
        return ""
    how = "Escalated further" if message.is_escalation else "Escalated"
    return f"⏫ {how} at {clock_time(message.escalated_at, message.created_at)}."


def _snoozed(message: MessageView) -> str:
    if message.snoozed_until is None or not is_open(message):
        return ""
    return f"💤 Snoozed by {message.snoozed_by} until {clock_time(message.snoozed_until, message.created_at)}."


def _reopened(message: MessageView) -> str:
    if message.unacknowledged_at is None or not is_open(message):
        return ""
    when = clock_time(message.unacknowledged_at, message.created_at)
    return f"↩️ Open again: {message.unacknowledged_by} took the acknowledgement back at {when}."


def _ending(message: MessageView) -> str:
    """Who answered and whether it is over, or that nobody answered; empty while the alert is open."""
    answered = message.acknowledged_at
    closed_at = None if message.closed_at is None else clock_time(message.closed_at, message.created_at)
    lines = []
    if answered is not None:
        lines.append(f"✅ Acknowledged by {message.acknowledged_by} at {clock_time(answered, message.created_at)}.")
    if message.resolved_at is not None:
        lines.append(f"✔️ Resolved at {clock_time(message.resolved_at, message.created_at)}.")
    elif answered is not None and message.closed_at is not None and message.closed_at > answered:
        lines.append(f"⚪ Closed at {closed_at}.")
    if lines:
        return "\n".join(lines)
    if message.state is State.CLOSED and closed_at is not None:
        return f"⚪ Closed at {closed_at}; nobody acknowledged it."
    if message.state is State.CANCELLED:
        return "⚪ Cancelled."
    return ""


def clock_time(moment: datetime, beside: datetime) -> str:
    """`14:02 UTC`, with the date where it is not that of `beside`."""
    utc = moment.astimezone(UTC)
    form = "%H:%M UTC" if utc.date() == beside.astimezone(UTC).date() else "%Y-%m-%d %H:%M UTC"
    return utc.strftime(form)
