"""Spans, times of day and snooze values: parse and format."""

from datetime import time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifybot.times.spans import (
    LONGEST,
    Tomorrow,
    comes_before_close,
    format_snooze,
    format_span,
    parse_snooze,
    parse_span,
    parse_time_of_day,
)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("30s", timedelta(seconds=30)),
        ("15m", timedelta(minutes=15)),
        ("1h", timedelta(hours=1)),
        ("1d", timedelta(days=1)),
        ("1h30m", timedelta(minutes=90)),
        ("1d 2h 3m 4s", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("90m", timedelta(minutes=90)),
        (" 15m ", timedelta(minutes=15)),
        ("90", timedelta(seconds=90)),
        (90, timedelta(seconds=90)),
        (1, timedelta(seconds=1)),
        ("366d", timedelta(days=366)),
        (366 * 86400, timedelta(days=366)),
    ],
)
def test_a_span_parses_from_units_or_seconds(written: str | int, meant: timedelta) -> None:
    assert parse_span(written) == meant


@pytest.mark.parametrize("written", ["never", "0", "0s", "0h0m", 0])
def test_zero_and_never_switch_a_span_off(written: str | int) -> None:
    assert parse_span(written) is None


@pytest.mark.parametrize(
    "written",
    ["", " ", "h", "1x", "m15", "1m1h", "1h1h", "1.5h", "-5m", "+5m", "15 m", "1H", "٣m", "1h\n2m", "Never", "∞"],
)
def test_an_invalid_span_is_refused_with_examples(written: str) -> None:
    with pytest.raises(ValueError, match="a span is written like 30s, 15m, 1h30m or 1d"):
        parse_span(written)


@pytest.mark.parametrize("written", ["367d", "366d1s", "999999999d", "999999999999", 366 * 86400 + 1, -1, 10**30])
def test_a_span_outside_of_one_second_and_366_days_is_refused(written: str | int) -> None:
    with pytest.raises(ValueError, match="at least 1 second and at most 366 days"):
        parse_span(written)


def test_true_is_not_one_second() -> None:
    with pytest.raises(ValueError, match="a span is written like"):
        parse_span(True)


@pytest.mark.parametrize(
    ("span", "written"),
    [
        (timedelta(minutes=15), "15m"),
        (timedelta(minutes=90), "1h30m"),
        (timedelta(hours=36), "1d12h"),
        (timedelta(days=90), "90d"),
        (timedelta(seconds=61.9), "1m1s"),
        (timedelta(0), "0s"),
        (None, "never"),
    ],
)
def test_a_span_formats_in_the_largest_units(span: timedelta | None, written: str) -> None:
    assert format_span(span) == written


@given(st.integers(min_value=0, max_value=int(LONGEST.total_seconds())))
def test_a_formatted_span_parses_back(seconds: int) -> None:
    span = parse_span(seconds)
    assert parse_span(format_span(span)) == span


@given(st.text(alphabet="0123456789dhms never", max_size=20) | st.text())
def test_parsing_raises_nothing_but_value_error(text: str) -> None:
    try:
        span = parse_span(text)
    except ValueError:
        return
    assert span is None or timedelta(seconds=1) <= span <= LONGEST


@pytest.mark.parametrize(
    ("after", "close_after", "comes"), [(59, 60, True), (60, 60, False), (61, 60, False), (61, None, True)]
)
def test_a_step_due_when_the_alert_closes_never_comes(after: int, close_after: int | None, comes: bool) -> None:
    closes = None if close_after is None else timedelta(minutes=close_after)
    assert comes_before_close(timedelta(minutes=after), closes) is comes


@pytest.mark.parametrize(("written", "meant"), [("09:00", time(9)), ("9:05", time(9, 5)), ("23:59", time(23, 59))])
def test_a_time_of_day_parses(written: str, meant: time) -> None:
    assert parse_time_of_day(written) == meant


@pytest.mark.parametrize("written", ["", "9", "24:00", "12:60", "9:5", "09:00:00", "9 am", "-1:00"])
def test_an_invalid_time_of_day_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="a time of day is written like 09:00"):
        parse_time_of_day(written)


@pytest.mark.parametrize(
    "snooze", [timedelta(hours=1), timedelta(days=1, minutes=3), Tomorrow(time(9)), Tomorrow(time(7, 30))]
)
def test_a_snooze_value_formats_and_parses_back(snooze: timedelta | Tomorrow) -> None:
    assert parse_snooze(format_snooze(snooze)) == snooze


@pytest.mark.parametrize("written", ["never", "0", "tomorrow", "tomorrow 25:00", "today 09:00", ""])
def test_a_snooze_has_an_end(written: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_snooze(written)
