"""Quiet hours: when notices may be told again. Times are those of the person's own clock, in their zone.

Where their clock is put forward over an hour, what falls into that hour happens as the clock jumps. Where it is put
back, quiet hours begin as it shows their beginning for the first time, and end as it shows their end for the last.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from notifybot.times.wall_clock import A_DAY, moments


@dataclass(frozen=True)
class QuietHours:
    """From `start` until `end`, each a time of the day; from the later to the earlier it goes over midnight."""

    start: time
    end: time
    zone: str

    @classmethod
    @functools.lru_cache(1024)
    def read(cls, start: str, end: str, zone: str) -> "QuietHours":
        """Read times as the database has them: `22:00`."""
        return cls(time.fromisoformat(start), time.fromisoformat(end), zone)


def ends_at(hours: QuietHours, now: datetime) -> datetime | None:
    """When the quiet hours end that it is now, in UTC; None where it is none."""
    return max((end for start, end in _around(hours, now) if start <= now < end), default=None)


def _around(hours: QuietHours, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The quiet hours that may have begun by now, as they follow each other."""
    if hours.start == hours.end:
        return
    zone = ZoneInfo(hours.zone)
    today = now.astimezone(zone).date()
    nights = timedelta(hours.end < hours.start)
    for day in (today - A_DAY, today):
        yield moments(day, hours.start, zone)[0], moments(day + nights, hours.end, zone)[-1]
