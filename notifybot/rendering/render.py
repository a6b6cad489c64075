"""Render a post and find the next call that brings its chat up to date."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

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
"""Room that the status lines of an alert usually need over its life."""
LONG_MARKUP = 8192
"""In characters; see `is_long_markup`."""


class TextTurn(Enum):
    """When the text of a post and its buttons are shown, seen from one call."""

    NONE = "none"
    """It has none."""
    BEFORE = "before"
    """The chat has all of it; the call is for a file."""
    NOW = "now"
    """This call completes it."""
    LATER = "later"


@dataclass(frozen=True)
class NextCall:
    """The next call of a post, None if it is up to date; afterwards the part at `place` has this digest.

    `is_last` means that the call completes the post's version.
    """

    call: Call | None
    place: int
    digest: str
    is_last: bool
    text: TextTurn = TextTurn.NONE


def next_call(post: PostView, *, max_parts: int, snoozes: Sequence[Snooze] = ()) -> NextCall:
    """Return the call for the first difference between the chat and the post. `snoozes` become an alert's buttons."""
    to_fetch = () if post.message is None else post.message.to_fetch
    parts = _placed(render(post, max_parts=max_parts, snoozes=snoozes), post.shown)
    there = [shown.digest for shown in post.shown]
    wanted = [None if part is None else part.digest for part in parts]
    places = [place for place, digest in enumerate(wanted) if [digest] != there[place : place + 1]]
    has_text = not all(part is None or part.is_file_alone for part in parts)
    waits = [has_text and _is_text(parts[place]) for place in places]
    if to_fetch and not (places and post.files_follow):
        return NextCall(to_fetch[0], len(post.shown), "", False, _text_turn(has_text, [False, *waits]))
    if not places:
        return NextCall(None, len(parts), "", is_last=True)
    place, is_last = places[0], len(places) == 1 and not to_fetch
    call = _call(post, parts[place], place, text_waits=any(waits), follows=has_text and post.files_follow)
    return NextCall(call, place, wanted[place] or "", is_last, _text_turn(has_text, waits))


def _text_turn(has_text: bool, waits: Sequence[bool]) -> TextTurn:
    """Tell when the text comes, from the calls to make: True for those that show text."""
    if not has_text:
        return TextTurn.NONE
    if any(waits[1:]):
        return TextTurn.LATER
    return TextTurn.NOW if waits[0] else TextTurn.BEFORE


def _is_text(part: Part | None) -> bool:
    return part is not None and not part.is_file_alone


def _placed(parts: Iterable[Part], shown: Sequence[ShownPart]) -> tuple[Part | None, ...]:
    """Assign parts to the messages shown: an edit cannot turn a file into text, so kinds must match.

    None deletes the message shown there. Parts left over go to the end, because Telegram cannot insert messages.
    """
    left = list(parts)
    placed = tuple(_taken(left, PartDigest.parse(part.digest).substance) for part in shown)
    return (*placed, *left)


def _taken(left: list[Part], substance: Substance | None) -> Part | None:
    for place, part in enumerate(left):
        if substance in (None, part.substance):
            return left.pop(place)
    return None


def _call(post: PostView, part: Part | None, place: int, *, text_waits: bool, follows: bool) -> Call:
    """Return the call for one part. A file that `follows` its text makes no sound: the text did."""
    if place >= len(post.shown):
        assert part is not None
        silent = post.is_silent or (follows and part.is_file_alone)
        return Send(post.chat_id, part, silent, post.thread_id, text_waits=text_waits and bool(part.media))
    shown = post.shown[place]
    if part is None:
        return Delete(post.chat_id, shown.message_ids)
    return Edit(post.chat_id, shown.message_ids[0], part)


def render(post: PostView, *, max_parts: int, snoozes: Sequence[Snooze] = ()) -> tuple[Part, ...]:
    """Return the parts of a post. One of them has the status lines and the buttons."""
    if post.reply is not None:
        return (post.reply,)
    assert post.message is not None
    if not post.is_plain:
        return _render_message(post, post.message, max_parts, snoozes)
    look = post.message.look
    plain = replace(post.message, look=replace(look, buttons=()), buttons_in_text=look.buttons)
    return tuple(replace(part, entities=()) for part in _render_message(post, plain, max_parts, snoozes))


def _render_message(
    post: PostView, message: MessageView, max_parts: int, snoozes: Sequence[Snooze]
) -> tuple[Part, ...]:
    foot = Footer(status_lines(message), _buttons(post, message, snoozes), room=STATUS_UNITS if message.is_alert else 0)
    parts = lay_out(_with_layout(_content(message), post), foot, max_parts=max_parts)
    return tuple(replace(part, link_preview=True) for part in parts) if message.look.link_preview else parts


def _with_layout(content: Content, post: PostView) -> Content:
    """Let the files follow the text, unless they are shown with it already."""
    shown = [PartDigest.parse(part.digest) for part in post.shown]
    if not post.files_follow or any(part.files and part.has_caption for part in shown):
        return content
    return replace(content, files_follow=True, groups_shown=tuple(part.files for part in shown if part.files))


def _content(message: MessageView) -> Content:
    text, entities = read_markup(message.content, message.look.parse_mode)
    if head := _headline(message):
        shift = utf16_len(head) + 1
        bold = Entity("bold", 0, utf16_len(head))
        entities = (bold, *(replace(entity, offset=entity.offset + shift) for entity in entities))
        text = f"{head}\n{text}" if text else head
    lines = [f"📎 {missing.name}: {missing.reason}" for missing in message.missing]
    lines += [f"{button.text}: {button.url or button.copy}" for button in message.buttons_in_text]
    text = "\n\n".join(filter(None, (text, "\n".join(lines))))
    return Content(text, entities, message.media, message.look.text_first)


def read_markup(content: str, parse_mode: str | None) -> tuple[str, tuple[Entity, ...]]:
    """Parse markup. Invalid markup is shown as plain text (see `markup_problem`)."""
    if parse_mode is None:
        return content, ()
    try:
        formatted = markup.parse(content, ParseMode(parse_mode))
    except markup.Unparseable:
        return content, ()
    return (formatted.text, formatted.entities) if formatted.text else (content, ())


def is_long_markup(content: str, parse_mode: str | None) -> bool:
    """Return True if parsing may block others for too long."""
    return parse_mode is not None and len(content) > LONG_MARKUP


def markup_problem(content: str, parse_mode: str | None) -> str | None:
    """Return the reason why markup cannot be parsed, or None."""
    if parse_mode is None:
        return None
    try:
        shows_something = bool(markup.parse(content, ParseMode(parse_mode)).text) or not content
    except markup.Unparseable as error:
        return f"{parse_mode}: {error}"
    return None if shows_something else f"{parse_mode}: the message would be empty."


def _headline(message: MessageView) -> str:
    if not message.is_alert:
        return message.title or ""
    return _mark(message) + (message.title or message.source)


def _mark(message: MessageView) -> str:
    """Return the prefix of a reminder or escalation."""
    if message.is_superseded:
        return "🔔 Reminder: "
    if message.is_reminder and is_acknowledged(message):
        return f"🔔 Acknowledged by {message.acknowledged_by}, still not closed: "
    if message.is_reminder:
        return "🔔 Still open: " if is_open(message) else "🔔 Reminder: "
    return "⏫ Escalated: " if message.is_escalation else ""


def _buttons(post: PostView, message: MessageView, snoozes: Sequence[Snooze]) -> Buttons:
    """Return the rows of buttons: Acknowledge, the snoozes (or, once acknowledged, Close and Take back), the caller's.

    A superseded reminder keeps only the caller's buttons.
    """
    callers = button_rows(message.look.buttons)
    if message.is_superseded:
        return callers
    if is_acknowledged(message):
        return ((close_button(post.id, post.version), unacknowledge_button(post.id, post.version)), *callers)
    if not is_open(message):
        return callers
    snoozing = [snooze_button(post.id, post.version, snooze) for snooze in snoozes]
    return ((acknowledge_button(post.id, post.version),), *button_rows(snoozing), *callers)
