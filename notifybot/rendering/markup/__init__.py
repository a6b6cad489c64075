"""Parse markup into plain text and entities, as Telegram would.

Telegram always gets text and entities, never a parse mode: titles and cuts cannot break markup, and invalid markup is
known before the call.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from notifybot.rendering.markup.builder import MOST, Room, TextBuilder, Unparseable
from notifybot.rendering.markup.html import read_html
from notifybot.rendering.markup.markdown import read_markdown
from notifybot.rendering.markup.markdown_v2 import read_markdown_v2
from notifybot.rendering.markup.normalize import normalize
from notifybot.rendering.parts import Entity

__all__ = ["Formatted", "ParseMode", "Room", "Unparseable", "parse"]

BLANK_LINES = re.compile(r"\A(?:[^\S\n]*+\n)+")


class ParseMode(StrEnum):
    """Format of a text: Telegram's three, standard Markdown, and plain text in monospace."""

    HTML = "HTML"
    MARKDOWN_V2 = "MarkdownV2"
    MARKDOWN = "Markdown"
    COMMON_MARK = "CommonMark"
    MONO = "Mono"


@dataclass(frozen=True)
class Formatted:
    """Plain text and its entities: offsets in UTF-16 units, sorted, outer before inner, properly nested.

    `lost`: links of the source that Telegram would not show as links, such as one in code or to a host without a dot.
    """

    text: str
    entities: tuple[Entity, ...]
    lost: tuple[Entity, ...] = ()
    is_cut: bool = False
    """There is more than `room`, and this is the beginning."""


def parse(text: str, mode: ParseMode, room: Room = MOST) -> Formatted:
    """Parse `text`, which must not contain lone surrogates, until it is more than `room`. The result is trimmed and may
    be empty.

    Raises Unparseable if Telegram would refuse what was parsed; CommonMark and Mono are never refused. Runs in linear
    time.
    """
    draft = _read(text, mode, room)
    if draft.is_full:
        draft.cut()
    return Formatted(*normalize(draft), is_cut=draft.is_cut)


def _read(text: str, mode: ParseMode, room: Room) -> TextBuilder:
    match mode:
        case ParseMode.MONO:
            return _monospaced(text, room)
        case ParseMode.HTML:
            return read_html(text, room)
        case ParseMode.MARKDOWN_V2:
            return read_markdown_v2(text, room)
        case ParseMode.MARKDOWN:
            return read_markdown(text, room)
        case ParseMode.COMMON_MARK:
            # Its library takes 30 ms to import, and many daemons never need it.
            from notifybot.rendering.markup.commonmark import read_common_mark

            return read_common_mark(text, room)


def _monospaced(text: str, room: Room) -> TextBuilder:
    draft = TextBuilder(room)
    draft.write(BLANK_LINES.sub("", text))
    draft.mark("pre", 0)
    return draft
