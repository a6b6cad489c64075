"""Cleaning of texts as Telegram's server does it (TDLib: clean_input_string and fix_formatted_text)."""

import pytest

from notifybot.sandbox.formatting.entities import is_empty
from notifybot.sandbox.formatting.markup import cleaned


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a\tb\vc\fd", "a b c d"),
        ("\x1b[31mred\x1b[0m\x07", "[31mred [0m"),
        ("a\r\nb\rc", "a\nbc"),
        ("a\x00b\x08c", "a b c"),
        ("a\u2028b\u2029c", "abc"),
        ("\u202eabc\u202c", "abc"),
        ("A\u030a x\u0333 y\u033f e\u0301", "A x y e\u0301"),
        ("a\u200e\u200f\u200eb\u200f", "a\u200c\u200c\u200eb\u200f"),
        ("  \n a\n  b \n ", "a\n  b"),
        ("\u00a0 a\u3000", "\u00a0 a\u3000"),
        ("\x7f\x85\x9b\u2066a", "\x7f\x85\x9b\u2066a"),
    ],
    ids=[
        *("tabs", "escapes", "carriage returns", "NUL and backspace", "separators", "overrides", "combining marks"),
        *("marks", "ends", "other blanks", "C1 and isolates"),
    ],
)
def test_a_text_is_cleaned(given: str, kept: str) -> None:
    assert cleaned(given) == (kept, [])


@pytest.mark.parametrize(
    ("text", "kind", "offset", "length", "kept", "found"),
    [
        ("a\r\r\u2028bc", "bold", 3, 2, "abc", (1, 1)),
        ("a\r\r\u2028bc", "bold", 0, 6, "abc", (0, 3)),
        ("\U0001f525\u202e b", "bold", 2, 3, "\U0001f525 b", (3, 1)),
        ("x  y", "bold", 1, 3, "x  y", (3, 1)),
        ("x  y", "code", 1, 3, "x  y", (1, 3)),
        ("  y", "bold", 0, 3, "y", (0, 1)),
        ("  y", "pre", 0, 3, "  y", (0, 3)),
        ("y\u030a\u030a", "italic", 1, 2, "y", None),
        ("a \n b", "italic", 1, 3, "a \n b", None),
        ("a \n b", "text_link", 1, 3, "a \n b", (1, 3)),
        ("a  ", "pre", 0, 3, "a", (0, 1)),
    ],
)
def test_entities_follow_the_cleaned_text(
    text: str, kind: str, offset: int, length: int, kept: str, found: tuple[int, int] | None
) -> None:
    entity = {"type": kind, "offset": offset, "length": length} | ({"url": "x.org"} if kind == "text_link" else {})

    shown, entities = cleaned(text, [entity])

    assert shown == kept
    assert [(each["offset"], each["length"]) for each in entities] == ([] if found is None else [found])


def test_a_quote_keeps_the_blanks_of_the_code_it_begins_with() -> None:
    entities = [{"type": kind, "offset": 0, "length": 4} for kind in ("blockquote", "pre")]

    assert [each["offset"] for each in cleaned("  ab", entities)[1]] == [0, 0]


@pytest.mark.parametrize("text", ["", "\u00a0", "\u200b\u2800", "\ufeff\ufffc", "\U000e0020", " \u3000\n"])
def test_a_text_of_blanks_alone_is_empty(text: str) -> None:
    assert is_empty(text)
    assert not is_empty(text + "\u3164")
