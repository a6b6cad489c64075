"""Property tests for all markup."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from notifybot.rendering.markup import Formatted, ParseMode, Unparseable, parse
from notifybot.rendering.parts import Entity
from notifybot.rendering.render import read_markup
from notifybot.rendering.split import VISIBLE, split, utf16_len
from tests.rendering.markup.test_as_telegram_reads_it import MODES, marked_up, nested

anything = st.text(st.characters(codec="utf-8"), max_size=80)

COMMON_MARKS = [
    *(
        "# ",
        "\n",
        "\n\n",
        "- ",
        "  - ",
        "1. ",
        "- [ ] ",
        "> ",
        "    ",
        "```",
        "```sh\n",
        "~~~",
        "---\n",
        "|",
        "|a|b|\n|-|:-:|\n",
    ),
    *(
        "*",
        "**",
        "_",
        "~~",
        "`",
        "``",
        "[",
        "![",
        "](",
        ")",
        "https://x.org",
        "](README.md)",
        "<https://x.org>",
        "<b>",
        "\\",
    ),
    *("&amp;", "[a]: b\n", "  \n", "🔥", "e\u0301", "漢字", "word ", "x"),
]
common_mark = st.lists(st.sampled_from(COMMON_MARKS), max_size=25).map("".join)


def formatted(source: str, mode: ParseMode) -> Formatted | None:
    try:
        return parse(source, mode)
    except Unparseable:
        return None


def assert_valid(text: str, entities: Sequence[Entity]) -> None:
    """Check that entities cover whole characters, are sorted with outer ones first, and do not cross."""
    edges = {utf16_len(text[:place]) for place in range(len(text) + 1)}
    spans = [(entity.offset, entity.offset + entity.length) for entity in entities]
    assert all(begin < end and {begin, end} <= edges for begin, end in spans)
    assert spans == sorted(spans, key=lambda span: (span[0], -span[1]))
    open_ends: list[int] = []
    for begin, end in spans:
        open_ends = [outer for outer in open_ends if outer > begin]
        assert all(end <= outer for outer in open_ends)
        open_ends.append(end)


def assert_alone(entities: Sequence[Entity]) -> None:
    """Check that code and pre contain nothing and are only inside quotes, and that no type contains itself."""
    for outer in entities:
        held = [one for one in entities if one is not outer and _holds(outer, one)]
        assert outer.type not in ("code", "pre") or all("blockquote" in one.type for one in held)
        assert outer.type not in [one.type for one in held]


def _holds(outer: Entity, one: Entity) -> bool:
    return outer.offset <= one.offset and one.offset + one.length <= outer.offset + outer.length


def visible(text: str) -> str:
    return "".join(VISIBLE.findall(text))


@pytest.mark.parametrize("mode", MODES)
@settings(deadline=None)
@given(data=st.data())
def test_any_markup_in_telegrams_modes_becomes_valid_entities(mode: ParseMode, data: st.DataObject) -> None:
    found = formatted(data.draw(marked_up(mode) | nested(mode) | anything), mode)

    if found:
        assert_valid(found.text, found.entities)
        assert_alone(found.entities)


@pytest.mark.parametrize("mode", MODES)
@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_formatting_is_valid_beside_links_that_are_written(mode: ParseMode, data: st.DataObject) -> None:
    source = data.draw(marked_up(mode) | nested(mode)).replace("x.org", "localhost")

    read = read_markup(source, mode, max_parts=5)
    text = read.text

    assert_valid(text, read.entities)
    if (found := formatted(source, mode)) and found.text:
        assert "localhost" in text or not [link for link in found.lost if link.url == "localhost"]


@settings(max_examples=150, deadline=None)
@example(">\x1b")
@example("> \u200b")
@example("[a]: \u2800")
@given(common_mark | anything)
def test_any_text_is_commonmark_and_becomes_valid(source: str) -> None:
    found = parse(source, ParseMode.COMMON_MARK)

    assert_valid(found.text, found.entities)
    assert_alone(found.entities)
    assert visible(found.text) or not visible(source)


@settings(max_examples=200, deadline=None)
@given(common_mark)
def test_no_word_of_commonmark_gets_lost(source: str) -> None:
    text = parse(source, ParseMode.COMMON_MARK).text

    for word in ("word", "漢字", "🔥", "e\u0301"):
        assert text.count(word) >= _in_prose(source).count(word)


def _in_prose(source: str) -> str:
    """Leave out lines that are not shown in full: language names, addresses, surplus table cells."""
    return "\n".join(line for line in source.split("\n") if not re.search(r"```|~~~|\||\[|\]", line))


@given(anything)
def test_escaped_text_comes_back_as_it_was(text: str) -> None:
    html = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    markdown_v2 = re.sub(r"([\x01-\x09\x0b-\x7e])", r"\\\1", text)
    kept = text.strip("".join(map(chr, range(0x21))))

    assert parse(html, ParseMode.HTML) == Formatted(kept, ())
    assert parse(markdown_v2, ParseMode.MARKDOWN_V2) == Formatted(kept, ())
    assert parse(re.sub(r"([_*`\[])", r"\\\1", re.sub(r"\\", "", text)), ParseMode.MARKDOWN).entities == ()


@pytest.mark.parametrize("mode", list(ParseMode))
@settings(deadline=None)
@given(data=st.data(), limit=st.integers(12, 40), first_limit=st.integers(12, 40), most=st.integers(1, 4))
def test_splitting_parsed_text_keeps_everything_and_stays_valid(
    mode: ParseMode, data: st.DataObject, limit: int, first_limit: int, most: int
) -> None:
    source = data.draw(marked_up(mode) | nested(mode) if mode in MODES else common_mark)
    found = formatted(source, mode)
    if found is None:
        return

    parts = split(found.text, found.entities, limit=limit, first_limit=first_limit, max_entities=most)

    assert visible("".join(part.text for part in parts)) == visible(found.text)
    for number, part in enumerate(parts):
        assert utf16_len(part.text) <= (limit if number else first_limit)
        assert len(part.entities) <= most
        assert_valid(part.text, part.entities)
