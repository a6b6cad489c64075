"""Each parser of foreign bytes: it reads or refuses, always alike, in bounded time and memory."""

import gc
import time
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.parsers.table import Parser, parsers

pytestmark = pytest.mark.slow_because("each parser reads dozens of long texts, traced or timed")

PARSERS = parsers()
NASTY = (
    *(
        "[",
        "{",
        "(",
        "<",
        '"',
        "'",
        "`",
        "*",
        "_",
        "\\",
        "&",
        "!",
        "a",
        " ",
        "\n",
        "\t",
        "\0",
        "\r",
        "9",
        "0",
        "-",
        ".",
    ),
    *(
        "\ud800",
        "\udfff",
        "e\u0301",
        "\u0301",
        "🔥",
        "\u200d",
        "漢",
        "\ufeff",
        "\u202e",
        "NaN",
        "1e999",
        ",",
        ":",
        "/",
        "%",
        "٣",
    ),
    *("[]", "{}", "a ", "* ", "_a", "[a](", "<b>", "- ", "> ", '{"a":', "\x1b[", "https://"),
)
FIRST, LARGEST = 512, 131_072
ENOUGH_S, NOTICEABLE_S = 0.006, 0.001
MOST_GROWTH = 10
"""Of the time for four times the text: 4 if it is linear, 16 if it is quadratic."""
TRACED = 2048
BYTES_A_CHARACTER, BYTES_AT_LEAST = 600, 200_000


def examples(share: float) -> int:
    """Return this share of the profile's examples: few in every run, many in a search."""
    return max(10, round(settings.default.max_examples * share)) if settings.default else 10


def text_for(parser: Parser) -> st.SearchStrategy[str]:
    soup = st.lists(st.sampled_from((*parser.marks, *NASTY)), max_size=12).map("".join)
    return soup | st.text(st.characters(codec=None), max_size=30)


def outcome(parser: Parser, text: str) -> object:
    """Return what is read, or the refusal. Every other exception fails the test."""
    try:
        return parser.read(text)
    except parser.refuses as refusal:
        return type(refusal), str(refusal)


every_parser = pytest.mark.parametrize("parser", PARSERS, ids=str)


@every_parser
@settings(max_examples=examples(0.6))
@given(data=st.data())
def test_any_text_is_read_or_refused_and_always_alike(parser: Parser, data: st.DataObject) -> None:
    text = data.draw(text_for(parser))
    first = repr(outcome(parser, text))

    assert repr(outcome(parser, text)) == first


@pytest.mark.parametrize("parser", [each for each in PARSERS if each.write is not None], ids=str)
@settings(max_examples=examples(0.6))
@given(data=st.data())
def test_what_was_read_is_read_again_from_what_is_written(parser: Parser, data: st.DataObject) -> None:
    text = data.draw(text_for(parser))
    try:
        found = parser.read(text)
    except parser.refuses:
        return
    assert parser.write is not None
    if found is not None and found != (None, None):
        assert parser.read(parser.write(found)) == found


@every_parser
def test_a_long_run_of_anything_takes_linear_time(parser: Parser) -> None:
    for unit in dict.fromkeys((*NASTY, *parser.marks)):
        assert_linear(parser, lambda size, unit=unit: (unit * (size // len(unit) + 1))[:size])  # type: ignore[misc]


@every_parser
@settings(max_examples=examples(0.1))
@given(data=st.data())
def test_any_repetition_takes_linear_time(parser: Parser, data: st.DataObject) -> None:
    marks = st.lists(st.sampled_from((*parser.marks, *NASTY)), min_size=1, max_size=3).map("".join)
    head, unit, other, tail = (data.draw(marks) for _ in range(4))

    assert_linear(
        parser, lambda size: head + unit * (size // 2 // len(unit)) + other * (size // 2 // len(other)) + tail
    )


def assert_linear(parser: Parser, text: Callable[[int], str]) -> None:
    """Take four times the text until it takes a while; the time must not grow twice as if it were quadratic.

    Once is possible: a longer text can be refused earlier, or later.
    """
    size, before, jumps = min(FIRST, parser.most), 0.0, 0
    while size <= min(LARGEST, parser.most):
        spent = cpu_seconds(parser, text(size))
        has_jumped = before > NOTICEABLE_S and spent > before * MOST_GROWTH
        jumps = jumps + 1 if has_jumped else 0
        assert jumps < 2, (text(80), size, before, spent)
        if spent > ENOUGH_S and not has_jumped:
            return
        size, before = size * 4, spent


def cpu_seconds(parser: Parser, text: str) -> float:
    gc.disable()  # a collection of the whole suite takes longer than any text here
    try:
        start = time.thread_time()
        outcome(parser, text)
        return time.thread_time() - start
    finally:
        gc.enable()


@every_parser
def test_a_long_run_of_anything_takes_memory_in_proportion(parser: Parser) -> None:
    outcome(parser, "x")  # imports what it needs
    for unit in dict.fromkeys((*NASTY, *parser.marks)):
        text = (unit * (TRACED // len(unit) + 1))[: min(TRACED, parser.most)]
        assert peak_bytes(parser, text) < BYTES_AT_LEAST + BYTES_A_CHARACTER * len(text), unit


def peak_bytes(parser: Parser, text: str) -> int:
    tracemalloc.start()
    try:
        outcome(parser, text)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
