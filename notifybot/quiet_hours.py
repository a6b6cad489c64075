"""Quiet hours: when notices may be told again. Times are those of the person's own clock, in their zone.

Where their clock is put forward over an hour, what falls into that hour happens as the clock jumps. Where it is put
back, quiet hours begin as it shows their beginning for the first time, and end as it shows their end for the last.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

A_DAY = timedelta(days=1)
A_SECOND = timedelta(seconds=1)


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
        yield _moments(day, hours.start, zone)[0], _moments(day + nights, hours.end, zone)[-1]


def _moments(day: date, at: time, zone: ZoneInfo) -> tuple[datetime, ...]:
    """When a clock shows this: once, or twice where it is put back; where it never does, the moment at which it jumps
    over it."""
    shown = datetime.combine(day, at, tzinfo=zone)
    first, second = (shown.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    return (first, second) if first <= second else (_jump(second, first, zone),)


def _jump(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first second between these two at which the zone has another offset than before."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > A_SECOND:
        middle = before + (after - before) // 2
        before, after = (middle, after) if middle.astimezone(zone).utcoffset() == offset else (before, middle)
    return after.replace(microsecond=0)
