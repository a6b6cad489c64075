"""Render a post and work out the next call that brings its chat up to date."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from notifybot.rendering import markup
from notifybot.rendering.buttons import (
    Snooze,
    acknowledge_button,
    button_rows,
    close_button,
    snooze_button,
    unacknowledge_button,
)
from notifybot.rendering.layout import Content, Footer, lay_out
from notifybot.rendering.markup import ParseMode
from notifybot.rendering.parts import (
    Buttons,
    Call,
    Delete,
    Edit,
    Entity,
    Part,
    PartDigest,
    Send,
    Substance,
)
from notifybot.rendering.split import utf16_len
from notifybot.rendering.status_lines import status_lines
from notifybot.rendering.views import MessageView, PostView, ShownPart, is_acknowledged, is_open

STATUS_UNITS = 160
"""What the status of an alert usually needs in its life."""
LONG_MARKUP = 8192
"""Characters of markup."""


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
    placed = tuple(_taken(left, PartDigest.of(part.digest).substance) for part in shown)
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
    foot = Footer(status_lines(message), _buttons(post, message, snoozes), room=STATUS_UNITS if message.is_alert else 0)
    parts = lay_out(_content(message), foot, most_parts=most_parts)
    return tuple(replace(part, link_preview=True) for part in parts) if message.look.link_preview else parts


def _content(message: MessageView) -> Content:
    text, entities = read_markup(message.content, message.look.parse_mode)
    if head := _headline(message):
        shift = utf16_len(head) + 1
        bold = Entity("bold", 0, utf16_len(head))
        entities = (bold, *(replace(entity, offset=entity.offset + shift) for entity in entities))
        text = f"{head}\n{text}" if text else head
    lines = [f"📎 {missing.name}: {missing.reason}" for missing in message.missing]
    lines += [f"{button.text}: {button.url or button.copy}" for button in message.written]
    text = "\n\n".join(filter(None, (text, "\n".join(lines))))
    return Content(text, entities, message.media, message.look.text_first)


def read_markup(content: str, parse_mode: str | None) -> tuple[str, tuple[Entity, ...]]:
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
    return parse_mode is not None and len(content) > LONG_MARKUP


def markup_problem(content: str, parse_mode: str | None) -> str | None:
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
    if message.is_reminder and is_acknowledged(message):
        return f"🔔 Acknowledged by {message.acknowledged_by}, still not closed: "
    if message.is_reminder:
        return "🔔 Still open: " if is_open(message) else "🔔 Reminder: "
    return "⏫ Escalated: " if message.is_escalation else ""


def _buttons(post: PostView, message: MessageView, snoozes: Sequence[Snooze]) -> Buttons:
    """Acknowledge in a row of its own, then for how long one may snooze; where somebody acknowledged it already, what
    can be done then; and the caller's. Of an older reminder the caller's alone."""
    written = button_rows(message.look.buttons)
    if message.is_superseded:
        return written
    if is_acknowledged(message):
        return ((close_button(post.id, post.version), unacknowledge_button(post.id, post.version)), *written)
    if not is_open(message):
        return written
    snoozing = [snooze_button(post.id, post.version, snooze) for snooze in snoozes]
    return ((acknowledge_button(post.id, post.version),), *button_rows(snoozing), *written)
