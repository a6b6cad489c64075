"""Parse CommonMark with tables, strikethrough and task lists into what Telegram can show."""

import re
from collections.abc import Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.token import Token

from notifybot.rendering.markup.builder import Room, TextBuilder
from notifybot.rendering.markup.commonmark_blocks import BlockWriter
from notifybot.rendering.markup.commonmark_inline import write_inline
from notifybot.rendering.markup.tables import Table

MAX_CHARACTERS = 100_000
SOURCE_TO_TEXT = 3
"""Characters of source for each one that there is room for, at most; parsing takes some 600 bytes for each."""
BEGINNING = 16_384
"""Characters that are parsed of a longer text, which is sent as a file with its first words."""

MAX_LEVELS = 20
"""A quote is one level, a list two. Deeper text is not parsed."""

RULE = "─" * 12
BOXES = {"[ ] ": "☐", "[x] ": "☑", "[X] ": "☑"}
LANGUAGE = re.compile(r"[^\s`]+")


def read_common_mark(source: str, room: Room) -> TextBuilder:
    """Parse without `normalize`; any text is valid CommonMark. HTML stays as written.

    Text that would be invisible (such as an unused link definition) stays as written, too.
    """
    most = min(SOURCE_TO_TEXT * room.characters, MAX_CHARACTERS)
    read = source if len(source) <= most else source[:BEGINNING]
    tokens = _tokens(read)
    draft = _written(tokens, room) if tokens is not None else TextBuilder(room)
    if draft.is_blank:
        draft = TextBuilder(room)
        draft.write(read)
    draft.is_cut = len(read) < len(source)
    return draft


def _written(tokens: Sequence[Token], room: Room) -> TextBuilder:
    page = BlockWriter(TextBuilder(room))
    table: Table | None = None
    for token in tokens:
        if token.type == "table_open":
            table = Table(_lines(token))
        elif token.type == "table_close" and table:
            table.write(page)
            table = None
        elif table:
            _add_to_table(table, token)
        else:
            _write(page, token)
    return page.draft


def _tokens(source: str) -> Sequence[Token] | None:
    """Return the blocks of `source`; None if images nest too deeply."""
    try:
        return _parser().parse(source)
    except RecursionError:
        return None


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": MAX_LEVELS})
    parser.enable(["table", "strikethrough"])
    parser.block.ruler.before("table", "too_deep", _stop_when_too_deep)
    return parser


def _stop_when_too_deep(state: StateBlock, begin: int, end: int, silent: bool) -> bool:
    """Take the rest at this depth as plain lines: the library drops deeper content."""
    if state.level < MAX_LEVELS - 2:
        return False
    if not silent:
        token = state.push("plain", "", 0)
        token.content = state.getLines(begin, end, state.blkIndent, False)
        token.map = [begin, end]
        state.line = end
    return True


def _lines(token: Token) -> tuple[int, int]:
    assert token.map is not None  # always set for blocks
    return token.map[0], token.map[1]


def _add_to_table(table: Table, token: Token) -> None:
    match token.type:
        case "tr_open":
            table.add_row()
        case "th_open":
            table.add_column(str(token.attrGet("style") or ""))
        case "inline":
            cell = TextBuilder()
            write_inline(BlockWriter(cell), token.children or [])
            table.add_cell(cell)


def _write(page: BlockWriter, token: Token) -> None:
    """Write a leaf block, or note the start or end of a quote, list or item."""
    match token.type:
        case "inline":
            _write_lines(page, token)
        case "heading_close":
            page.draft.mark("bold", page.block)
        case "fence" | "code_block":
            language = LANGUAGE.match(token.info.strip())
            text = token.content.removesuffix("\n")
            page.write_block(text, _lines(token), language=language[0] if language else None, is_code=True)
        case "hr":
            page.write_block(RULE, _lines(token), is_code=False)
        case "plain":
            page.write_block(token.content, _lines(token), is_code=False)
        case _:
            _write_container(page, token)


def _write_lines(page: BlockWriter, token: Token) -> None:
    """Write a paragraph or heading; a task's checkbox becomes part of the item's mark."""
    children = token.children or []
    if children and page.is_at_item and (box := BOXES.get(children[0].content[:4])):
        children[0].content = children[0].content[4:]
        page.tick_item(box)
    page.begin_block(_lines(token))
    write_inline(page, children)


def _write_container(page: BlockWriter, token: Token) -> None:
    match token.type:
        case "blockquote_open":
            page.begin_quote()
        case "blockquote_close":
            page.end_quote()
        case "bullet_list_open":
            page.begin_list(None)
        case "ordered_list_open":
            page.begin_list(int(token.attrs.get("start", 1)))
        case "bullet_list_close" | "ordered_list_close":
            page.end_list()
        case "list_item_open":
            page.begin_item(_lines(token)[0])
        case "list_item_close":
            page.end_item()
