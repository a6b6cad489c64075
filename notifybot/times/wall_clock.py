"""The clocks of a zone: when they show a time of the day, on the days that they are changed as well."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import count
from zoneinfo import ZoneInfo

A_DAY = timedelta(days=1)
A_SECOND = timedelta(seconds=1)


def moments(day: date, at: time, zone: tzinfo | None) -> tuple[datetime, ...]:
    """When a clock of `zone`, or of this machine, shows this, in UTC: once, or twice where it is put back; where it
    never does, the moment at which it jumps over it."""
    shown = datetime.combine(day, at, tzinfo=zone)
    first, second = (shown.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    return (first, second) if first <= second else (_jump(second, first, zone),)


def _jump(before: datetime, after: datetime, zone: tzinfo | None) -> datetime:
    """The first second between these two at which the zone has another offset than before."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > A_SECOND:
        middle = before + (after - before) // 2
        before, after = (middle, after) if middle.astimezone(zone).utcoffset() == offset else (before, middle)
    return after.replace(microsecond=0)


@dataclass(frozen=True)
class Daily:
    """Once on each date of a zone, as its clocks show `at` for the first time on that date."""

    at: time
    zone: str

    @staticmethod
    def read(text: str) -> "Daily":
        """Read what `str` made; raises ValueError, and KeyError where there is no such zone."""
        at, _, zone = text.partition(" ")
        return Daily(time.fromisoformat(at), ZoneInfo(zone).key)

    def __str__(self) -> str:
        return f"{self.at:%H:%M} {self.zone}"

    def on(self, day: date) -> datetime | None:
        """When that is on this date, in UTC; None for a date that the zone left out."""
        zone = ZoneInfo(self.zone)
        begins = moments(day, time(), zone)[0]
        return moments(day, self.at, zone)[0] if begins.astimezone(zone).date() == day else None

    def latest(self, now: datetime) -> date:
        """The date whose moment came last."""
        return next(day for day, moment in self._from(now, -A_DAY) if moment <= now)

    def following(self, now: datetime, *, after: date | None = None) -> tuple[date, datetime]:
        """The first date whose moment is still to come, with that moment; only dates behind `after` count."""
        ahead = ((day, moment) for day, moment in self._from(now, A_DAY) if moment > now)
        return next((day, moment) for day, moment in ahead if after is None or day > after)

    def _from(self, now: datetime, step: timedelta) -> Iterator[tuple[date, datetime]]:
        """The dates and their moments, one after the other, from before (or behind) today."""
        begin = now.astimezone(ZoneInfo(self.zone)).date() - step
        for day in (begin + step * number for number in count()):
            if (moment := self.on(day)) is not None:
                yield day, moment
