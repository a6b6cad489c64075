"""Parse Telegram's legacy Markdown: *bold*, _italic_, `code`, ```pre```, [links](…); no nesting, no escapes inside."""

import re

from notifybot.rendering.markup.builder import Room, TextBuilder, Unparseable, where
from notifybot.rendering.markup.links import link

TOKEN = re.compile(r"(?P<plain>[^\\_*`\[]+|\\(?![_*`\[]))|\\(?P<escaped>.)|(?P<mark>```|[_*`\[])", re.DOTALL)
KINDS = {"*": "bold", "_": "italic", "`": "code", "```": "pre", "[": "text_link"}
NAMES = {"*": "bold text", "_": "italic text", "`": "code", "```": "block of code", "[": "link"}
# A word right after the three backticks is the language, unless it is the whole block.
LANGUAGE = re.compile(r"(?:([^ \t\r\n\v\0`]+)(?=[ \t\r\n\v\0]))?(?:\n\r?|\r\n?)?")


def read_markdown(source: str, room: Room) -> TextBuilder:
    """Parse without `normalize`. Raises Unparseable for a mark that is not closed."""
    draft = TextBuilder(room)
    at = 0
    while not draft.is_full and (found := TOKEN.match(source, at)):
        at = found.end()
        if found["mark"]:
            at = _read_formatted(source, at, found["mark"], draft)
        else:
            draft.write(found["plain"] or found["escaped"])
    return draft


def _read_formatted(source: str, at: int, mark: str, draft: TextBuilder) -> int:
    """Read the text after `mark`, which ends at `at`; return the position after the closing mark."""
    begin, text_begin, language = draft.begin().length, at, None
    if mark == "```" and (found := LANGUAGE.match(source, at)):
        text_begin, language = found.end(), found[1]
    closing = "]" if mark == "[" else mark
    end = source.find(closing, text_begin)
    if end < 0:
        raise Unparseable(f"The {NAMES[mark]} that starts at {where(source, at - len(mark))} is not closed.")
    text = source[text_begin:end]
    draft.write(text)
    if mark == "[" and text:
        return _read_address(source, end + 1, draft, begin)
    draft.mark(KINDS[mark], begin, language=language)
    return end + len(closing)


def _read_address(source: str, at: int, draft: TextBuilder, begin: int) -> int:
    """Link the text from `begin` on to the URL in parentheses at `at`, else to itself.

    Unclosed parentheses are text. Telegram would drop everything after them; here nothing gets lost.
    """
    end = source.find(")", at) if source.startswith("(", at) else -1
    if end < 0:
        link(draft, begin, draft.pieces[-1])
        return at
    link(draft, begin, source[at + 1 : end])
    return end + 1
