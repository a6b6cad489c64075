"""Tables, widths and spans, without a daemon."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifybot.cli.output import Terminal, full_date, one_line, sanitized, short_time, span, time_until
from notifybot.cli.tables import columns, cut, short_ids, table

ANY = Terminal(width=None, has_colour=False)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "wide"), [("disk", 4), ("磁盘", 4), ("Größe", 5), ("Gro\u0308ße", 5), ("🙂", 2), ("", 0)]
)
def test_columns_are_counted_as_a_terminal_shows_them(text: str, wide: int) -> None:
    assert columns(text) == wide


@given(st.text(), st.integers(1, 40))
def test_a_truncated_text_fits_and_a_short_one_is_whole(text: str, width: int) -> None:
    shown = cut(text, width)

    assert columns(shown) <= width
    assert shown == text if columns(text) <= width else shown.endswith("…")


@given(st.text(alphabet=st.characters()))
def test_printed_text_cannot_control_a_terminal(text: str) -> None:
    for shown in (sanitized(text), one_line(text)):
        assert all(
            character == "\n" or (ord(character) >= 0x20 and not 0x7F <= ord(character) <= 0x9F) for character in shown
        )
        assert not set("\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069") & set(shown)
    assert "\n" not in one_line(text)


def test_sanitized_keeps_lines_and_makes_control_characters_visible() -> None:
    assert sanitized("one\r\ntwo\x1b[2J\u202e") == "one\ntwo\\x1b[2J\\u202e"


def test_a_table_fits_the_width_and_truncates_its_last_column_first() -> None:
    rows = [("1", "x" * 60, "y" * 80), ("22", "short", "磁盘" * 40)]

    lines = list(table(("ID", "SOURCE", "TEXT"), rows, Terminal(width=60, has_colour=False)))

    assert max(columns(line) for line in lines) == 60
    assert lines[1].count("…") == 2
    assert lines[2].startswith("22  short ") and lines[2].endswith("盘…")


def test_a_table_for_a_pipe_is_not_truncated() -> None:
    assert list(table(("ID", "TEXT"), [("x" * 300, "y" * 300)], ANY))[1] == "x" * 300 + "  " + "y" * 300


def test_a_state_is_coloured_and_still_aligned() -> None:
    rows = [("sent", "one"), ("acknowledged", "two")]

    lines = list(table(("STATUS", "TEXT"), rows, Terminal(width=80, has_colour=True)))

    assert lines[1] == "\x1b[36msent        \x1b[0m  one"


@given(st.lists(st.uuids().map(str), min_size=1, max_size=30, unique=True))
def test_short_ids_are_unique(ids: list[str]) -> None:
    short = short_ids(ids)

    for one in ids:
        assert one.startswith(short[one]) and len(short[one]) >= 13
        assert [other for other in ids if other.startswith(short[one])] == [one]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0s"), (0, "0s"), (59.9, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (86_399, "23h"), (172_800, "2d")],
)
def test_a_span_is_one_number(seconds: float, shown: str) -> None:
    assert span(timedelta(seconds=seconds)) == shown


def test_a_time_of_today_needs_no_date() -> None:
    today, earlier = NOON.replace(hour=11), NOON - timedelta(days=3)

    assert short_time(today, NOON) == f"{today.astimezone():%H:%M:%S}"
    assert short_time(earlier, NOON) == f"{earlier.astimezone():%Y-%m-%d %H:%M}"


def test_no_ids_have_no_prefixes() -> None:
    assert short_ids([]) == {}


@pytest.mark.parametrize(("ahead_s", "said"), [(7200, "in 2h"), (7199.2, "in 2h"), (7198.9, "in 1h"), (0.3, "in 1s")])
def test_a_distance_is_rounded_up(ahead_s: float, said: str) -> None:
    assert time_until(NOON + timedelta(seconds=ahead_s), NOON) == said


@pytest.mark.parametrize(
    ("second", "said"),
    [(0, "Sun 2026-03-01 14:00 CET (in 1h)"), (7, "Sun 2026-03-01 14:00:07 CET (in 1h)")],
)
def test_a_full_date_has_its_weekday_and_zone(second: int, said: str) -> None:
    assert full_date(NOON + timedelta(hours=1, seconds=second), NOON, ZoneInfo("Europe/Berlin")) == said
