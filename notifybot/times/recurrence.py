"""Repeat rules: `every 15m`, or a cron expression in a time zone.

A cron expression follows the wall clock. If a clock change skips a time of day, the occurrence comes at the change; if
it repeats one, the occurrence comes the first time. A rule with a star in its minutes or hours (`*/15 * * * *`) follows
the clock minute by minute instead: it runs through both repeated hours, and not at all in a skipped one.

Known bug: where clocks are set back by half an hour (only on Lord Howe Island), a rule with a star in its minutes and
fixed hours (`* 2 * * *`) misses the half hour after the change, since the library counts in whole hours.
"""

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cronsim import CronSim, CronSimError

from notifybot.times.cron import parse_cron
from notifybot.times.spans import format_span, parse_span
from notifybot.times.zones import zone_of

SHOWN = 5
"""Number of next times that are shown to people."""
SHORTEST = timedelta(minutes=1)
_INSTANT = timedelta(microseconds=1)
_SOME_DAY = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Repeat:
    """A repeat rule: either five fields of `cron`, or a span."""

    cron: str | None = None
    every: timedelta | None = None

    def __str__(self) -> str:
        return self.cron if self.cron is not None else f"every {format_span(self.every)}"


@functools.lru_cache(1024)
def parse(text: str) -> Repeat:
    """Parse `0 9 * * mon-fri`, `@daily` and the like, or `every 15m`. Raises ValueError with one sentence."""
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
        raise ValueError("an interval is written like every 15m, every 2h or every 1d") from error
    if every is None or every < SHORTEST:
        raise ValueError("the shortest interval is one minute")
    return every


def _first(cron: str, after: datetime) -> datetime | None:
    return next(_wall_times(cron, after), None)


def upcoming(repeat: Repeat, zone: str, send_at: datetime | None, *, now: datetime) -> tuple[datetime, ...]:
    """Return the first SHOWN times of a new message, not before `send_at`; fewer if there are no more."""
    first = first_of(repeat, zone, send_at, now=now)
    return () if first is None else (first, *later(repeat, zone, first))


def later(repeat: Repeat, zone: str, begins_at: datetime, after: datetime | None = None) -> tuple[datetime, ...]:
    """Return the times after the next one (`after`, or the first one), SHOWN together with it."""
    times = occurrences(repeat, zone, begins_at, after or begins_at)
    return tuple(itertools.islice(times, SHOWN - 1))


def first_of(repeat: Repeat, zone: str, send_at: datetime | None, *, now: datetime) -> datetime | None:
    """Return the first time of a new message: `send_at`, or the first time after it that the rule allows.

    `every 15m` counts from `send_at`; without one, the first time is one interval from now. None if there is no time.
    """
    if repeat.every is not None and send_at is None:
        return now.replace(microsecond=0) + repeat.every
    return next_after(repeat, zone, send_at or now, now - _INSTANT)


def next_after(repeat: Repeat, zone: str, begins_at: datetime, after: datetime) -> datetime | None:
    """Return the first time after `after` and not before `begins_at`; None if there is none."""
    return next(occurrences(repeat, zone, begins_at, after), None)


def occurrences(repeat: Repeat, zone: str, begins_at: datetime, after: datetime) -> Iterator[datetime]:
    """Yield all times after `after` and not before `begins_at`, in UTC. They do not depend on `after`."""
    if repeat.every is not None:
        return _regular(repeat.every, begins_at, after)
    assert repeat.cron is not None
    try:
        start = _behind(begins_at, after).astimezone(zone_of(zone))
    except OverflowError:  # the year 10000 there
        return iter(())
    return _wall_times(repeat.cron, start)


def _behind(begins_at: datetime, after: datetime) -> datetime:
    """Return the time after which to search. At the very first time of the calendar there is none before it."""
    return after if begins_at <= after else begins_at - _INSTANT


def count(repeat: Repeat, zone: str, begins_at: datetime, *, after: datetime, until: datetime, most: int) -> int:
    """Count the times after `after`, up to `until`, at most `most`. Each takes about 40 µs to find."""
    if repeat.every is not None:
        passed = (until - begins_at) // repeat.every - max(-1, (after - begins_at) // repeat.every)
        return max(0, min(passed, most))
    return _count_cron(repeat, zone, _behind(begins_at, after), until, most)


@functools.lru_cache(128)
def _count_cron(repeat: Repeat, zone: str, after: datetime, until: datetime, most: int) -> int:
    # Cached: after a stop, the same few rules are counted for the same period many times.
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
    # If the clock was set back, the library begins at the first of two equal wall times, which may be before `after`.
    try:
        for at in CronSim(cron, after):
            moment = at.astimezone(UTC)
            if moment > after:
                yield moment
    except (CronSimError, OverflowError):
        return
