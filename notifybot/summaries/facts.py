"""The figures of a daily summary, as values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

AN_HOUR, A_DAY = timedelta(hours=1), timedelta(days=1)
HOURLY_UP_TO = timedelta(hours=26)


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

    @property
    def step(self) -> timedelta:
        """A day has a bar for each hour, a longer time one for each day."""
        return AN_HOUR if self.end - self.begin <= HOURLY_UP_TO else A_DAY

    @property
    def steps(self) -> tuple[datetime, ...]:
        """When each bar begins; the last may be narrower than the others."""
        size = max(1, -(-(self.end - self.begin) // self.step))
        return tuple(self.begin + number * self.step for number in range(size))


@dataclass(frozen=True)
class Tally:
    """How many messages there were. `sent` stand in a chat, `alerts` of them are alerts; `waiting` still may.

    `unanswered` are alerts that time closed, `answered` those acknowledged in this time, whenever they came.
    """

    sent: int = 0
    alerts: int = 0
    waiting: int = 0
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
    """So many messages came in this step of the period, counted from 0."""

    step: int
    count: int
    is_alert: bool


@dataclass(frozen=True)
class SummaryFacts:
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
    """What came from `begin` on; `before`: in the same step of the period before."""

    begin: datetime
    alerts: int = 0
    notices: int = 0
    before: int = 0


def bars(facts: SummaryFacts) -> tuple[Bar, ...]:
    """What came in each step of the period."""
    steps = facts.period.steps
    alerts = _counts((each for each in facts.arrivals if each.is_alert), len(steps))
    notices = _counts((each for each in facts.arrivals if not each.is_alert), len(steps))
    before = _counts(facts.arrivals_before, len(steps))
    return tuple(Bar(*each) for each in zip(steps, alerts, notices, before, strict=True))


def _counts(arrivals: Iterable[Arrivals], size: int) -> Sequence[int]:
    counts = [0] * size
    for each in arrivals:
        counts[each.step] += each.count
    return counts
