"""Repeat rules: times through clock changes and leap years."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifybot.times import recurrence
from notifybot.times.recurrence import Repeat

A_MINUTE = timedelta(minutes=1)
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Kathmandu"]
FIXED = ["30 2 * * *", "0 0 * * *", "15,45 1-3 * * *", "0 9 * * mon-fri", "0 12 29 2 *", "0 0 1 */3 *", "30 1 13 * fri"]
WILD = ["*/15 * * * *", "*/7 2 * * *", "0 * * * *", "30 * * * sun", "* 0 * * *"]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def times(repeat: str, zone: str, after: str, count: int = 3) -> list[str]:
    found = recurrence.occurrences(recurrence.parse(repeat), zone, at(after), at(after))
    return [f"{moment:%m-%d %H:%M}" for moment in islice(found, count)]


@pytest.mark.parametrize(
    ("repeat", "zone", "after", "expected"),
    [
        # Clocks go from 02:00 to 03:00 on March 29, and from 03:00 back to 02:00 on October 25.
        ("30 2 * * *", "Europe/Berlin", "2026-03-27T12:00", ["03-28 01:30", "03-29 01:00", "03-30 00:30"]),
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", ["10-25 00:30", "10-26 01:30", "10-27 01:30"]),
        ("0 9 * * *", "Europe/Berlin", "2026-03-28T00:00", ["03-28 08:00", "03-29 07:00", "03-30 07:00"]),
        ("0 9 * * *", "Europe/Berlin", "2026-10-24T00:00", ["10-24 07:00", "10-25 08:00", "10-26 08:00"]),
        # From 02:00 to 03:00 on March 8, and from 02:00 back to 01:00 on November 1.
        ("30 2 * * *", "America/New_York", "2026-03-07T12:00", ["03-08 07:00", "03-09 06:30", "03-10 06:30"]),
        ("30 1 * * *", "America/New_York", "2026-10-31T12:00", ["11-01 05:30", "11-02 06:30", "11-03 06:30"]),
        # From 00:00 to 01:00 on April 24, and from 00:00 back to 23:00 of the day before on October 29.
        ("@daily", "Africa/Cairo", "2026-04-22T12:00", ["04-22 22:00", "04-23 22:00", "04-24 21:00"]),
        ("30 23 * * *", "Africa/Cairo", "2026-10-28T12:00", ["10-28 20:30", "10-29 20:30", "10-30 21:30"]),
    ],
)
def test_a_time_of_day_comes_once_a_day_despite_clock_changes(
    repeat: str, zone: str, after: str, expected: list[str]
) -> None:
    assert times(repeat, zone, after) == expected


def test_a_quarter_hourly_rule_runs_through_the_repeated_hour() -> None:
    found = times("*/15 * * * *", "Europe/Berlin", "2026-10-25T00:00", count=9)

    assert found == [f"10-25 {hour:02}:{minute:02}" for hour in range(3) for minute in (0, 15, 30, 45)][1:10]


def test_two_skipped_times_come_as_one() -> None:
    found = times("0,30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", count=3)

    assert found == ["03-29 01:00", "03-30 00:00", "03-30 00:30"]


def test_the_repeated_hour_repeats_no_occurrence() -> None:
    first_half_past_two, second_twenty_past_two = "2026-10-25T00:30", "2026-10-25T01:20"

    assert times("30 2 * * *", "Europe/Berlin", first_half_past_two, count=1) == ["10-26 01:30"]
    assert times("30 2 * * *", "Europe/Berlin", second_twenty_past_two, count=1) == ["10-26 01:30"]


def test_the_leap_day_comes_in_leap_years_only() -> None:
    found = recurrence.occurrences(recurrence.parse("0 9 29 2 *"), "UTC", at("2026-01-01"), at("2026-01-01"))

    assert [moment.year for moment in islice(found, 3)] == [2028, 2032, 2036]


def test_spans_count_from_the_first_time_in_any_zone() -> None:
    repeat, begins_at = recurrence.parse("every 90m"), at("2026-03-28T23:10")

    found = recurrence.occurrences(repeat, "Europe/Berlin", begins_at, at("2026-03-29T00:00"))

    assert [f"{moment:%H:%M}" for moment in islice(found, 3)] == ["00:40", "02:10", "03:40"]


@pytest.mark.parametrize(
    ("repeat", "send_at", "first"),
    [
        ("every 15m", None, "2026-03-02T09:15"),
        ("every 15m", "2026-03-02T12:00", "2026-03-02T12:00"),
        ("every 15m", "2026-03-02T08:50", "2026-03-02T09:05"),
        ("0 9 * * *", None, "2026-03-02T09:00"),
        ("0 8 * * *", None, "2026-03-03T08:00"),
        ("0 8 * * *", "2026-03-05T08:00", "2026-03-05T08:00"),
        ("0 8 * * *", "2026-03-05T08:01", "2026-03-06T08:00"),
        ("0 8 * * *", "2020-01-01T00:00", "2026-03-03T08:00"),
    ],
)
def test_the_first_time_is_the_first_one_from_send_at_on(repeat: str, send_at: str | None, first: str) -> None:
    begins = None if send_at is None else at(send_at)

    found = recurrence.first_of(recurrence.parse(repeat), "UTC", begins, now=at("2026-03-02T09:00"))

    assert found == at(first)


def test_people_are_shown_the_next_five_times() -> None:
    found = recurrence.upcoming(recurrence.parse("@weekly"), "UTC", None, now=at("2026-03-02T09:00"))

    assert [f"{moment:%m-%d}" for moment in found] == ["03-08", "03-15", "03-22", "03-29", "04-05"]


def test_no_time_follows_the_end_of_the_calendar() -> None:
    repeat, last = recurrence.parse("every 366d"), datetime(9999, 6, 1, tzinfo=UTC)

    assert recurrence.next_after(repeat, "UTC", last, last) is None
    assert recurrence.next_after(recurrence.parse("@yearly"), "UTC", last, last) is None


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("every", "written like every 15m"),
        ("every day", "written like every 15m"),
        ("every 30s", "interval is one minute"),
        ("every never", "interval is one minute"),
        ("every 400d", "written like every 15m"),
        ("tomorrow", "has five fields"),
        ("", "has five fields"),
        ("60 * * * *", "'60' is not a valid minute"),
        ("0 0 30 2 *", "this day never comes"),
        ("0 0 30 2 */2", "this day never comes"),
    ],
)
def test_an_invalid_rule_is_refused_in_one_sentence(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        recurrence.parse(text)


@pytest.mark.parametrize("text", ["@daily", "0 9 * * mon-fri", "EVERY  2h", "0 12 * * SUN"])
def test_a_stored_rule_parses_back(text: str) -> None:
    repeat = recurrence.parse(text)

    assert recurrence.parse(str(repeat)) == repeat


YEARS = st.integers(0, 5 * 366 * 24 * 3600).map(lambda seconds: at("2024-01-01") + timedelta(seconds=seconds))


@given(st.sampled_from(FIXED + WILD), st.sampled_from(ZONES), YEARS)
def test_times_increase_and_do_not_depend_on_the_start_of_the_search(repeat: str, zone: str, after: datetime) -> None:
    found = recurrence.parse(repeat)
    times = list(islice(recurrence.occurrences(found, zone, after, after), 6))

    assert all(earlier < later for earlier, later in pairwise([after, *times]))
    for earlier, later in pairwise(times):
        assert recurrence.next_after(found, zone, after, earlier) == later
        assert recurrence.next_after(found, zone, after, earlier + (later - earlier) / 2) == later
        assert recurrence.next_after(found, zone, after, later - timedelta(microseconds=1)) == later


@given(st.sampled_from(WILD), st.sampled_from(ZONES), YEARS)
def test_a_rule_with_starred_minutes_follows_the_wall_clock(repeat: str, zone: str, after: datetime) -> None:
    start = after.replace(second=0, microsecond=0)
    minutes = (start + number * A_MINUTE for number in range(1, 36 * 60))
    expected = [minute for minute in minutes if _fits(repeat, minute.astimezone(ZoneInfo(zone)))]

    end = start + 36 * 60 * A_MINUTE
    found = recurrence.occurrences(recurrence.parse(repeat), zone, start, start)

    assert [moment for moment in islice(found, len(expected) + 1) if moment < end] == expected


def _fits(repeat: str, local: datetime) -> bool:
    minute, hour, _, _, weekday = repeat.split()
    step = int(minute[2:]) if minute.startswith("*/") else 1
    fits_minute = local.minute % step == 0 if minute.startswith("*") else local.minute == int(minute)
    return fits_minute and hour in ("*", str(local.hour)) and (weekday == "*" or local.weekday() == 6)


@given(st.sampled_from(FIXED), st.sampled_from(ZONES), YEARS)
def test_a_time_of_day_comes_once_on_each_of_its_dates(repeat: str, zone: str, after: datetime) -> None:
    found = islice(recurrence.occurrences(recurrence.parse(repeat), zone, after, after), 12)
    seen = [moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for moment in found]

    assert len(set(seen)) == len(seen)


@given(st.sampled_from([*FIXED, *WILD, "every 7m", "every 25h"]), st.sampled_from(ZONES), YEARS, st.integers(0, 20_000))
def test_count_equals_the_number_of_times(repeat: str, zone: str, after: datetime, minutes: int) -> None:
    found, until = recurrence.parse(repeat), after + minutes * A_MINUTE
    begins_at = after + 3 * A_MINUTE
    expected = sum(1 for _ in _until(found, zone, begins_at, after, until))

    assert recurrence.count(found, zone, begins_at, after=after, until=until, most=100_000) == expected


def _until(repeat: Repeat, zone: str, begins_at: datetime, after: datetime, until: datetime) -> list[datetime]:
    times: list[datetime] = []
    for moment in recurrence.occurrences(repeat, zone, begins_at, after):
        if moment > until:
            break
        times.append(moment)
    return times
