"""Marked-up text → plain text with its formatting beside it, as Telegram would read it itself.

Telegram is always sent text and entities, never a parse mode: so what a title or a cut does to a message never touches
markup, and whether a text can be read is known before the call.
"""

from dataclasses import dataclass
from enum import StrEnum

from notifybot.rendering.markup.builder import TextBuilder, Unparseable
from notifybot.rendering.markup.html import read_html
from notifybot.rendering.markup.markdown import read_markdown
from notifybot.rendering.markup.markdown_v2 import read_markdown_v2
from notifybot.rendering.markup.normalize import normalize
from notifybot.rendering.parts import Entity

__all__ = ["Formatted", "ParseMode", "Unparseable", "parse"]


class ParseMode(StrEnum):
    """How a text is marked up: Telegram's three styles, and the Markdown of everywhere else."""

    HTML = "HTML"
    MARKDOWN_V2 = "MarkdownV2"
    MARKDOWN = "Markdown"
    COMMON_MARK = "CommonMark"


@dataclass(frozen=True)
class Formatted:
    """Plain text and its entities: offsets in UTF-16 units, sorted, outer ones first, none crossing another."""

    text: str
    entities: tuple[Entity, ...]


def parse(text: str, mode: ParseMode) -> Formatted:
    """Read `text`; its blanks at both ends are gone, and it may be empty. Lone surrogates must not be in it.

    Raises Unparseable where Telegram would refuse the text; CommonMark is never refused. Takes time in proportion to
    the text.
    """
    return Formatted(*normalize(_read(text, mode)))


def _read(text: str, mode: ParseMode) -> TextBuilder:
    match mode:
        case ParseMode.HTML:
            return read_html(text)
        case ParseMode.MARKDOWN_V2:
            return read_markdown_v2(text)
        case ParseMode.MARKDOWN:
            return read_markdown(text)
        case ParseMode.COMMON_MARK:
            # Its library takes 30 ms to import; many a daemon never needs it.
            from notifybot.rendering.markup.commonmark import read_common_mark

            return read_common_mark(text)
