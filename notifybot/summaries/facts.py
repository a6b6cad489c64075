"""The figures of a daily summary, as values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MAX_HOURLY_PERIOD = timedelta(hours=26)


@dataclass(frozen=True)
class Period:
    """A span of time, from `begin` up to but not including `end`."""

    begin: datetime
    end: datetime

    @property
    def before(self) -> "Period":
        """The period of the same length just before."""
        return Period(self.begin - (self.end - self.begin), self.begin)

    @property
    def is_a_day(self) -> bool:
        """True for 23 and 25 hours too, when the clocks change."""
        return abs(self.end - self.begin - DAY) <= 2 * HOUR

    @property
    def step(self) -> timedelta:
        """The width of a bar: an hour for a day, else a day."""
        return HOUR if self.end - self.begin <= MAX_HOURLY_PERIOD else DAY

    @property
    def steps(self) -> tuple[datetime, ...]:
        """The beginning of each bar: hours are full hours, so the first and the last may be narrower."""
        first = self.begin.replace(minute=0, second=0, microsecond=0) if self.step == HOUR else self.begin
        size = max(1, -(-(self.end - first) // self.step))
        return tuple(first + number * self.step for number in range(size))


@dataclass(frozen=True)
class Tally:
    """Counts of messages. `sent` were shown in a chat, `alerts` of them are alerts; `waiting` are still to be shown.

    `expired` alerts were closed by time unacknowledged; `acknowledged` ones may have come before the period.
    """

    sent: int = 0
    alerts: int = 0
    waiting: int = 0
    failed: int = 0
    expired: int = 0
    acknowledged: int = 0


@dataclass(frozen=True)
class OpenAlert:
    since: datetime
    text: str
    """Its title or first line, in plain text."""


@dataclass(frozen=True)
class Arrivals:
    """The number of messages that came in one step of the period; the first step is 0."""

    step: int
    count: int
    is_alert: bool


@dataclass(frozen=True)
class SummaryFacts:
    """The figures of one summary. `oldest` are the first of the `open` alerts; names have counts, highest first."""

    period: Period
    tally: Tally = Tally()
    before: Tally = Tally()
    sources: tuple[tuple[str, int], ...] = ()
    events: tuple[tuple[str, int], ...] = ()
    acknowledged_by: tuple[tuple[str, int], ...] = ()
    median: timedelta | None = None
    """Time to acknowledgement."""
    open: int = 0
    oldest: tuple[OpenAlert, ...] = ()
    arrivals: tuple[Arrivals, ...] = ()
    arrivals_before: tuple[Arrivals, ...] = ()

    @property
    def is_empty(self) -> bool:
        """True if the period has nothing to report, regardless of the one before."""
        return self.tally == Tally() and not self.sources and not self.open


@dataclass(frozen=True)
class Bar:
    """The messages that came in the step from `begin`; `before` counts the same step of the period before."""

    begin: datetime
    alerts: int = 0
    notices: int = 0
    before: int = 0


def bars(facts: SummaryFacts) -> tuple[Bar, ...]:
    """Return one bar per step of the period."""
    steps = facts.period.steps
    alerts = _counts((each for each in facts.arrivals if each.is_alert), len(steps))
    notices = _counts((each for each in facts.arrivals if not each.is_alert), len(steps))
    before = _counts(facts.arrivals_before, len(steps))
    return tuple(Bar(*each) for each in zip(steps, alerts, notices, before, strict=True))


def has_course(shown: Iterable[Bar]) -> bool:
    """Return True if a chart says more than the figures: one bar in an empty day does not."""
    return sum(bool(bar.alerts or bar.notices or bar.before) for bar in shown) > 1


def _counts(arrivals: Iterable[Arrivals], size: int) -> Sequence[int]:
    """Count by step; the period before may have one more, if neither begins at a full hour."""
    counts = [0] * size
    for each in arrivals:
        counts[min(each.step, size - 1)] += each.count
    return counts
