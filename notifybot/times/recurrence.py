"""When a message repeats: `every 15m`, or a cron expression in a time zone.

A cron expression follows the clock on the wall. A time of the day that the clock jumps over comes as it jumps, and one
that it shows twice comes as it shows it first. What has a star in its minutes or hours (`*/15 * * * *`) follows the
clock minute by minute instead: it goes on through both of two hours that look alike, and lacks one that never comes.

Known to be wrong: where clocks are put back by half an hour (Lord Howe Island alone), a rule with a star in its minutes
and given hours (`* 2 * * *`) lacks the half hour that follows upon the change. The library goes by whole hours there.
"""

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from notifybot.times.cron import parse_cron
from notifybot.times.spans import format_span, parse_span

SHOWN = 5
"""So many of the next times people are shown."""
SHORTEST = timedelta(minutes=1)
_INSTANT = timedelta(microseconds=1)
_SOME_DAY = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Repeat:
    """One of the two: five fields of `cron`, or a span."""

    cron: str | None = None
    every: timedelta | None = None

    def __str__(self) -> str:
        return self.cron if self.cron is not None else f"every {format_span(self.every)}"


@functools.lru_cache(1024)
def parse(text: str) -> Repeat:
    """Read `0 9 * * mon-fri`, `@daily` and the like, or `every 15m`. Raises ValueError with one sentence."""
    words = text.lower().split()
    if words[:1] == ["every"]:
        return Repeat(every=_span(" ".join(words[1:])))
    cron = parse_cron(" ".join(words))
    if _first(cron, _SOME_DAY) is None:
        raise ValueError("this day never comes")
    return Repeat(cron)


def _span(text: str) -> timedelta:
    try:
        every = parse_span(text)
    except ValueError as error:
        raise ValueError("what repeats after a span is written like every 15m, every 2h or every 1d") from error
    if every is None or every < SHORTEST:
        raise ValueError("between two times there is at least a minute")
    return every


def _first(cron: str, after: datetime) -> datetime | None:
    return next(_wall_times(cron, after), None)


def upcoming(repeat: Repeat, zone: str, send_at: datetime | None, *, now: datetime) -> tuple[datetime, ...]:
    """The first SHOWN times of a message that is handed over now, not before `send_at`; fewer, or none, where no more
    ever come."""
    first = first_of(repeat, zone, send_at, now=now)
    return () if first is None else (first, *later(repeat, zone, first))


def later(repeat: Repeat, zone: str, begins_at: datetime, after: datetime | None = None) -> tuple[datetime, ...]:
    """The times that follow upon the next one (the first, or `after`), so that with it there are SHOWN."""
    times = occurrences(repeat, zone, begins_at, after or begins_at)
    return tuple(itertools.islice(times, SHOWN - 1))


def first_of(repeat: Repeat, zone: str, send_at: datetime | None, *, now: datetime) -> datetime | None:
    """The first time of a message that is handed over now: at `send_at` or as soon after it as the repeat allows.

    `every 15m` counts from `send_at`, or begins a span from now. None: it never comes.
    """
    if repeat.every is not None and send_at is None:
        return now.replace(microsecond=0) + repeat.every
    return next_after(repeat, zone, send_at or now, now - _INSTANT)


def next_after(repeat: Repeat, zone: str, begins_at: datetime, after: datetime) -> datetime | None:
    """The first time after `after`, and not before `begins_at`; None where no more ever comes."""
    return next(occurrences(repeat, zone, begins_at, after), None)


def occurrences(repeat: Repeat, zone: str, begins_at: datetime, after: datetime) -> Iterator[datetime]:
    """All times after `after`, and not before `begins_at`, in UTC. They are the same wherever one begins to look."""
    if repeat.every is not None:
        return _regular(repeat.every, begins_at, after)
    assert repeat.cron is not None
    try:
        start = _behind(begins_at, after).astimezone(zone_of(zone))
    except OverflowError:  # the year 10000 there
        return iter(())
    return _wall_times(repeat.cron, start)


def _behind(begins_at: datetime, after: datetime) -> datetime:
    """Behind which moment times are looked for; at the first moment of the calendar there is none before it."""
    return after if begins_at <= after else begins_at - _INSTANT


def zone_of(name: str) -> tzinfo:
    """The zone of that name; UTC where this system knows no such zone, or no longer."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        return UTC


def is_known_zone(name: str) -> bool:
    return name == "UTC" or zone_of(name) is not UTC


def count(repeat: Repeat, zone: str, begins_at: datetime, *, after: datetime, until: datetime, most: int) -> int:
    """How many times lie after `after` and not after `until`, as far as `most`: each takes some 40 µs to find."""
    if repeat.every is not None:
        passed = (until - begins_at) // repeat.every - max(-1, (after - begins_at) // repeat.every)
        return max(0, min(passed, most))
    return _count_cron(repeat, zone, _behind(begins_at, after), until, most)


@functools.lru_cache(128)
def _count_cron(repeat: Repeat, zone: str, after: datetime, until: datetime, most: int) -> int:
    """After a stop the same rules are counted for the same time, over and over."""
    times = itertools.takewhile(lambda at: at <= until, occurrences(repeat, zone, after, after))
    return sum(1 for _ in itertools.islice(times, most))


def _regular(every: timedelta, begins_at: datetime, after: datetime) -> Iterator[datetime]:
    passed = max(0, (after - begins_at) // every + 1)
    try:
        for number in itertools.count(passed):
            yield begins_at + number * every
    except OverflowError:  # the year 10000
        return


def _wall_times(cron: str, after: datetime) -> Iterator[datetime]:
    """Where the clock was put back, the library begins at the first of two moments that look alike, which may be before
    `after`."""
    try:
        for at in CronSim(cron, after):
            moment = at.astimezone(UTC)
            if moment > after:
                yield moment
    except (CronSimError, OverflowError):
        return
