"""Cleaning: Telegram keeps what we send as it is, and no text gets lost."""

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from notifybot.model.enums import AsText
from notifybot.rendering.cleaning import clean, indented, replayed
from notifybot.rendering.parts import Appearance, Entity, Part, PostButton
from notifybot.rendering.render import render
from notifybot.rendering.split import VISIBLE, utf16_len
from notifybot.rendering.views import PostView
from notifybot.sandbox.formatting.entities import is_empty
from notifybot.sandbox.formatting.markup import cleaned
from tests.rendering.markup.test_as_telegram_reads_it import as_json
from tests.rendering.test_render import ANSWERED, NOTICE, post


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("\x1b[31mFAILED\x1b[0m \x1b[1;38;5;9mdb1\x1b[m", "FAILED db1"),
        ("\x1b]8;;https://x.org\x1b\\link\x1b]8;;\x1b\\ \x1b(B\x9b1mbold", "link bold"),
        ("\x1b]0;no end", "0;no end"),
        ("a\tbc\tdefghijk\t|\n\t漢\t|", "a       bc      defghijk        |\n        漢      |"),
        ("a\r\nb\r\rc\r\r\nd\ve\ff\x85g\u2028h\u2029i", "a\nbc\nd\ne\nf\ng\nh\ni"),
        ("bell\x07 nul\x00 del\x7f c1\x90 bom\ufeff", "bell nul del c1 bom"),
        ("\u202eevil\u202c a\u2066b\u2069", "evil a\u2066b\u2069"),
        ("A\u030angstro\u0308m Å", "Ångström Å"),
        ("x\u030a y\u0333 z\u033f é\u0301", "x y z é\u0301"),
        ("a\u200e\u202a\u200f\u200eb\u200f", "a\u200eb\u200f"),
        ("\u1112\u1161\u11ab\ufa10", "한塚"),
        ("  indented\n\n\n  twice  ", "  indented\n\n\n  twice  "),
    ],
    ids=[
        *("colours", "links and character sets", "no end", "tabs", "line separators", "controls", "overrides"),
        *("composed", "marks that telegram drops", "direction marks", "hangul", "blanks"),
    ],
)
def test_a_text_is_cleaned(given: str, shown: str) -> None:
    assert clean(given) == (shown, ())
    assert clean(shown) == (shown, ())


@pytest.mark.parametrize(
    ("text", "covered", "shown", "still"),
    [
        ("a\x1b[1mbc\x1b[0md", "bc", "abcd", "bc"),
        ("a\r\nbcd", "bc", "a\nbcd", "bc"),
        ("🔥\te\u0301f", "f", "🔥      éf", "f"),
        ("\tcode x", "code", "        code x", "code"),
        ("a\u202ebc\u202cd", "\u202ebc\u202c", "abcd", "bc"),
        ("a b cd", " b ", "a b cd", "b "),
        ("a\x07\x07b", "\x07\x07", "ab", None),
        ("a \n b", " \n ", "a \n b", None),
        ("ab\u030ac", "c", "abc", "c"),
        ("Привет e\u0301мир", "мир", "Привет éмир", "мир"),
        ("line\n10%\r20%\nend", "line", "line\n20%\nend", "line"),
        ("line\n10%\r20%\nend", "10%\r20%", "line\n20%\nend", "20%"),
        ("line\n10%\r20%\nend", "end", "line\n20%\nend", "end"),
    ],
    ids=repr,
)
def test_formatting_stays_on_its_text(text: str, covered: str, shown: str, still: str | None) -> None:
    bold = Entity("bold", utf16_len(text[: text.index(covered)]), utf16_len(covered))

    found, entities = clean(*replayed(text, [bold]))

    assert found == shown
    assert [_covered(found, each) for each in entities] == ([] if still is None else [still])


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (Part("  a\n  b"), "\u00a0\u00a0a\n  b"),
        (Part("  a", (Entity("pre", 0, 3),)), "  a"),
        (Part("  a", (Entity("bold", 2, 1),)), "\u00a0\u00a0a"),
        (Part("a"), "a"),
        (Part(""), ""),
    ],
)
def test_the_indentation_of_the_first_line_is_kept_from_telegram(part: Part, text: str) -> None:
    assert indented(part).text == text


@pytest.mark.parametrize(
    ("content", "mode", "shown"),
    [
        ("\x1b[31m\x1b[0m", None, r"\x1b[31m\x1b[0m"),
        ("\u030a", None, r"\u030a"),
        ("<b>\x1b[m</b>", "HTML", "<b></b>"),
        ("\x07", "Mono", r"\x07"),
        ("\x1b[31mFAILED\x1b[0m\x1b[K", "MarkdownV2", "FAILED"),
        ("<pre>\tx\r\n  y</pre>", "HTML", "        x\n  y"),
        ("```\n\ta\tb\n```", "CommonMark", "        a       b"),
        ("\n\n   a  b\n1  2  3\n\n", "Mono", "   a  b\n1  2  3"),
        ("   a  b\n1  2  3\n", None, "\u00a0\u00a0\u00a0a  b\n1  2  3"),
        ("10%\r20%\r100%", "Mono", "100%"),
        ("<pre>10%\r20%\r100%\r\ndone</pre>", "HTML", "100%\ndone"),
    ],
)
def test_a_notice_shows_what_its_sender_saw(content: str, mode: str | None, shown: str) -> None:
    notice = replace(NOTICE, content=content, look=Appearance(parse_mode=mode))

    (part,) = render(post(notice), max_parts=5)

    assert part.text == shown
    assert _stored(part) == (part.text, _formats(part.text, part.entities))


PIECES = [
    *("a", "漢", "🔥", "e\u0301", "x\u030a", "\u0333", "Привет", " ", "  ", "\n", "\n\n  ", "\r", "\r\n", "\b", "\t"),
    *("\x1b[1m", "\x1b[", "\x1b[2K", "\x1b]0;t\x07", "\x9b", "\x07", "\0", "\x7f", "\u2028", "\u202e", "\u200e"),
    *("\u200f", "\ufeff", "\u200b", "\u00a0", "\ufffc", "word ", "https://x.org ", "\u1100\u1161"),
    *("<b>", "</b>", "<pre>", "</pre>", "<a href='https://x.org'>", "</a>", "*", "_", "`", "```\n", "[a](x.org)"),
    *("&#9;", "&#8232;", "> ", "- ", "# "),
]
texts = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)
modes = st.sampled_from([None, "HTML", "MarkdownV2", "Markdown", "CommonMark", "Mono"])


@pytest.mark.slow_because("300 posts are rendered and cleaned")
@settings(max_examples=300, deadline=None)
@given(texts, st.none() | texts, modes, texts, st.booleans(), st.sampled_from(list(AsText)))
@example("  \x1b[1m", None, None, "", False, AsText.NOTHING)
@example("<b> <pre> x</pre></b>", " <", "HTML", "", False, AsText.FORMATTING)
def test_telegram_changes_nothing_that_is_sent(
    content: str, title: str | None, mode: str | None, name: str, is_alert: bool, as_text: AsText
) -> None:
    if VISIBLE.search(content) is None:
        return
    look = Appearance(parse_mode=mode, buttons=(PostButton(name, url="https://x.org"),))
    message = replace(ANSWERED if is_alert else NOTICE, content=content, title=title, look=look, acknowledged_by=name)

    for part in render(replace(post(message), as_text=as_text), max_parts=5):
        assert _stored(part) == (part.text, _formats(part.text, part.entities))
        assert not is_empty(part.text)


@given(texts)
def test_nor_of_a_reply(text: str) -> None:
    view: PostView = post(None, reply=Part(f"Hi{text}.", (Entity("bold", 0, 2 + utf16_len(text)),)))
    (part,) = render(view, max_parts=5)

    assert _stored(part) == (part.text, _formats(part.text, part.entities))


def _stored(part: Part) -> tuple[str, list[set[str]]]:
    """Return what Telegram keeps of a part: its text, and the formatting of each UTF-16 unit."""
    text, entities = cleaned(part.text, [as_json(entity) for entity in part.entities])
    return text, _formats(text, [Entity(str(e["type"]), _int(e["offset"]), _int(e["length"])) for e in entities])


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value


def _formats(text: str, entities: tuple[Entity, ...] | list[Entity]) -> list[set[str]]:
    return [
        {each.type for each in entities if each.offset <= place < each.offset + each.length}
        for place in range(utf16_len(text))
    ]


def _covered(text: str, entity: Entity) -> str:
    units = text.encode("utf-16-le")
    return units[2 * entity.offset : 2 * (entity.offset + entity.length)].decode("utf-16-le")
