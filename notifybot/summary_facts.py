"""What a daily summary tells, as values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

AN_HOUR, A_DAY, A_WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
HOURLY_UP_TO, DAILY_UP_TO = timedelta(hours=26), timedelta(days=45)


@dataclass(frozen=True)
class Period:
    """From `begin` on, before `end`."""

    begin: datetime
    end: datetime

    @property
    def before(self) -> "Period":
        """The one before it, which is as long."""
        return Period(self.begin - (self.end - self.begin), self.begin)

    @property
    def is_a_day(self) -> bool:
        """Also on the dates on which clocks are changed."""
        return abs(self.end - self.begin - A_DAY) <= 2 * AN_HOUR


@dataclass(frozen=True)
class Tally:
    """How many messages there were. `sent` stand in a chat, `alerts` of them are alerts; `unanswered` are alerts that
    time closed; `answered` are those that somebody acknowledged in this time, whenever they came."""

    sent: int = 0
    alerts: int = 0
    failed: int = 0
    unanswered: int = 0
    answered: int = 0


@dataclass(frozen=True)
class OpenAlert:
    since: datetime
    text: str
    """Its title or its first line, in plain text."""


@dataclass(frozen=True)
class Arrivals:
    """So many messages came at about this moment."""

    at: datetime
    count: int
    is_alert: bool


@dataclass(frozen=True)
class Facts:
    """`oldest` are the first of the `open` alerts. Names come with how often, the most frequent first."""

    period: Period
    tally: Tally = Tally()
    before: Tally = Tally()
    sources: tuple[tuple[str, int], ...] = ()
    events: tuple[tuple[str, int], ...] = ()
    answered_by: tuple[tuple[str, int], ...] = ()
    median: timedelta | None = None
    """Half of the answers came within so long."""
    open: int = 0
    oldest: tuple[OpenAlert, ...] = ()
    arrivals: tuple[Arrivals, ...] = ()
    arrivals_before: tuple[Arrivals, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to say of this time; what was before does not count."""
        return self.tally == Tally() and not self.sources and not self.open


@dataclass(frozen=True)
class Bar:
    """What came from `begin` on for as long as a bar is wide; `before`: in the same part of the period before."""

    begin: datetime
    alerts: int = 0
    notices: int = 0
    before: int = 0


def bars(facts: Facts) -> tuple[tuple[Bar, ...], timedelta]:
    """The period in hours, or in days or weeks where it is long; and how wide a bar is."""
    period = facts.period
    length = period.end - period.begin
    width = AN_HOUR if length <= HOURLY_UP_TO else A_DAY if length <= DAILY_UP_TO else A_WEEK
    size = max(1, -(-length // width))
    alerts = _counts((each for each in facts.arrivals if each.is_alert), period.begin, width, size)
    notices = _counts((each for each in facts.arrivals if not each.is_alert), period.begin, width, size)
    before = _counts(facts.arrivals_before, period.before.begin, width, size)
    begins = [period.begin + number * width for number in range(size)]
    return tuple(Bar(*each) for each in zip(begins, alerts, notices, before, strict=True)), width


def _counts(arrivals: Iterable[Arrivals], begin: datetime, width: timedelta, size: int) -> Sequence[int]:
    """How many came in each bar; what lies a little outside, for want of precision, counts at the edge."""
    counts = [0] * size
    for each in arrivals:
        counts[min(max((each.at - begin) // width, 0), size - 1)] += each.count
    return counts
