"""Render a post and find the next call that brings its chat up to date."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from notifybot.model.enums import AsText
from notifybot.rendering import markup
from notifybot.rendering.buttons import (
    Snooze,
    acknowledge_button,
    button_rows,
    close_button,
    snooze_button,
    unacknowledge_button,
)
from notifybot.rendering.cleaning import clean, cleaned_part, indented, replayed
from notifybot.rendering.layout import Content, Footer, lay_out
from notifybot.rendering.markup import Formatted, ParseMode, Room
from notifybot.rendering.markup.links import checked
from notifybot.rendering.parts import (
    Buttons,
    Call,
    Delete,
    Edit,
    Entity,
    Part,
    PartDigest,
    PostButton,
    Send,
    Substance,
)
from notifybot.rendering.split import VISIBLE, utf16_len
from notifybot.rendering.status_lines import status_lines
from notifybot.rendering.terminal import ESCAPE
from notifybot.rendering.views import MessageView, PostView, ShownPart, is_acknowledged, is_open
from notifybot.rendering.written_links import without_links, write_links

STATUS_UNITS = 160
"""Room that the status lines of an alert usually need over its life."""
ANSWER_WITHOUT_BUTTONS = "Telegram refused the buttons. Send /open to acknowledge."
BARE_ALERT = "Alert"
"""Text of an alert that has only files: buttons below an album need one."""
LONG_MARKUP, LONG_TEXT = 8192, 65_536
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
        return (indented(cleaned_part(_plain_reply(post.reply, post.as_text))),)
    assert post.message is not None
    parts = _render_message(post, post.message, max_parts, snoozes)
    if AsText.FORMATTING in post.as_text:
        parts = tuple(replace(part, entities=()) for part in parts)
    return tuple(map(indented, parts))


def _plain_reply(part: Part, as_text: AsText) -> Part:
    """Return a reply of the bot without what Telegram refused."""
    if AsText.FORMATTING in as_text:
        part = replace(part, text=without_links(part.text, part.entities), entities=())
    return replace(part, buttons=()) if AsText.ALL_BUTTONS in as_text else part


def _render_message(
    post: PostView, message: MessageView, max_parts: int, snoozes: Sequence[Snooze]
) -> tuple[Part, ...]:
    buttons = () if AsText.ALL_BUTTONS in post.as_text else _buttons(post, message, snoozes)
    status, _ = clean(status_lines(message))
    foot = Footer(status, buttons, room=STATUS_UNITS if message.is_alert else 0)
    content = _with_layout(_content(message, post.as_text, max_parts), post)
    parts = lay_out(content, foot, max_parts=max_parts)
    return tuple(replace(part, link_preview=True) for part in parts) if message.look.link_preview else parts


def _with_layout(content: Content, post: PostView) -> Content:
    """Let the files follow the text, unless they are shown with it already."""
    shown = [PartDigest.parse(part.digest) for part in post.shown]
    if not post.files_follow or any(part.files and part.has_caption for part in shown):
        return content
    return replace(content, files_follow=True, groups_shown=tuple(part.files for part in shown if part.files))


def _content(message: MessageView, as_text: AsText, max_parts: int) -> Content:
    read = read_markup(message.content, message.look.parse_mode, max_parts)
    text, entities = read.text, read.entities
    if AsText.FORMATTING in as_text:
        text, entities = without_links(text, entities), ()
    head, foot = _headline(message), _lines_below(message, as_text)
    if head:
        shift = utf16_len(head) + 1
        bold = Entity("bold", 0, utf16_len(head))
        entities = (bold, *(replace(entity, offset=entity.offset + shift) for entity in entities))
    text, entities = clean(_joined(head, text, foot), entities)
    whole = clean(_joined(head, replayed(message.content)[0], foot))[0] if read.is_cut else None
    if VISIBLE.search(text) is None:
        text, entities = _escaped(message.content or message.title or ""), ()
    return Content(text, entities, message.media, whole, message.look.text_first)


def _joined(head: str, text: str, foot: str) -> str:
    return "\n\n".join(filter(None, ("\n".join(filter(None, (head, text))), foot)))


def _lines_below(message: MessageView, as_text: AsText) -> str:
    """Return what is missing from a message, a line each."""
    lines = [f"📎 {missing.name}: {missing.reason}" for missing in message.missing]
    lines += [f"{button.text}: {button.url or button.copy}" for button in _buttons_in_text(message, as_text)]
    if AsText.ALL_BUTTONS in as_text and is_open(message):
        lines.append(ANSWER_WITHOUT_BUTTONS)
    return "\n".join(lines)


def _escaped(text: str) -> str:
    r"""Write out text of which nothing is visible, such as `\x1b[0m`."""
    return text.encode("unicode_escape").decode()


def read_markup(content: str, parse_mode: str | None, max_parts: int) -> Formatted:
    """Return the text, as a terminal shows it, and its formatting; not cleaned yet (see `clean`).

    Links that Telegram would not show are written in the text. Invalid markup is shown as plain text (see
    `markup_problem`). Of markup that does not fit into `max_parts` messages, only the beginning is parsed.
    """
    try:
        formatted = _parsed(content, parse_mode, max_parts)
    except markup.Unparseable:
        return Formatted(*replayed(content))
    if not formatted.text:
        return Formatted(*replayed(content))
    shown = replayed(*write_links(formatted.text, formatted.entities, formatted.lost))
    return Formatted(*shown, is_cut=formatted.is_cut)


def _parsed(content: str, parse_mode: str | None, max_parts: int) -> Formatted:
    """Parse the markup, as far as it can be shown; escape sequences are none. Raises Unparseable."""
    if parse_mode is None:
        return Formatted(content, ())
    mode = ParseMode(parse_mode)
    source = content if mode is ParseMode.MONO else ESCAPE.sub("", content)
    return markup.parse(source, mode, Room.of(max_parts))


def is_long_markup(content: str, parse_mode: str | None) -> bool:
    """Return True if rendering may block others for too long."""
    return len(content) > (LONG_TEXT if parse_mode is None else LONG_MARKUP)


def markup_problem(content: str, parse_mode: str | None, max_parts: int) -> str | None:
    """Return the reason why markup cannot be parsed, or None. What is too long to be shown counts as text."""
    if parse_mode is None:
        return None
    try:
        shows_something = bool(_parsed(content, parse_mode, max_parts).text) or not content
    except markup.Unparseable as error:
        return f"{parse_mode}: {error}"
    return None if shows_something else f"{parse_mode}: the message would be empty."


def _buttons_in_text(message: MessageView, as_text: AsText) -> Sequence[PostButton]:
    """Return the caller's buttons that Telegram refused, or would refuse for their URL."""
    if as_text & (AsText.CALLERS_BUTTONS | AsText.ALL_BUTTONS):
        return message.look.buttons
    return [button for button in message.look.buttons if button.url is not None and checked(button.url) is None]


def _headline(message: MessageView) -> str:
    title = replayed(message.title or "")[0].strip()
    mark = _mark(message) if message.is_alert else ""
    if title or mark:
        return mark + title if title else mark.removesuffix(": ")
    return BARE_ALERT if message.is_alert and not message.content else ""


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
    in_text = _buttons_in_text(message, post.as_text)
    callers = button_rows([button for button in message.look.buttons if button not in in_text])
    if message.is_superseded:
        return callers
    if is_acknowledged(message):
        return ((close_button(post.id, post.version), unacknowledge_button(post.id, post.version)), *callers)
    if not is_open(message):
        return callers
    snoozing = [snooze_button(post.id, post.version, snooze) for snooze in snoozes]
    return ((acknowledge_button(post.id, post.version),), *button_rows(snoozing), *callers)
