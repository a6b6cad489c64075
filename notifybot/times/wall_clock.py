"""Wall clocks: when a zone's clocks show a time of day, including days with a clock change."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import count

from notifybot.times.zones import zone_in_use, zone_of

A_DAY = timedelta(days=1)
A_SECOND = timedelta(seconds=1)


def moments(day: date, at: time, zone: tzinfo | None) -> tuple[datetime, ...]:
    """Return the times, in UTC, at which the clocks of `zone` (None: of this machine) show `at` on this day.

    That is one time, or two if the clocks are set back over it. If they skip it, it is the time of the clock change.
    """
    shown = datetime.combine(day, at, tzinfo=zone)
    first, second = (shown.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    return (first, second) if first <= second else (_jump(second, first, zone),)


def _jump(before: datetime, after: datetime, zone: tzinfo | None) -> datetime:
    """Return the first second between two times at which the offset of the zone has changed."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > A_SECOND:
        middle = before + (after - before) // 2
        before, after = (middle, after) if middle.astimezone(zone).utcoffset() == offset else (before, middle)
    return after.replace(microsecond=0)


@dataclass(frozen=True)
class Daily:
    """A daily time: on each date of a zone, the first time its clocks show `at`."""

    at: time
    zone: str

    @staticmethod
    def read(text: str) -> "Daily":
        """Parse the result of `str`, in UTC if the zone is unknown here. Raises ValueError."""
        at, _, zone = text.partition(" ")
        return Daily(time.fromisoformat(at), zone_in_use(zone))

    def __str__(self) -> str:
        return f"{self.at:%H:%M} {self.zone}"

    def on(self, day: date) -> datetime | None:
        """Return the time on this date, in UTC; None for a date that the zone skipped."""
        zone = zone_of(self.zone)
        begins = moments(day, time(), zone)[0]
        return moments(day, self.at, zone)[0] if begins.astimezone(zone).date() == day else None

    def latest(self, now: datetime) -> date:
        """Return the date whose time came last."""
        return next(day for day, moment in self._from(now, -A_DAY) if moment <= now)

    def following(self, now: datetime, *, after: date | None = None) -> tuple[date, datetime]:
        """Return the first date (later than `after`, if given) whose time is still to come, with that time."""
        ahead = ((day, moment) for day, moment in self._from(now, A_DAY) if moment > now)
        return next((day, moment) for day, moment in ahead if after is None or day > after)

    def _from(self, now: datetime, step: timedelta) -> Iterator[tuple[date, datetime]]:
        """Yield dates with their times, in steps, beginning one step before today."""
        begin = now.astimezone(zone_of(self.zone)).date() - step
        for day in (begin + step * number for number in count()):
            if (moment := self.on(day)) is not None:
                yield day, moment
