"""Timestamps as RFC 3339 and ISO 8601 write them."""

import pytest

from notifybot.times.timestamps import parse_timestamp


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-01-31T18:30:00Z", "2026-01-31T18:30:00+00:00"),
        ("2026-01-31t18:30:00z", "2026-01-31T18:30:00+00:00"),
        ("2026-01-31 18:30:00z", "2026-01-31T18:30:00+00:00"),
        ("2026-01-31T18:30:00.25z", "2026-01-31T18:30:00.250000+00:00"),
        ("2026-01-31t18:30:00-08:00", "2026-01-31T18:30:00-08:00"),
        ("2026-01-31T18:30", "2026-01-31T18:30:00"),
        ("2026-01-31", "2026-01-31T00:00:00"),
        # Leap seconds, also where an offset moves them to another hour.
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00"),
        ("1990-12-31t23:59:60z", "1991-01-01T00:00:00+00:00"),
        ("1990-12-31T15:59:60-08:00", "1990-12-31T16:00:00-08:00"),
        ("2016-12-31T23:59:60.5Z", "2017-01-01T00:00:00.500000+00:00"),
        ("2016-12-31T23:59:60", "2017-01-01T00:00:00"),
    ],
)
def test_valid_timestamps(written: str, meant: str) -> None:
    assert parse_timestamp(written).isoformat() == meant


@pytest.mark.parametrize(
    "written",
    ["", "soon", "2026-01-31T18:60:00Z", "2026-01-31T60:00:00Z", "2026-01-31T18:30:61Z", "2026-02-30t18:30:60z", "60"],
)
def test_invalid_timestamps(written: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse_timestamp(written)


def test_a_leap_second_at_the_end_of_the_calendar_overflows() -> None:
    with pytest.raises(OverflowError):
        parse_timestamp("9999-12-31T23:59:60Z")
