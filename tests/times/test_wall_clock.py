"""Daily times: once on each local date, with skipped times, repeated times and skipped dates."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifybot.times.wall_clock import Daily

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Africa/Cairo", "America/St_Johns", "Asia/Kolkata", "Pacific/Apia"]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("daily", "day", "moment"),
    [
        ("09:00 UTC", "2026-03-02", "2026-03-02 09:00"),
        ("09:00 Europe/Berlin", "2026-03-28", "2026-03-28 08:00"),
        ("09:00 Europe/Berlin", "2026-03-29", "2026-03-29 07:00"),
        ("02:30 Europe/Berlin", "2026-03-29", "2026-03-29 01:00"),  # skipped
        ("02:30 Europe/Berlin", "2026-10-25", "2026-10-25 00:30"),  # the first of two
        ("02:30 America/New_York", "2026-03-08", "2026-03-08 07:00"),
        ("01:30 America/New_York", "2026-11-01", "2026-11-01 05:30"),
        ("00:00 Africa/Cairo", "2026-04-24", "2026-04-23 22:00"),  # a day that begins at 01:00
        ("00:30 Africa/Cairo", "2026-04-24", "2026-04-23 22:00"),
        ("23:30 Africa/Cairo", "2026-10-29", "2026-10-29 20:30"),  # the first of two
        ("09:00 Europe/Berlin", "2028-02-29", "2028-02-29 08:00"),
        ("09:00 Pacific/Apia", "2011-12-30", None),  # a skipped date
    ],
)
def test_the_time_on_a_date(daily: str, day: str, moment: str | None) -> None:
    assert Daily.read(daily).on(date.fromisoformat(day)) == (moment and utc(moment))


@pytest.mark.parametrize(
    ("now", "day", "moment"),
    [
        ("2026-03-02 08:59", "2026-03-02", "2026-03-02 09:00"),
        ("2026-03-02 09:00", "2026-03-03", "2026-03-03 09:00"),
        ("2026-03-02 23:59", "2026-03-03", "2026-03-03 09:00"),
    ],
)
def test_the_following_date_is_the_first_one_still_to_come(now: str, day: str, moment: str) -> None:
    assert Daily.read("09:00 UTC").following(utc(now)) == (date.fromisoformat(day), utc(moment))


def test_finished_dates_do_not_follow() -> None:
    today = date(2026, 3, 2)
    day, moment = Daily.read("09:00 UTC").following(utc("2026-03-02 08:00"), after=today)
    assert (day, moment) == (date(2026, 3, 3), utc("2026-03-03 09:00"))


def test_the_latest_date_is_the_last_one_that_has_come() -> None:
    daily = Daily.read("09:00 UTC")
    assert daily.latest(utc("2026-03-02 08:59")) == date(2026, 3, 1)
    assert daily.latest(utc("2026-03-02 09:00")) == date(2026, 3, 2)


def test_a_date_skipped_by_a_zone_never_comes() -> None:
    daily = Daily.read("09:00 Pacific/Apia")
    before = utc("2011-12-29 19:30")  # 09:30 on the 29th there
    assert daily.latest(before) == date(2011, 12, 29)
    assert daily.following(before) == (date(2011, 12, 31), utc("2011-12-30 19:00"))


def test_a_daily_time_formats_and_parses_back() -> None:
    daily = Daily(time(7, 30), "Asia/Kolkata")
    assert Daily.read(str(daily)) == daily


SINCE_2005 = st.integers(0, 32 * 365 * 24 * 60 * 60)
MOMENTS = st.builds(lambda seconds: utc("2005-01-01") + timedelta(seconds=seconds), SINCE_2005)
DAILIES = st.builds(Daily, st.builds(time, st.integers(0, 23), st.integers(0, 59)), st.sampled_from(ZONES))


@given(DAILIES, MOMENTS)
def test_each_date_follows_once_and_in_order(daily: Daily, begin: datetime) -> None:
    now, days = begin, [daily.latest(begin)]
    for _ in range(5):
        assert daily.latest(now) == days[-1]
        day, moment = daily.following(now)
        assert daily.latest(moment - timedelta(microseconds=1)) == days[-1]
        now, days = moment, [*days, day]
    steps = {(later - earlier).days for earlier, later in pairwise(days)}
    left_out = daily.zone == "Pacific/Apia" and days[0] < date(2011, 12, 30) < days[-1]
    assert steps == ({1, 2} if left_out else {1})
