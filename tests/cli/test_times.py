"""Times and repetitions as people type them."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from datetime import time as clock_time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifybot.cli.times import read_moment, read_repetition
from notifybot.times.recurrence import parse

ZONE = timezone(timedelta(hours=2))
SUNDAY_AT_14 = datetime(2026, 3, 1, 14, 0, tzinfo=ZONE)
BERLIN = ZoneInfo("Europe/Berlin")
CAIRO = ZoneInfo("Africa/Cairo")


@pytest.fixture(autouse=True)
def _elsewhere() -> Iterator[None]:
    """Set the machine's time zone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "EET-2")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("18:30", "2026-03-01T18:30+02:00"),
        ("9:05", "2026-03-02T09:05+02:00"),
        ("14:00", "2026-03-02T14:00+02:00"),
        ("6:30pm", "2026-03-01T18:30+02:00"),
        ("12am", "2026-03-02T00:00+02:00"),
        ("12 PM", "2026-03-02T12:00+02:00"),
        ("today 18:30", "2026-03-01T18:30+02:00"),
        ("today 9:00", "2026-03-01T09:00+02:00"),
        ("tomorrow 09:00", "2026-03-02T09:00+02:00"),
        (" Tomorrow  23:59 ", "2026-03-02T23:59+02:00"),
        ("tomorrow 9am", "2026-03-02T09:00+02:00"),
        ("mon 9:00", "2026-03-02T09:00+02:00"),
        ("Saturday 9:00", "2026-03-07T09:00+02:00"),
        ("sun 18:30", "2026-03-01T18:30+02:00"),
        ("sun 9:00", "2026-03-08T09:00+02:00"),
        ("+2h", "2026-03-01T16:00+02:00"),
        ("+1h30m", "2026-03-01T15:30+02:00"),
        ("in 20m", "2026-03-01T14:20+02:00"),
        ("2026-04-01 08:00", "2026-04-01T08:00+02:00"),
        ("2026-04-01T08:00Z", "2026-04-01T08:00+00:00"),
        ("2026-04-01T08:00:30-05:00", "2026-04-01T08:00:30-05:00"),
    ],
)
def test_a_time_is_parsed(typed: str, meant: str) -> None:
    assert read_moment(typed, SUNDAY_AT_14) == datetime.fromisoformat(meant)


@pytest.mark.parametrize(
    "typed",
    [
        *("", "soon", "24:00", "12", "tomorrow", "tomorrow 9", "yesterday 09:00", "18:30:00 x", "13pm", "0am"),
        *("mo 9:00", "mondays 9:00", "+", "+2x", "+0", "+never", "+400d", "in the evening", "2026-02-30 08:00"),
    ],
)
def test_an_invalid_time_is_refused(typed: str) -> None:
    with pytest.raises(ValueError):
        read_moment(typed, SUNDAY_AT_14)


def test_a_time_is_parsed_in_the_given_zone() -> None:
    meant = read_moment("mon 9:00", SUNDAY_AT_14, ZoneInfo("America/New_York"))

    assert meant == datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
    assert f"{meant:%H:%M %Z}" == "09:00 EST"


@pytest.mark.parametrize(
    ("zone", "now", "typed", "meant"),
    [
        # Berlin's clocks go forward at 02:00, and back at 03:00.
        (BERLIN, "2026-03-28T12:00Z", "tomorrow 2:30", "2026-03-29T01:00Z"),
        (BERLIN, "2026-03-28T12:00Z", "2026-03-29 02:30", "2026-03-29T01:00Z"),
        (BERLIN, "2026-03-28T12:00Z", "tomorrow 9:00", "2026-03-29T07:00Z"),
        (BERLIN, "2026-03-28T12:00Z", "+24h", "2026-03-29T12:00Z"),
        (BERLIN, "2026-10-24T12:00Z", "2:30", "2026-10-25T00:30Z"),
        (BERLIN, "2026-10-25T00:45Z", "2:30", "2026-10-25T01:30Z"),
        (BERLIN, "2026-10-25T00:45Z", "today 2:30", "2026-10-25T01:30Z"),
        (BERLIN, "2026-10-25T01:45Z", "2:30", "2026-10-26T01:30Z"),
        # Cairo's clocks skip the hour after midnight.
        (CAIRO, "2026-04-23T12:00Z", "tomorrow 00:30", "2026-04-23T22:00Z"),
        (CAIRO, "2026-04-23T12:00Z", "fri 00:30", "2026-04-23T22:00Z"),
    ],
)
def test_daylight_saving_changes_are_right(zone: ZoneInfo, now: str, typed: str, meant: str) -> None:
    found = read_moment(typed, datetime.fromisoformat(now), zone)

    assert found.astimezone(UTC) == datetime.fromisoformat(meant)


CHANGES = [
    *(("Europe/Berlin", "2026-03-29T01:00Z"), ("Europe/Berlin", "2026-10-25T01:00Z")),
    *(("America/New_York", "2026-03-08T07:00Z"), ("America/New_York", "2026-11-01T06:00Z")),
    *(("Africa/Cairo", "2026-04-23T22:00Z"), ("Africa/Cairo", "2026-10-29T21:00Z")),
    *(("Australia/Lord_Howe", "2026-04-04T15:00Z"), ("Australia/Lord_Howe", "2026-10-03T15:30Z")),
]
"""Time zones with daylight saving changes."""


@given(
    st.sampled_from(CHANGES),
    st.timedeltas(timedelta(hours=-26), timedelta(hours=26)),
    st.times() | st.times(max_value=clock_time(3, 30)),
)
def test_a_time_of_the_day_is_the_first_one_ahead(change: tuple[str, str], distance: timedelta, at: clock_time) -> None:
    name, changed_at = change
    now = datetime.fromisoformat(changed_at) + distance
    zone, typed = ZoneInfo(name), f"{at:%H:%M}"

    found = read_moment(typed, now, zone)

    shown = found.astimezone(zone)
    is_shown = (shown.hour, shown.minute) == (at.hour, at.minute)
    is_skipped = (found.astimezone(UTC) - timedelta(seconds=1)).astimezone(zone).time() < at.replace(tzinfo=None)
    assert now < found.astimezone(UTC) <= now + timedelta(hours=25)
    assert is_shown or (is_skipped and shown.time() > at)
    assert read_moment(typed, found.astimezone(UTC) - timedelta(microseconds=1), zone) == found
    assert read_moment(typed, found.astimezone(UTC), zone).astimezone(UTC) > found.astimezone(UTC)


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("15m", "every 15m"),
        ("1h30m", "every 1h30m"),
        ("9:00", "0 9 * * *"),
        ("day 18:30", "30 18 * * *"),
        ("mon 9:00", "0 9 * * 1"),
        ("Sunday 6pm", "0 18 * * 0"),
        ("0 9 * * 1-5", "0 9 * * 1-5"),
        ("@daily", "@daily"),
        ("every 2h", "every 2h"),
    ],
)
def test_a_repetition_is_converted_for_the_daemon(typed: str, told: str) -> None:
    assert read_repetition(typed) == told
    assert parse(told)


@pytest.mark.parametrize("typed", ["", "now and then", "never", "mo 9:00", "25:00"])
def test_an_invalid_repetition_is_left_for_the_daemon_to_refuse(typed: str) -> None:
    assert read_repetition(typed) == typed
