"""Splitting of long texts: where to cut, and nothing is lost."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notifybot.rendering.parts import Entity, Part
from notifybot.rendering.split import SPACE_CHARACTERS, VISIBLE, first_part, split, utf16_len, utf16_prefix

FAMILY = "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}"
GERMANY = "\U0001f1e9\U0001f1ea"
FRANCE = "\U0001f1eb\U0001f1f7"
WAVE = "\N{WAVING HAND SIGN}\U0001f3fd"
HEART = "\u2764\ufe0f"
KEYCAP = "1\ufe0f\u20e3"
SCOTLAND = "\U0001f3f4" + "".join(chr(0xE0000 + ord(letter)) for letter in "gbsct") + "\U000e007f"
ACCENTED = "e\u0301\u0323"
HANGUL = "\u1100\u1161\u11a8"
HINDI = "\u0915\u094d\u0937\u093f"
CHARACTERS = (FAMILY, GERMANY, FRANCE, WAVE, HEART, KEYCAP, SCOTLAND, ACCENTED, HANGUL, HINDI, "\N{FIRE}", "x", "漢")


def texts(parts: tuple[Part, ...]) -> list[str]:
    return [part.text for part in parts]


def test_a_short_text_is_one_part() -> None:
    assert split("disk full", [Entity("bold", 0, 4)]) == (Part("disk full", (Entity("bold", 0, 4),)),)


@pytest.mark.parametrize("text", ["", "   ", "\n\t\r\n", "\u2028\u3000"])
def test_blank_text_has_no_parts(text: str) -> None:
    assert split(text) == ()


def test_exactly_the_limit_is_one_part_and_one_unit_more_is_two() -> None:
    assert texts(split("x" * 4096)) == ["x" * 4096]
    assert texts(split("x" * 4097)) == ["x" * 4096, "x"]
    assert texts(split("\N{FIRE}" * 2048)) == ["\N{FIRE}" * 2048]
    assert texts(split("\N{FIRE}" * 2049)) == ["\N{FIRE}" * 2048, "\N{FIRE}"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("aaaa. bbb\ncc\n\ndd ee ffff", ["aaaa. bbb\ncc", "dd ee ffff"]),
        ("aaaa bbb. cc\nd ee. ffff", ["aaaa bbb. cc", "d ee. ffff"]),
        ("aaaa bbb c. ee ffff gggg", ["aaaa bbb c.", "ee ffff gggg"]),
        ('aaaa bbb c!" ee ffff ggg', ['aaaa bbb c!"', "ee ffff ggg"]),
        ("aaaa bbbb cccc dddd", ["aaaa bbbb cccc", "dddd"]),
        ("漢漢漢漢漢漢。漢漢漢漢漢漢漢漢漢漢漢漢", ["漢漢漢漢漢漢。", "漢漢漢漢漢漢漢漢漢漢漢漢"]),
        ("漢漢漢漢漢「漢。」漢漢漢漢漢漢漢漢漢漢", ["漢漢漢漢漢「漢。」漢漢漢漢漢漢", "漢漢漢漢"]),
        ("aaaaaaaaaaaaaaaaaaaa", ["aaaaaaaaaaaaaaa", "aaaaa"]),
        ("a\n\nbbbbbbbbbbbbbb cccc", ["a\n\nbbbbbbbbbbbb", "bb cccc"]),
        ("aaaa\u00a0bbbb cccc\u00a0dddd", ["aaaa\u00a0bbbb", "cccc\u00a0dddd"]),
    ],
    ids=[
        "paragraph",
        "line",
        "sentence",
        "quoted sentence",
        "word",
        "CJK",
        "CJK quote",
        "no place",
        "too early",
        "nbsp",
    ],
)
def test_a_cut_falls_on_the_best_place_in_the_last_half(text: str, parts: list[str]) -> None:
    assert texts(split(text, limit=15)) == parts


def test_blank_lines_at_cuts_and_ends_are_dropped_and_indentation_is_kept() -> None:
    text = "\n  first  line\n" + " " * 50 + "\n\t second   line \r\n"
    assert texts(split(text, limit=15)) == ["  first  line", "\t second   line"]


@pytest.mark.parametrize("character", CHARACTERS, ids=ascii)
def test_no_cut_falls_inside_a_character_as_readers_see_it(character: str) -> None:
    parts = split(character * 40, limit=20)
    assert "".join(texts(parts)) == character * 40
    for part in parts[:-1]:
        assert part.text == character * (20 // utf16_len(character))


def test_a_space_with_an_accent_of_its_own_is_no_place_for_a_cut() -> None:
    assert texts(split("aaaaaaa bbbb \u0301ccc dd", limit=15)) == ["aaaaaaa", "bbbb \u0301ccc dd"]


def test_a_character_longer_than_a_part_is_cut_between_its_code_points() -> None:
    monster = "e" + "\u0301" * 50
    parts = split(monster, limit=20)
    assert "".join(texts(parts)) == monster
    assert [len(part.text) for part in parts] == [20, 20, 11]


def test_formatting_goes_on_in_the_next_part() -> None:
    parts = split("\N{FIRE} aaaa bbbb cccc", [Entity("bold", 3, 14), Entity("text_link", 8, 4, url="u")], limit=12)
    assert parts == (
        Part("\N{FIRE} aaaa bbbb", (Entity("bold", 3, 9), Entity("text_link", 8, 4, url="u"))),
        Part("cccc", (Entity("bold", 0, 4),)),
    )


def test_a_cut_rather_falls_outside_formatting() -> None:
    assert texts(split("aaaaa bbbb ccc ddd eee", [Entity("code", 11, 11)], limit=16)) == ["aaaaa bbbb", "ccc ddd eee"]


def test_without_whitespace_a_cut_falls_where_formatting_begins() -> None:
    assert texts(split("漢" * 30, [Entity("code", 12, 10)], limit=20)) == ["漢" * 12, "漢" * 18]


def test_formatting_does_not_reach_over_dropped_whitespace() -> None:
    parts = split("aaaa     bbbb", [Entity("bold", 0, 13)], limit=8)
    assert parts == (Part("aaaa", (Entity("bold", 0, 4),)), Part("bbbb", (Entity("bold", 0, 4),)))


def test_indentation_inside_pre_is_kept() -> None:
    text = "Log:\n\n  first\n  second\n  third"
    parts = split(text, [Entity("pre", 6, 24, language="sh")], limit=17)
    assert parts == (
        Part("Log:\n\n  first", (Entity("pre", 6, 7, language="sh"),)),
        Part("  second\n  third", (Entity("pre", 0, 16, language="sh"),)),
    )


def test_the_indentation_of_a_pre_right_after_a_cut_is_kept() -> None:
    assert texts(split("aaaaaaaaaa\n\n    bbbb cc", [Entity("pre", 12, 11)], limit=12)) == ["aaaaaaaaaa", "    bbbb cc"]


def test_a_part_ends_early_rather_than_having_too_many_entities() -> None:
    links = [Entity("text_link", number * 3, 2, url=f"u{number}") for number in range(10)]
    parts = split("ab " * 10, links, max_entities=4)
    assert [len(part.entities) for part in parts] == [4, 4, 2]
    assert [entity.url for part in parts for entity in part.entities] == [f"u{number}" for number in range(10)]
    assert all(part.text[entity.offset : entity.offset + 2] == "ab" for part in parts for entity in part.entities)


def test_the_outermost_of_too_many_nested_entities_are_kept() -> None:
    nested = [Entity("bold", 0, length) for length in range(1, 9)]
    (part,) = split("abcdefgh", nested, max_entities=3)
    assert [entity.length for entity in part.entities] == [8, 7, 6]


def test_the_last_part_leaves_room() -> None:
    assert texts(split("x" * 100, limit=50, reserve_last=10)) == ["x" * 50, "x" * 40, "x" * 10]
    assert texts(split("x" * 90, limit=50, reserve_last=10)) == ["x" * 50, "x" * 40]
    assert texts(split("aaa bbb", limit=7, reserve_last=1)) == ["aaa", "bbb"]


def test_a_caption_that_is_too_long_continues_in_messages() -> None:
    text = "aaaa bbbb cccc dddd eeee"

    assert texts(split(text, limit=100, first_limit=12)) == ["aaaa bbbb", "cccc dddd eeee"]
    assert texts(split(text, limit=12, first_limit=100)) == [text]
    assert texts(split(text, limit=30, first_limit=24)) == [text]
    assert texts(split(text, limit=30, first_limit=24, reserve_last=10)) == ["aaaa bbbb cccc", "dddd eeee"]


def test_formatting_goes_on_behind_a_caption() -> None:
    parts = split("aaaa bbbb", [Entity("bold", 0, 9)], limit=20, first_limit=5)

    assert parts == (Part("aaaa", (Entity("bold", 0, 4),)), Part("bbbb", (Entity("bold", 0, 4),)))


def test_the_first_part_that_shows_something_is_the_caption() -> None:
    parts = texts(split("\u200b" * 10 + " aaaaaaaa bbbbbbbb", limit=100, first_limit=10))

    assert parts == ["aaaaaaaa", "bbbbbbbb"]


@pytest.mark.parametrize(
    ("text", "limit", "start"),
    [
        ("disk full", 20, Part("disk full", (Entity("bold", 2, 5),))),
        ("disk is full of logs", 10, Part("disk is", (Entity("bold", 2, 5),))),
        ("\n\ndisk is full", 10, Part("disk is", (Entity("bold", 0, 5),))),
        ("\u200b" * 12 + " disk full", 12, Part("disk full")),
        ("漢" * 30, 12, Part("漢" * 7, (Entity("bold", 2, 5),))),
        ("\u200b\u200b", 12, Part("\u200b\u200b")),
        ("  ", 12, Part("")),
    ],
    ids=["all", "cut", "blank lines", "shows nothing", "no place", "nothing at all", "blank"],
)
def test_a_beginning_is_cut_as_parts_are(text: str, limit: int, start: Part) -> None:
    assert first_part(text, [Entity("bold", 2, 5)], limit=limit) == start


def test_a_part_that_would_show_nothing_is_left_out() -> None:
    nothing = "\u200b" * 10
    assert texts(split(f"aaaaaaaa\n{nothing}\nbbbbbbbb", limit=10)) == ["aaaaaaaa", "bbbbbbbb"]


def test_a_text_that_shows_nothing_at_all_is_kept_for_telegram_to_refuse() -> None:
    assert texts(split("\u200b" * 3)) == ["\u200b" * 3]


def test_ten_megabytes_are_cut_into_full_parts() -> None:
    text = ("The disk of web1 is full. " * 8 + "\n") * 48_000
    parts = split(text)
    assert len(parts) < 1.2 * len(text) / 4096
    assert "".join(texts(parts)).replace("\n", "").replace(" ", "") == text.replace("\n", "").replace(" ", "")


@pytest.mark.parametrize(
    ("text", "units", "prefix"),
    [
        ("abc", 0, ""),
        ("abc", 2, "ab"),
        ("abc", 3, "abc"),
        ("abc", 99, "abc"),
        ("a\N{FIRE}", 2, "a"),
        ("a\N{FIRE}", 3, "a\N{FIRE}"),
        (GERMANY + FRANCE, 7, GERMANY),
        (FAMILY, 5, FAMILY[:3]),
        ("a\r\nb", 2, "a"),
        ("", 5, ""),
    ],
)
def test_a_beginning_ends_between_characters(text: str, units: int, prefix: str) -> None:
    assert utf16_prefix(text, units) == prefix


def test_lengths_are_those_of_utf_16() -> None:
    assert [utf16_len(text) for text in ("", "abc", "ä漢", "\N{FIRE}", FAMILY, "\ud800")] == [0, 3, 2, 2, 8, 1]


pieces = st.one_of(
    st.sampled_from([*CHARACTERS, " ", "\n", "\n\n", "\r\n", ". ", "。", "\u200d", "\u0301", "\u2028", "\u00a0"]),
    st.text(max_size=5),
)
random_texts = st.lists(pieces, max_size=60).map("".join)


@st.composite
def formatted(draw: st.DrawFn) -> tuple[str, list[Entity]]:
    text = draw(random_texts)
    ends = [utf16_len(text[:place]) for place in range(len(text) + 1)]
    entities = []
    for kind in draw(st.lists(st.sampled_from(["bold", "pre", "code", "text_link"]), max_size=8)):
        first, second = sorted((draw(st.sampled_from(ends)), draw(st.sampled_from(ends))))
        entities.append(Entity(kind, first, second - first, url="u" if kind == "text_link" else None))
    return text, entities


@given(formatted(), st.integers(12, 40), st.integers(0, 10), st.integers(1, 5))
@example((FAMILY * 3, [Entity("bold", 0, 24)]), 12, 10, 1)
@example(("x" + "0" * 11 + "\x1b", []), 12, 1, 1)
def test_every_text_comes_out_whole_in_parts_that_fit(
    given_text: tuple[str, list[Entity]], limit: int, reserve_last: int, max_entities: int
) -> None:
    text, entities = given_text
    parts = split(text, entities, limit=limit, reserve_last=reserve_last, max_entities=max_entities)
    assert all(0 < utf16_len(part.text) <= limit and len(part.entities) <= max_entities for part in parts)
    assert all(utf16_len(part.text) <= limit - reserve_last for part in parts[-1:])
    assert _visible("".join(texts(parts))) == _visible(text)
    _assert_in_order_with_only_whitespace_between(text, parts)
    for part in parts:
        assert all(0 <= span.offset < span.offset + span.length <= utf16_len(part.text) for span in part.entities)


def _visible(text: str) -> str:
    return "".join(character for character in text if character.isprintable() and not character.isspace())


def _assert_in_order_with_only_whitespace_between(text: str, parts: tuple[Part, ...]) -> None:
    place = 0
    for part in parts:
        found = text.index(part.text, place)
        assert not _visible(text[place:found])
        place = found + len(part.text)
    assert not _visible(text[place:])


@given(formatted(), st.integers(12, 40), st.integers(12, 40))
def test_a_first_limit_holds_for_the_first_part_and_the_other_for_the_rest(
    given_text: tuple[str, list[Entity]], first_limit: int, limit: int
) -> None:
    text, entities = given_text
    parts = split(text, entities, limit=limit, first_limit=first_limit)
    assert all(utf16_len(part.text) <= first_limit for part in parts[:1])
    assert all(utf16_len(part.text) <= limit for part in parts[1:] if VISIBLE.search(part.text))
    assert _visible("".join(texts(parts))) == _visible(text)


@given(formatted(), st.integers(12, 40), st.integers(1, 5))
def test_a_beginning_is_the_first_part(given_text: tuple[str, list[Entity]], limit: int, max_entities: int) -> None:
    text, entities = given_text
    parts = split(text, entities, limit=limit, max_entities=max_entities)
    assert first_part(text, entities, limit=limit, max_entities=max_entities) == (parts[0] if parts else Part(""))


@given(formatted(), st.integers(12, 40))
def test_every_visible_character_keeps_its_formatting(given_text: tuple[str, list[Entity]], limit: int) -> None:
    text, entities = given_text
    whole = _formats(Part(text, tuple(entities)))
    cut = [pair for part in split(text, entities, limit=limit) for pair in _formats(part)]
    assert cut == whole


def _formats(part: Part) -> list[tuple[str, frozenset[str]]]:
    """Pair each visible code point with the types of the formatting on it."""
    pairs = []
    offset = 0
    for character in part.text:
        types = {span.type for span in part.entities if span.offset <= offset < span.offset + span.length}
        if _visible(character):
            pairs.append((character, frozenset(types)))
        offset += utf16_len(character)
    return pairs


@given(st.lists(st.sampled_from([*CHARACTERS, " ", "\n"]), max_size=60), st.integers(40, 60))
def test_known_characters_are_never_cut(characters: list[str], limit: int) -> None:
    text = "".join(characters)
    starts = {sum(map(len, characters[:count])) for count in range(len(characters) + 1)}
    place = 0
    for part in split(text, limit=limit):
        place = text.index(part.text, place)
        assert place in starts
        place += len(part.text)
        assert place in starts


@given(random_texts, st.integers(0, 60))
def test_a_beginning_is_a_beginning_and_fits(text: str, units: int) -> None:
    prefix = utf16_prefix(text, units)
    assert text.startswith(prefix)
    assert utf16_len(prefix) <= units
    assert (prefix == text) == (utf16_len(text) <= units)


def test_whitespace_that_may_go_is_whitespace() -> None:
    assert SPACE_CHARACTERS.isspace()


@pytest.mark.parametrize(
    ("count", "url_length", "parts"),
    [
        *((1, 9_000, 1), (2, 4_500, 1), (2, 4_501, 2), (9, 1_000, 1)),
        *((10, 1_000, 2), (95, 100, 2), (40, 2_000, 10), (3, 9_000, 3)),
    ],
)
def test_a_part_has_at_most_the_bytes_of_links_that_telegram_takes(count: int, url_length: int, parts: int) -> None:
    url = "https://x.org/".ljust(url_length, "a")
    links = [Entity("text_link", 4 * number, 3, url) for number in range(count)]

    found = split("abc " * count, links)

    assert len(found) == parts
    assert all(sum(len(entity.url or "") for entity in part.entities) <= 9_000 for part in found)
    assert sum(len(part.entities) for part in found) == count


def test_bytes_of_links_are_counted_not_characters() -> None:
    links = [Entity("text_link", 4 * number, 3, "https://x.org/" + "ж" * 3_000) for number in range(2)]
    assert len(split("abc abc", links)) == 2


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("word", 1),
        ("a.b", 1),
        ("@anna", 2),
        ("#db1", 2),
        ("/open", 2),
        ("https://x.org/a", 2),
        ("anna@x.org", 2),
        ("@anna #db1", 3),
    ],
)
def test_entities_that_telegram_finds_by_itself_count_beside_links(word: str, parts: int) -> None:
    line = f"log {word}\n"
    links = [Entity("text_link", len(line) * number, 3, "https://x.org/") for number in range(90)]

    found = split(line * 90, links)

    assert len(found) == parts
    assert sum(len(part.entities) for part in found) == 90
    assert {entity.type for part in found for entity in part.entities} == {"text_link"}
