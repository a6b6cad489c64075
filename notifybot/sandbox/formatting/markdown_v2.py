"""Telegram's MarkdownV2 style: marked-up text → plain text and entities, refused in Telegram's words."""

import re
from dataclasses import dataclass, replace

from notifybot.sandbox.formatting.entities import Entity, MarkupError, link, tg_link
from notifybot.sandbox.formatting.reader import Reading

# "__" comes before "_": two underscores are always an underline, never two italics.
STYLES = {"__": "Underline", "||": "Spoiler", "_": "Italic", "*": "Bold", "~": "Strikethrough"}
CODE_ENDS = {"Code": "`", "Pre": "```", "PreCode": "```"}
QUOTE, EXPANDABLE = "BlockQuote", "ExpandableBlockQuote"
LINK, EMOJI = "TextUrl", "CustomEmoji"
KINDS = {name: name.lower() for name in (*STYLES.values(), *CODE_ENDS, QUOTE)} | {
    "PreCode": "pre",
    EXPANDABLE: "expandable_blockquote",
}

PLAIN = re.compile(r"[^\\_*\[\]()~`>#+\-=|{}.!\n\r]+")
PLAIN_CODE = re.compile(r"[^\\`]+")
ESCAPE = re.compile(r"\\([\x01-\x7e])")
LANGUAGE = re.compile(r"[^ \t\r\n\v\0`]+(?=[ \t\r\n\v\0])")
NEWLINE = re.compile(r"\n\r?|\r\n?")
ADDRESS = re.compile(r"(?:\\[\x01-\x7e]|[^)\\]|\\(?![\x01-\x7e]))*\)")
END_OF_EXPANDABLE = re.compile(r"\|\|(?=\r?\n(?!>)|\r?\Z)")


@dataclass(frozen=True)
class Open:
    """An open entity: Telegram's name for it, and its start in source and text."""

    name: str
    begin: int
    offset: int
    piece: int
    language: str = ""


@dataclass
class State:
    """Open entities, innermost last, and flags for quotes."""

    open: list[Open]
    is_in_quote: bool = False
    is_line_start: bool = True

    @property
    def innermost(self) -> str:
        return self.open[-1].name if self.open else ""


def read_markdown_v2(source: str) -> tuple[str, list[Entity]]:
    """Return text and entities before cleaning. Raises MarkupError."""
    reading, state = Reading(source), State([])
    while reading.next:
        if state.innermost in CODE_ENDS:
            _read_code(reading, state)
        else:
            _read_text(reading, state)
    if state.innermost in (QUOTE, EXPANDABLE):
        _end(reading, state)
    if state.open:
        raise _unclosed(reading, state)
    return reading.text, reading.entities


def _read_code(reading: Reading, state: State) -> None:
    end = CODE_ENDS[state.innermost]
    if reading.sees(end):
        reading.at += len(end)
        _end(reading, state)
    elif reading.sees("`"):
        # A single backtick in a block opens code; Telegram then reports that one as unclosed, not the block.
        _begin(reading, state, "Code", "`")
    else:
        plain = reading.take(PLAIN_CODE)
        _write(reading, state, plain or _escaped(reading), may_begin_line=not plain)


def _read_text(reading: Reading, state: State) -> None:
    if literal := reading.take(PLAIN) or (_escaped(reading) if reading.sees("\\") else ""):
        _write(reading, state, literal, may_begin_line=literal == "\n")
    elif reading.next in "\r\n":
        _read_newline(reading, state)
    elif reading.sees(">") and state.is_line_start:
        _read_quote(reading, state)
    elif reading.sees("`"):
        _begin_code(reading, state)
    elif reading.sees("[") or reading.sees("!["):
        _begin(reading, state, *((LINK, "[") if reading.sees("[") else (EMOJI, "![")))
    elif reading.sees("]") and state.innermost in (LINK, EMOJI):
        _end_link(reading, state)
    else:
        _read_style(reading, state)


def _write(reading: Reading, state: State, literal: str, *, may_begin_line: bool) -> None:
    """Write literal characters; among them, only an escaped newline starts a line for a quote."""
    reading.write(literal)
    if literal.strip("\r"):
        state.is_line_start = may_begin_line and literal == "\n"


def _read_newline(reading: Reading, state: State) -> None:
    """Write the newline; end a quote after it unless the next line starts with `>` too."""
    newline = reading.next
    reading.at += 1
    reading.write(newline)
    state.is_line_start |= newline == "\n"
    if newline == "\r" or not state.is_in_quote:
        return
    if reading.sees(">"):
        return
    if state.innermost not in (QUOTE, EXPANDABLE):
        raise _unclosed(reading, state)
    _end(reading, state)


def _read_quote(reading: Reading, state: State) -> None:
    """Start a quote; inside one, drop each additional `>` at the start of a line."""
    if state.is_in_quote:
        reading.at += 1
    else:
        _begin(reading, state, QUOTE, ">")


def _read_style(reading: Reading, state: State) -> None:
    if state.innermost == QUOTE and reading.take(END_OF_EXPANDABLE):
        state.open[-1] = replace(state.open[-1], name=EXPANDABLE)
        return
    mark = next((mark for mark in STYLES if reading.sees(mark)), None)
    if mark is None:
        raise reading.refuse(f"Character '{reading.next}' is reserved and must be escaped with the preceding '\\'")
    if state.innermost == STYLES[mark]:
        reading.at += len(mark)
        _end(reading, state)
    else:
        _begin(reading, state, STYLES[mark], mark)


def _begin(reading: Reading, state: State, name: str, mark: str) -> None:
    state.open.append(Open(name, reading.at, reading.units, len(reading.pieces)))
    state.is_in_quote |= name == QUOTE
    reading.at += len(mark)


def _begin_code(reading: Reading, state: State) -> None:
    """Start code or pre; a word right after three backticks, followed by a space, is the language."""
    begin, is_block = reading.at, reading.sees("```")
    reading.at += 3 if is_block else 1
    language = reading.take(LANGUAGE) if is_block else ""
    if is_block:
        reading.take(NEWLINE)
    name = "PreCode" if language else "Pre" if is_block else "Code"
    state.open.append(Open(name, begin, reading.units, len(reading.pieces), language))


def _end(reading: Reading, state: State) -> None:
    entry = state.open.pop()
    state.is_in_quote &= entry.name not in (QUOTE, EXPANDABLE)
    reading.mark(KINDS[entry.name], entry.offset, {"language": entry.language} if entry.language else {})


def _end_link(reading: Reading, state: State) -> None:
    """End a link; without a URL in parentheses, its text is the URL. An invalid URL makes no link."""
    reading.at += 1
    entry = state.open.pop()
    address = _address(reading, entry)
    if entry.name == EMOJI and address is None:
        raise reading.refuse("Custom emoji entity must contain a tg://emoji URL")
    if address is None:
        address = reading.written_since(entry.piece)
    found = tg_link(address) if entry.name == EMOJI else link(address)
    if found is not None:
        reading.mark(found[0], entry.offset, found[1])


def _address(reading: Reading, entry: Open) -> str | None:
    """Read the URL in parentheses after a link's text; None if there is none."""
    if not reading.sees("("):
        return None
    reading.at += 1
    begin, address = reading.at, reading.take(ADDRESS)
    if not address:
        what = "a custom emoji URL" if entry.name == EMOJI else "a URL"
        raise reading.refuse(f"Can't find end of {what}", begin)
    return ESCAPE.sub(r"\1", address[:-1])


def _escaped(reading: Reading) -> str:
    """Read a backslash escape; before non-ASCII characters, the backslash is literal."""
    escape = reading.take(ESCAPE)
    if escape:
        return escape[1]
    reading.at += 1
    return "\\"


def _unclosed(reading: Reading, state: State) -> MarkupError:
    return reading.refuse(f"Can't find end of {state.innermost} entity", state.open[-1].begin)
