"""Quiet hours: until when notices wait, by the person's own clock.

A time that the clock skips counts as the moment of the clock change. If the clock shows a time twice, quiet hours start
at the first and end at the second.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from notifybot.times.wall_clock import A_DAY, moments
from notifybot.times.zones import zone_of


@dataclass(frozen=True)
class QuietHours:
    """From `start` until `end`; past midnight if `end` is earlier."""

    start: time
    end: time
    zone: str

    @classmethod
    @functools.lru_cache(1024)
    def read(cls, start: str, end: str, zone: str) -> "QuietHours":
        """Read times as the database stores them: `22:00`."""
        return cls(time.fromisoformat(start), time.fromisoformat(end), zone)


def ends_at(hours: QuietHours, now: datetime) -> datetime | None:
    """Return when the current quiet hours end, in UTC; None outside quiet hours."""
    return max((end for start, end in _around(hours, now) if start <= now < end), default=None)


def _around(hours: QuietHours, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield the quiet hours that may have started by now, in order."""
    if hours.start == hours.end:
        return
    zone = zone_of(hours.zone)
    today = now.astimezone(zone).date()
    nights = timedelta(hours.end < hours.start)
    for day in (today - A_DAY, today):
        yield moments(day, hours.start, zone)[0], moments(day + nights, hours.end, zone)[-1]
