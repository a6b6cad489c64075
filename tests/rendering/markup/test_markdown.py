"""Telegram's legacy Markdown: meaning and errors."""

import pytest

from notifybot.rendering.markup import ParseMode, Unparseable, parse
from tests.rendering.markup.reading import shown


@pytest.mark.parametrize(
    ("source", "text", "entities"),
    [
        ("*a* _b_ `c`", "a b c", [("bold", "a"), ("italic", "b"), ("code", "c")]),
        ("```\nls\n``` a", "ls\n a", [("pre", "ls\n")]),
        ("```sh\nls```", "ls", [("pre", "ls", "sh")]),
        ("*a _b_ c*", "a _b_ c", [("bold", "a _b_ c")]),
        (r"\*a\_ \`b\` \[c] \d 1.5!", r"*a_ `b` [c] \d 1.5!", []),
        ("**a**", "a", []),
        ("[a](https://x.org)", "a", [("text_link", "a", "https://x.org/")]),
        ("[x.org] [a]", "x.org a", [("text_link", "x.org", "http://x.org/")]),
        ("[Anna](tg://user?id=42)", "Anna", [("text_link", "Anna", "tg://user?id=42")]),
        ("[](x.org)", "(x.org)", []),
        ("[see](x.org and more", "see(x.org and more", []),
    ],
)
def test_legacy_markdown_becomes_text_and_formatting(source: str, text: str, entities: list[tuple[str, ...]]) -> None:
    assert shown(source, ParseMode.MARKDOWN) == (text, entities)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("a *b", "The bold text that starts at line 1, column 3 is not closed."),
        ("a\nsnake_case", "The italic text that starts at line 2, column 6 is not closed."),
        ("`a", "The code that starts at line 1, column 1 is not closed."),
        ("```a``", "The block of code that starts at line 1, column 1 is not closed."),
        ("[a", "The link that starts at line 1, column 1 is not closed."),
    ],
)
def test_an_unclosed_mark_is_refused_with_its_position(source: str, reason: str) -> None:
    with pytest.raises(Unparseable) as caught:
        parse(source, ParseMode.MARKDOWN)

    assert caught.value.reason == reason
