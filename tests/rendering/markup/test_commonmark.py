"""CommonMark: rendering in a message; any text is valid."""

import pytest

from notifybot.rendering.markup import ParseMode, Room, parse
from tests.rendering.markup.reading import shown


@pytest.mark.parametrize(
    ("source", "text", "entities"),
    [
        ("", "", []),
        ("*a* **b** ~~c~~ `d`", "a b c d", [("italic", "a"), ("bold", "b"), ("strikethrough", "c"), ("code", "d")]),
        ("***a** b*", "a b", [("italic", "a b"), ("bold", "a")]),
        ("snake_case_name 2 * 3 * 4", "snake_case_name 2 * 3 * 4", []),
        ("# Disk *full*", "Disk full", [("bold", "Disk full"), ("italic", "full")]),
        ("Disk\n====\n\nfull", "Disk\n\nfull", [("bold", "Disk")]),
        ("# a `b` c", "a b c", [("bold", "a "), ("code", "b"), ("bold", " c")]),
        ("one\ntwo  \nthree\\\nfour", "one\ntwo\nthree\nfour", []),
        ("one\n\n\n\ntwo", "one\n\ntwo", []),
        (r"\*a\* &amp; &copy; &#65;", "*a* & © A", []),
        ("<b>a</b> <!-- b -->", "<b>a</b> <!-- b -->", []),
        ("<div>\n*a*\n</div>", "<div>\na\n</div>", [("italic", "a")]),
        ("a\n\n---\n\nb", "a\n\n────────────\n\nb", []),
        ("🔥 **🔥**", "🔥 🔥", [("bold", "🔥")]),
    ],
)
def test_text_and_styles(source: str, text: str, entities: list[tuple[str, ...]]) -> None:
    assert shown(source, ParseMode.COMMON_MARK) == (text, entities)


@pytest.mark.parametrize(
    ("source", "text", "entities"),
    [
        ("```sh\n  ls -l\n```", "  ls -l", [("pre", "  ls -l", "sh")]),
        ("~~~\n*a*\n\nb\n~~~\nc", "*a*\n\nb\nc", [("pre", "*a*\n\nb")]),
        ("a\n``` {.sh}\n```", "a", []),
        ("a\n\n    b\n      c\n", "a\n\nb\n  c", [("pre", "b\n  c")]),
        ("- a\n\n  ```\n  b\n  ```", "• a\n\nb", [("pre", "b")]),
        ("> a\n> b\n\nc", "a\nb\n\nc", [("blockquote", "a\nb")]),
        ("> a\n> > b\n> ```\n> c\n> ```", "a\nb\nc", [("blockquote", "a\nb\nc"), ("pre", "c")]),
        (">\n\na", "a", []),
    ],
)
def test_code_and_quotes(source: str, text: str, entities: list[tuple[str, ...]]) -> None:
    assert shown(source, ParseMode.COMMON_MARK) == (text, entities)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Steps:\n- a\n- b\n\nc", "Steps:\n• a\n• b\n\nc"),
        ("- a\n  b\n\n  c\n- d", "• a\n    b\n\n    c\n• d"),
        ("- a\n  - b\n    - c\n      - d", "• a\n    ◦ b\n        ▪ c\n            ▪ d"),
        ("3. a\n4. b\n   - c", "3. a\n4. b\n    • c"),
        ("0) a\n0) b", "0. a\n1. b"),
        ("- [ ] a\n- [x] b\n- [X] c\n- [y] d", "☐ a\n☑ b\n☑ c\n• [y] d"),
        ("1. [x] a", "1. ☑ a"),
        ("- - a", "• ◦ a"),
        ("-\n- a", "• \n• a"),
        ("- # a", "• a"),
    ],
)
def test_lists(source: str, text: str) -> None:
    assert shown(source, ParseMode.COMMON_MARK)[0] == text


@pytest.mark.parametrize(
    ("source", "text", "entities"),
    [
        ("[a](https://x.org 'title')", "a", [("text_link", "a", "https://x.org/")]),
        ("[*a* b](https://x.org)", "a b", [("text_link", "a b", "https://x.org/"), ("italic", "a")]),
        ("[a]\n\n[a]: https://x.org", "a", [("text_link", "a", "https://x.org/")]),
        ("<https://x.org/a>", "https://x.org/a", [("text_link", "https://x.org/a", "https://x.org/a")]),
        ("https://x.org", "https://x.org", []),
        ("[](https://x.org)", "https://x.org", [("text_link", "https://x.org", "https://x.org/")]),
        ("![a *b*](https://x.org/i.png)", "a b", [("text_link", "a b", "https://x.org/i.png")]),
        ("[![a](https://x.org/i)](https://y.org)", "a", [("text_link", "a", "https://y.org/")]),
        ("[Anna](tg://user?id=42)", "Anna", [("text_link", "Anna", "tg://user?id=42")]),
        ("[manual](README.md)", "manual (README.md)", []),
        ("[write](mailto:anna@x.org) <anna@x.org>", "write (anna@x.org) anna@x.org", []),
        ("[a](http://localhost:3000/)", "a (http://localhost:3000/)", []),
        ("[a]()", "a", []),
        ("[a](javascript:b)", "[a](javascript:b)", []),
    ],
)
def test_an_address_becomes_a_link_or_is_shown_beside_its_text(
    source: str, text: str, entities: list[tuple[str, ...]]
) -> None:
    assert shown(source, ParseMode.COMMON_MARK) == (text, entities)


def test_a_table_becomes_lines_of_equal_width() -> None:
    source = "|host|*free*|n|\n|:--|:-:|--:|\n|web1|3 %|22|\n|日本|`1` e\u0301|1|"

    text, entities = shown(source, ParseMode.COMMON_MARK)

    assert text.split("\n") == ["host │ free │  n", "─────┼──────┼───", "web1 │ 3 %  │ 22", "日本 │ 1 e\u0301  │  1"]
    assert entities == [("pre", text)]


def test_links_of_a_table_stand_below_it() -> None:
    text, entities = shown("|a|\n|-|\n|[b](https://x.org)|\n|[c](https://y.org)|\n\nd", ParseMode.COMMON_MARK)

    assert text == "a\n─\nb\nc\nb · c\n\nd"
    assert entities[1:] == [("text_link", "b", "https://x.org/"), ("text_link", "c", "https://y.org/")]


def test_a_long_cell_does_not_widen_the_others() -> None:
    text, _ = shown(f"|a|b|\n|-|-|\n|{'x' * 300}|c|\n|d|e|", ParseMode.COMMON_MARK)

    assert text.split("\n")[3] == "d" + " " * 39 + " │ e"


def test_deeper_nesting_stays_as_written() -> None:
    text, entities = shown("> " * 1_000 + "a", ParseMode.COMMON_MARK)

    assert text.strip("> ") == "a"
    assert [kind for kind, *_ in entities] == ["blockquote"]


@pytest.mark.parametrize("opening", ["![", "[", "*a **b ", "> ", "- ", "1. ", "`", "<", "|a", "~~a "])
def test_no_nesting_is_too_deep(opening: str) -> None:
    assert parse(opening * 3_000 + "end", ParseMode.COMMON_MARK).text.endswith("end")


def test_endlessly_nested_images_stay_as_written() -> None:
    source = "![" * 2_000 + "a" + "](b)" * 2_000

    assert "a" in parse(source, ParseMode.COMMON_MARK).text


@pytest.mark.parametrize("source", ["```disk full", "[a]: https://x.org", "[](<>)"])
def test_text_that_would_be_invisible_stays_as_written(source: str) -> None:
    assert shown(source, ParseMode.COMMON_MARK) == (source, [])


def test_of_text_too_long_for_a_message_the_beginning_is_parsed() -> None:
    found = parse("**a**\n" * 20_000 + "b", ParseMode.COMMON_MARK, Room.of(5))

    assert found.is_cut
    assert found.text.startswith("a\na\na\n")
