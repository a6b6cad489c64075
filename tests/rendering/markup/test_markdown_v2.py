"""Telegram's MarkdownV2: meaning and errors."""

import pytest

from notifybot.rendering.markup import ParseMode, Unparseable, parse
from tests.rendering.markup.reading import shown


@pytest.mark.parametrize(
    ("source", "text", "entities"),
    [
        ("", "", []),
        ("*a* _b_ __c__", "a b c", [("bold", "a"), ("italic", "b"), ("underline", "c")]),
        ("~a~ ||b||", "a b", [("strikethrough", "a"), ("spoiler", "b")]),
        ("*a _b ~c~_*", "a b c", [("bold", "a b c"), ("italic", "b c"), ("strikethrough", "c")]),
        ("_a __b___", "a b", [("italic", "a b"), ("underline", "b")]),
        ("__a _b_\r__", "a b", [("underline", "a b"), ("italic", "b")]),
        ("****", "", []),
        (r"disk 97\.5 \% \(full\)\!", "disk 97.5 % (full)!", []),
        (r"\\ \a \é", "\\ a \\é", []),
        (r"`a\`b\\c*_`", "a`b\\c*_", [("code", "a`b\\c*_")]),
        ("```\nls -l\n```", "ls -l", [("pre", "ls -l")]),
        ("```sh\nls\n```a", "ls\na", [("pre", "ls\n", "sh")]),
        ("```ls```", "ls", [("pre", "ls")]),
        ("a```sh x```", "a x", [("pre", " x", "sh")]),
        ("*a`b`c*", "abc", [("bold", "a"), ("code", "b"), ("bold", "c")]),
        ("[a](https://x.org)", "a", [("text_link", "a", "https://x.org/")]),
        (r"[a](x.org/\)\\)", "a", [("text_link", "a", "http://x.org/)\\")]),
        (r"[x\.org]", "x.org", [("text_link", "x.org", "http://x.org/")]),
        ("[*a*b](x.org)", "ab", [("text_link", "ab", "http://x.org/"), ("bold", "a")]),
        ("[a](nowhere)[b]()", "ab", []),
        ("[Anna](tg://user?id=42)", "Anna", [("text_link", "Anna", "tg://user?id=42")]),
        (">a\n>b\nc", "a\nb\nc", [("blockquote", "a\nb\n")]),
        (">>a\n>>b", "a\nb", [("blockquote", "a\nb")]),
        ("a\n>*b*", "a\nb", [("blockquote", "b"), ("bold", "b")]),
        ("*>a\n*b", "a\nb", [("blockquote", "a\n"), ("bold", "a\n")]),
        (">*a\n>b*", "a\nb", [("blockquote", "a\nb"), ("bold", "a\nb")]),
        (">a\n**>b", "a\nb", [("blockquote", "a\n"), ("blockquote", "b")]),
        (">a\n>b||\nc", "a\nb\nc", [("expandable_blockquote", "a\nb\n")]),
        ("**>a\n>b||", "a\nb", [("expandable_blockquote", "a\nb")]),
        (">||a||\nb", "a\nb", [("blockquote", "a\n"), ("spoiler", "a")]),
        (">a||b||||\r\nc", "ab\r\nc", [("expandable_blockquote", "ab\r\n"), ("spoiler", "b")]),
        ("`>a\n>b`", ">a\n>b", [("code", ">a\n>b")]),
        (" *🔥* ", "🔥", [("bold", "🔥")]),
    ],
)
def test_markdown_v2_becomes_text_and_formatting(source: str, text: str, entities: list[tuple[str, ...]]) -> None:
    assert shown(source, ParseMode.MARKDOWN_V2) == (text, entities)


@pytest.mark.parametrize("sign", "](){}>#+-=|.!")
def test_a_reserved_sign_must_be_escaped(sign: str) -> None:
    with pytest.raises(Unparseable) as caught:
        parse(f"one\ntwo {sign}", ParseMode.MARKDOWN_V2)

    expected = f"The character {sign} at line 2, column 5 is reserved; write \\{sign} instead."
    assert caught.value.reason == expected
    assert shown(f"a\\{sign}b", ParseMode.MARKDOWN_V2) == (f"a{sign}b", [])


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("*a", "The bold text that starts at line 1, column 1 is not closed."),
        ("snake_case", "The italic text that starts at line 1, column 6 is not closed."),
        ("*a _b*", "The bold text that starts at line 1, column 6 is not closed."),
        ("`a", "The code that starts at line 1, column 1 is not closed."),
        ("```a", "The block of code that starts at line 1, column 1 is not closed."),
        ("[a", "The link that starts at line 1, column 1 is not closed."),
        ("[a](b", "The URL of the link at line 1, column 1 is not closed."),
        ("![a](x.org)", "![…] at line 1, column 1 needs a tg://emoji or tg://time URL."),
        ("![a]", "![…] at line 1, column 1 needs a tg://emoji or tg://time URL."),
        (">*a\nb*", "The bold text that starts at line 1, column 2 is not closed."),
    ],
)
def test_broken_markdown_v2_is_refused_with_its_place(source: str, reason: str) -> None:
    with pytest.raises(Unparseable) as caught:
        parse(source, ParseMode.MARKDOWN_V2)

    assert caught.value.reason == reason
