"""Markup is parsed only as far as it can be shown, in bounded memory; the rest goes as a file, as it was written."""

import tracemalloc
from dataclasses import replace

import pytest

from notifybot.rendering.markup import ParseMode, Room, parse
from notifybot.rendering.parts import Appearance, Part, Written
from notifybot.rendering.render import markup_problem, next_call, render
from notifybot.rendering.views import PostView
from tests.rendering.test_render import NOTICE, post

BYTES = 250_000
PARTS = 5
MAX_BYTES = 16_000_000

HOSTILE = [
    ("MarkdownV2", "*a* "),
    ("MarkdownV2", "*_a_*\n"),
    ("MarkdownV2", "*a _b_ "),
    ("MarkdownV2", "[a](b) "),
    ("MarkdownV2", "["),
    ("MarkdownV2", ">"),
    ("MarkdownV2", "\\."),
    ("MarkdownV2", "`a`"),
    ("MarkdownV2", "||a||\n"),
    ("HTML", "<b>a</b> "),
    ("HTML", "<b>"),
    ("HTML", "<b></b>"),
    ("HTML", "<a href='x'>y</a>"),
    ("HTML", "<b a1 a2 "),
    ("HTML", "&amp;"),
    ("HTML", "<pre>\n</pre>"),
    ("Markdown", "*a* "),
    ("Markdown", "[a](b)"),
    ("CommonMark", "*a* "),
    ("CommonMark", "a|b\n-|-\nc|d\n\n"),
    ("CommonMark", "!["),
    ("CommonMark", "- a\n"),
    ("Mono", "abc\t"),
    (None, "a\r"),
    (None, "a\b\x1b[K"),
    (None, "\u200b"),
]


def notice(content: str, parse_mode: str | None) -> PostView:
    return post(replace(NOTICE, content=content, look=Appearance(parse_mode=parse_mode)))


def long(unit: str, size: int = BYTES) -> str:
    return (unit * (size // len(unit.encode()) + 1)).encode()[:size].decode(errors="ignore")


def file_of(parts: tuple[Part, ...]) -> str:
    (source,) = (file.source for part in parts for file in part.media)
    assert isinstance(source, Written)
    return source.content.decode()


@pytest.mark.parametrize(("mode", "unit"), HOSTILE, ids=repr)
def test_one_message_takes_little_memory(mode: str | None, unit: str) -> None:
    view = notice(long(unit), mode)
    next_call(notice("**a**", mode), max_parts=PARTS)  # imports what it needs

    tracemalloc.start()
    try:
        call = next_call(view, max_parts=PARTS)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert call.call is not None
    assert peak < MAX_BYTES


@pytest.mark.parametrize(
    ("mode", "content", "first"),
    [
        ("MarkdownV2", "*a* " * 100_000, ["bold"]),
        ("MarkdownV2", "```\n" + "abc\n" * 20_000 + "```", ["pre"]),
        ("MarkdownV2", "*" + "abc " * 20_000 + "*", ["bold"]),
        ("HTML", "<pre>" + "a &lt; b\n" * 20_000 + "</pre>", ["pre"]),
        ("HTML", "<b>" + "abc " * 20_000 + "</b>", ["bold"]),
        ("HTML", '<pre><code class="language-sql">' + "abc " * 20_000 + "</code></pre>", ["pre"]),
        ("HTML", "<i>a</i>" + "b " * 20_000 + "<b>this is not closed", ["italic"]),
        ("Markdown", "_a_ " * 20_000, ["italic"]),
        ("CommonMark", "**a**\n" * 20_000, ["bold"]),
        ("Mono", "abc  def\n" * 20_000, ["pre"]),
    ],
)
def test_the_beginning_is_formatted_and_the_file_is_as_it_was_written(
    mode: str, content: str, first: list[str]
) -> None:
    text, file = render(notice(content, mode), max_parts=PARTS)

    assert [entity.type for entity in text.entities[:1]] == first
    assert text.text.endswith("The full text is in the file below.")
    assert file_of((file,)) == content
    assert markup_problem(content, mode, PARTS) is None


@pytest.mark.parametrize(
    ("mode", "content"),
    [
        ("MarkdownV2", "a. " + "*a* " * 100_000),
        ("HTML", "<x>" + "<b>a</b>" * 50_000),
        ("HTML", "<b>" * 50_000),
        ("Markdown", "a_b " + "a " * 50_000),
        ("MarkdownV2", ">" * 50_000),
    ],
)
def test_a_beginning_that_cannot_be_read_is_shown_as_it_was_written(mode: str, content: str) -> None:
    text, file = render(notice(content, mode), max_parts=PARTS)

    assert text.text.startswith(content[:20])
    assert file_of((file,)).startswith(content.rstrip())
    assert (markup_problem(content, mode, PARTS) or "").startswith(mode)


@pytest.mark.parametrize("mode", [mode for mode in ParseMode if mode is not ParseMode.MONO])
def test_what_fits_is_parsed_to_its_end(mode: ParseMode) -> None:
    mark = {"HTML": "<b>word</b>", "CommonMark": "**word**"}.get(mode, "*word*")
    content = "\n".join([mark] * 98 * PARTS)

    parts = render(notice(content, mode), max_parts=PARTS)

    assert [len(part.entities) for part in parts] == [98] * PARTS
    assert not parse(content, mode, Room.of(PARTS)).is_cut


def test_the_file_has_the_title_and_what_a_terminal_shows() -> None:
    content = "<b>\x1b[31mred\x1b[0m</b>\n" + "copy 1%\rcopy 100%\n" * 5_000
    view = post(replace(NOTICE, title="Backup", content=content, look=Appearance(parse_mode="HTML")))

    text, file = render(view, max_parts=PARTS)

    assert text.text.startswith("Backup\nred\ncopy 100%\n")
    assert file_of((file,)).startswith("Backup\n<b>red</b>\ncopy 100%\ncopy 100%\n")


def test_a_line_that_is_rewritten_a_hundred_thousand_times_is_its_last_state() -> None:
    (part,) = render(
        notice("".join(f"\rcopied {number} of 100000" for number in range(100_001)), None), max_parts=PARTS
    )

    assert part.text == "copied 100000 of 100000"
