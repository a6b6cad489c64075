"""Parse Telegram's MarkdownV2: nested styles, line quotes, and backslashes before reserved characters."""

import re
from dataclasses import dataclass, field, replace

from notifybot.rendering.markup.builder import Place, Room, TextBuilder, Unparseable, where
from notifybot.rendering.markup.links import is_date_format, is_emoji_id, is_time, link, tg_query
from notifybot.rendering.markup.markdown import LANGUAGE

# Two underscores always mean underline, never two italics: `_a __b___` works because the longer mark comes first.
STYLES = {"__": "underline", "||": "spoiler", "_": "italic", "*": "bold", "~": "strikethrough"}
STYLE_MARK = re.compile(r"__|\|\||[_*~]")
PLAIN = re.compile(r"(?:[^\\_*\[\]()~`>#+\-=|{}.!\n]|\\(?![\x01-\x7e]))+")
PLAIN_CODE = re.compile(r"(?:[^\\`]|\\(?![\x01-\x7e]))+")
ESCAPED = re.compile(r"\\([\x01-\x7e])")
ADDRESS = re.compile(r"\(((?:\\[\x01-\x7e]|[^)\\]|\\(?![\x01-\x7e]))*)\)")
# Two bars at the end of a quote's last line make it expandable; they do not start a spoiler.
FOLDED = re.compile(r"\|\|(?=\r?(?:\n(?!>)|\Z))")
NAMES = {
    "underline": "underlined text",
    "spoiler": "spoiler",
    "italic": "italic text",
    "bold": "bold text",
    "strikethrough": "struck text",
    "code": "code",
    "pre": "block of code",
    "text_link": "link",
    "custom_emoji": "emoji",
}
QUOTES = ("blockquote", "expandable_blockquote")
NEED_AN_ADDRESS = ("text_link", "custom_emoji")
QUOTE_MARKS = re.compile(">+")


@dataclass(frozen=True)
class _Open:
    """Open formatting: its position in the source, and the output before it."""

    kind: str
    at: int
    place: Place
    language: str | None = None


@dataclass
class _MarkdownParser:
    """State of the parser. `may_quote`: the line contains only marks so far, so that `>` starts a quote."""

    source: str
    draft: TextBuilder
    at: int = 0
    open: list[_Open] = field(default_factory=list)
    is_in_quote: bool = False
    may_quote: bool = True

    @property
    def innermost(self) -> str:
        return self.open[-1].kind if self.open else ""

    def sees(self, mark: str) -> bool:
        return self.source.startswith(mark, self.at)


def read_markdown_v2(source: str, room: Room) -> TextBuilder:
    """Parse without `normalize`. Raises Unparseable for unescaped reserved characters and unclosed marks."""
    reading = _MarkdownParser(source, TextBuilder(room))
    while reading.at < len(source):
        if reading.draft.is_full:
            return _unfinished(reading)
        if _read_literal(reading):
            continue
        if reading.innermost in ("code", "pre"):
            _read_backticks(reading)
        else:
            _read_mark(reading)
    if reading.innermost in QUOTES:
        _close(reading)
    if reading.open:
        raise _unclosed(reading)
    return reading.draft


def _unfinished(reading: _MarkdownParser) -> TextBuilder:
    """Return the draft. Formatting that is still open ends with the text."""
    for opened in reversed(reading.open):
        if opened.kind not in NEED_AN_ADDRESS:
            reading.draft.mark(opened.kind, opened.place.length, language=opened.language)
    return reading.draft


def _read_literal(reading: _MarkdownParser) -> bool:
    """Read literal text; return False if there is none here."""
    plain = PLAIN_CODE if reading.innermost in ("code", "pre") else PLAIN
    found = plain.match(reading.source, reading.at) or ESCAPED.match(reading.source, reading.at)
    if found is None:
        return False
    text = found[1] if found.re is ESCAPED else found[0]
    reading.draft.write(text)
    reading.at = found.end()
    if visible := text.replace("\r", ""):
        reading.may_quote = visible[-1] == "\n" and found.re is ESCAPED
    return True


def _read_backticks(reading: _MarkdownParser) -> None:
    """Close code or pre. A single backtick in a pre opens code, which Telegram then wants closed."""
    mark = "`" if reading.innermost == "code" else "```"
    if not reading.sees(mark):
        _begin(reading, "code", "`")
        return
    reading.at += len(mark)
    _close(reading)


def _read_mark(reading: _MarkdownParser) -> None:
    match reading.source[reading.at]:
        case "\n":
            _read_newline(reading)
        case ">" if reading.may_quote:
            _read_quote(reading)
        case "`":
            _begin_code(reading)
        case "]" if reading.innermost == "text_link":
            _close_link(reading)
        case "]" if reading.innermost == "custom_emoji":
            _close_emoji(reading)
        case "[":
            _begin(reading, "text_link", "[")
        case "!" if reading.sees("!["):
            _begin(reading, "custom_emoji", "![")
        case _:
            _read_style(reading)


def _read_style(reading: _MarkdownParser) -> None:
    if reading.innermost == "blockquote" and (folded := FOLDED.match(reading.source, reading.at)):
        reading.open[-1] = replace(reading.open[-1], kind="expandable_blockquote")
        reading.at = folded.end()
        return
    found = STYLE_MARK.match(reading.source, reading.at)
    if found is None:
        sign = reading.source[reading.at]
        place = where(reading.source, reading.at)
        raise Unparseable(f"The character {sign} at {place} is reserved; write \\{sign} instead.")
    kind = STYLES[found[0]]
    if reading.innermost != kind:
        _begin(reading, kind, found[0])
        return
    reading.at = found.end()
    _close(reading)


def _read_newline(reading: _MarkdownParser) -> None:
    """End a quote after the newline, unless the next line starts with `>`. Formatting inside must be closed by then."""
    ends = reading.is_in_quote and not reading.source.startswith(">", reading.at + 1)
    if ends and reading.innermost not in QUOTES:
        raise _unclosed(reading)
    reading.draft.write("\n")
    reading.at += 1
    reading.may_quote = True
    if ends:
        _close(reading)


def _read_quote(reading: _MarkdownParser) -> None:
    if reading.is_in_quote:
        found = QUOTE_MARKS.match(reading.source, reading.at)
        assert found is not None  # one is there
        reading.at = found.end()
        return
    _begin(reading, "blockquote", ">")
    reading.is_in_quote = True


def _begin(reading: _MarkdownParser, kind: str, mark: str) -> None:
    reading.open.append(_Open(kind, reading.at, reading.draft.begin()))
    reading.at += len(mark)


def _begin_code(reading: _MarkdownParser) -> None:
    if not reading.sees("```"):
        _begin(reading, "code", "`")
        return
    found = LANGUAGE.match(reading.source, reading.at + 3)
    assert found is not None  # it also matches the empty string
    reading.open.append(_Open("pre", reading.at, reading.draft.begin(), found[1]))
    reading.at = found.end()


def _close(reading: _MarkdownParser) -> None:
    ended = reading.open.pop()
    reading.draft.mark(ended.kind, ended.place.length, language=ended.language)
    if ended.kind in QUOTES:
        reading.is_in_quote = False


def _close_link(reading: _MarkdownParser) -> None:
    """End a link; without a URL in parentheses, its text is the URL."""
    reading.at += 1
    ended = reading.open.pop()
    address = _address(reading, ended)
    if address is None:
        address = reading.draft.address_since(ended.place)
    link(reading.draft, ended.place.length, address)


def _close_emoji(reading: _MarkdownParser) -> None:
    """End an emoji or a time: ![👍](tg://emoji?id=…), ![22:45](tg://time?unix=…&format=…)."""
    reading.at += 1
    ended = reading.open.pop()
    address = _address(reading, ended) or ""
    emoji, moment = tg_query(address, "emoji") or {}, tg_query(address, "time") or {}
    if is_emoji_id(emoji.get("id", "")):
        reading.draft.mark("custom_emoji", ended.place.length, url=f"tg://emoji?id={emoji['id']}")
        return
    form = moment.get("format", "")
    if not is_time(moment.get("unix", "")) or not is_date_format(form):
        raise Unparseable(f"![…] at {where(reading.source, ended.at)} needs a tg://emoji or tg://time URL.")
    reading.draft.mark("date_time", ended.place.length, url=f"tg://time?unix={moment['unix']}&format={form}")


def _address(reading: _MarkdownParser, ended: _Open) -> str | None:
    """Read the URL in parentheses after a link's text; None if there is none."""
    if not reading.sees("("):
        return None
    found = ADDRESS.match(reading.source, reading.at)
    if found is None:
        raise Unparseable(f"The URL of the link at {where(reading.source, ended.at)} is not closed.")
    reading.at = found.end()
    return ESCAPED.sub(r"\1", found[1])


def _unclosed(reading: _MarkdownParser) -> Unparseable:
    innermost = reading.open[-1]
    place = where(reading.source, innermost.at)
    return Unparseable(f"The {NAMES[innermost.kind]} that starts at {place} is not closed.")
