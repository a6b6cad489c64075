"""End of quiet hours by the wall clock, including clock changes."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifybot.recipients.quiet_hours import QuietHours, ends_at

BERLIN = ZoneInfo("Europe/Berlin")
A_MINUTE = timedelta(minutes=1)
NIGHT = QuietHours.read("22:00", "07:00", "Europe/Berlin")


def berlin(text: str, *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-01-14 21:59:59", None),
        ("2026-01-14 22:00", "2026-01-15 07:00"),
        ("2026-01-15 00:00", "2026-01-15 07:00"),
        ("2026-01-15 06:59:59", "2026-01-15 07:00"),
        ("2026-01-15 07:00", None),
        ("2026-01-15 12:00", None),
    ],
)
def test_a_night_spans_midnight(now: str, end: str | None) -> None:
    assert ends_at(NIGHT, berlin(now)) == (end and berlin(end))


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-01-14 12:59", None),
        ("2026-01-14 13:00", "2026-01-14 14:30"),
        ("2026-01-14 14:29", "2026-01-14 14:30"),
        ("2026-01-14 14:30", None),
    ],
)
def test_quiet_hours_at_noon_end_the_same_day(now: str, end: str | None) -> None:
    noon = QuietHours.read("13:00", "14:30", "Europe/Berlin")
    assert ends_at(noon, berlin(now)) == (end and berlin(end))


def test_the_night_is_an_hour_shorter_when_clocks_go_forward() -> None:
    begun = berlin("2026-03-28 22:00")
    end = ends_at(NIGHT, begun)
    assert end == datetime(2026, 3, 29, 5, 0, tzinfo=UTC)
    assert end - begun == timedelta(hours=8)


def test_the_night_is_an_hour_longer_when_clocks_go_back() -> None:
    begun = berlin("2026-10-24 22:00")
    end = ends_at(NIGHT, begun)
    assert end == datetime(2026, 10, 25, 6, 0, tzinfo=UTC)
    assert end - begun == timedelta(hours=10)


def test_a_skipped_end_is_the_moment_of_the_jump() -> None:
    hours = QuietHours.read("22:00", "02:30", "Europe/Berlin")
    assert ends_at(hours, berlin("2026-03-29 01:59:59")) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert ends_at(hours, berlin("2026-03-29 03:00")) is None


def test_a_skipped_start_is_the_moment_of_the_jump() -> None:
    hours = QuietHours.read("02:30", "07:00", "Europe/Berlin")
    assert ends_at(hours, berlin("2026-03-29 01:59:59")) is None
    assert ends_at(hours, berlin("2026-03-29 03:00")) == berlin("2026-03-29 07:00")


def test_a_repeated_end_is_the_second_one() -> None:
    hours = QuietHours.read("22:00", "02:30", "Europe/Berlin")
    for now in (berlin("2026-10-25 01:00"), berlin("2026-10-25 02:45"), berlin("2026-10-25 02:15", fold=1)):
        assert ends_at(hours, now) == berlin("2026-10-25 02:30", fold=1)
    assert ends_at(hours, berlin("2026-10-25 02:30", fold=1)) is None


def test_a_repeated_start_is_the_first_one() -> None:
    hours = QuietHours.read("02:30", "07:00", "Europe/Berlin")
    assert ends_at(hours, berlin("2026-10-25 02:29")) is None
    for now in (berlin("2026-10-25 02:30"), berlin("2026-10-25 02:10", fold=1)):
        assert ends_at(hours, now) == berlin("2026-10-25 07:00")


def test_a_date_that_a_zone_skipped_does_not_prolong_quiet_hours() -> None:
    hours = QuietHours.read("22:00", "07:00", "Pacific/Apia")  # there was no 30 December 2011
    assert ends_at(hours, datetime(2011, 12, 30, 9, 0, tzinfo=UTC)) == datetime(2011, 12, 30, 10, 0, tzinfo=UTC)


def test_quiet_hours_of_zero_length_never_apply() -> None:
    assert ends_at(QuietHours.read("09:00", "09:00", "UTC"), datetime(2026, 1, 1, 9, 0, tzinfo=UTC)) is None


TIMES = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 59]))
ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Cairo"]
)
MOMENTS = st.integers(0, 3 * 366 * 24 * 60).map(lambda minutes: datetime(2024, 1, 1, tzinfo=UTC) + minutes * A_MINUTE)


@given(TIMES, TIMES, ZONES, MOMENTS)
def test_quiet_hours_follow_the_wall_clock_and_end(start: time, end: time, zone: str, now: datetime) -> None:
    hours = QuietHours(start, end, zone)
    found = ends_at(hours, now)
    shown = now.astimezone(ZoneInfo(zone)).time()
    is_within = start <= shown < end if start <= end else shown >= start or shown < end
    if is_within:
        assert found is not None
    if found is not None:
        assert now < found <= now + timedelta(hours=26)
        assert ends_at(hours, found) is None
        assert ends_at(hours, found - timedelta(seconds=1)) == found
