"""Who is on call: rotations with their handovers and hours, and the overrides that take precedence.

Times are wall-clock times in the rotation's zone. A time that the clock skips happens when the clocks change. If the
clock shows a time twice, handovers and starts of hours use the first, ends of hours the second.
"""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise

from notifybot.times.cron import falls_on, times_of_day
from notifybot.times.wall_clock import A_DAY, moments
from notifybot.times.zones import zone_of

A_WEEK = 7
AN_INSTANT = timedelta(microseconds=1)
MAX_DAYS_AHEAD = 41 * 366
"""29 February falls on a given day of the week again after at most 40 years."""
MAX_MERGED = 64
"""Changes looked through for the end of a shift, while the same people stay on call."""


class Reason(StrEnum):
    """Reason why someone is on call."""

    SHIFT = "turn"
    OVERRIDE = "override"
    OTHERWISE = "otherwise"
    """Outside the rotation's hours, or before its start."""


@dataclass(frozen=True)
class Hours:
    """A window that opens on these weekdays (0 is Monday); an `end` at or before `start` is on the next day."""

    weekdays: frozenset[int]
    start: time
    end: time


@dataclass(frozen=True)
class Rotation:
    """Members who take shifts, changing at each handover: a cron expression as parse_cron returns it.

    The first shift starts with the first handover on the day `start`, or at its midnight if that day has none. Outside
    `hours`, and before the start, `otherwise` is on call.
    """

    members: tuple[str, ...]
    start: date
    handover: str
    zone: str
    hours: tuple[Hours, ...] = ()
    otherwise: tuple[str, ...] = ()


@dataclass(frozen=True)
class Override:
    """A replacement on call from `starts_at` until `ends_at`, regardless of `hours`; the one created last wins."""

    id: str
    member: str
    starts_at: datetime
    ends_at: datetime
    created_at: datetime


@dataclass(frozen=True)
class Assignment:
    """Who is on call, by the names of the config; nobody if `members` is empty."""

    members: tuple[str, ...]
    reason: Reason
    override: Override | None = None


@dataclass(frozen=True)
class Shift:
    """The same people on call without a break. `until` None: no end in sight."""

    assignment: Assignment
    starts_at: datetime
    until: datetime | None


def on_call_at(rotation: Rotation, overrides: Sequence[Override], at: datetime) -> Assignment:
    running = [each for each in overrides if each.starts_at <= at < each.ends_at]
    if running:
        latest = max(running, key=lambda each: (each.created_at, each.id))
        return Assignment((latest.member,), Reason.OVERRIDE, latest)
    return planned_on_call(rotation, at)


def planned_on_call(rotation: Rotation, at: datetime) -> Assignment:
    """Return who would be on call without overrides."""
    # Handovers, hours and clock changes all fall on whole minutes, so one cached result serves a minute.
    return _planned(rotation, at.replace(second=0, microsecond=0))


@functools.lru_cache(4096)
def _planned(rotation: Rotation, at: datetime) -> Assignment:
    index = _shift_index(rotation, at)
    if index is None or not _is_within_hours(rotation, at):
        return Assignment(rotation.otherwise, Reason.OTHERWISE)
    return Assignment((rotation.members[index % len(rotation.members)],), Reason.SHIFT)


def shifts(rotation: Rotation, overrides: Sequence[Override], at: datetime) -> Iterator[Shift]:
    """Yield the shifts from `at` on, one after another, endlessly or until one has no end in sight."""
    starts_at: datetime | None = at
    while starts_at is not None:
        current = on_call_at(rotation, overrides, starts_at)
        until = _shift_end(rotation, overrides, starts_at, current.members)
        yield Shift(current, starts_at, until)
        starts_at = until


def _shift_end(
    rotation: Rotation, overrides: Sequence[Override], at: datetime, members: tuple[str, ...]
) -> datetime | None:
    for _ in range(MAX_MERGED):
        change = next_change(rotation, overrides, at)
        if change is None or on_call_at(rotation, overrides, change).members != members:
            return change
        at = change
    return None


def shift_start(rotation: Rotation, overrides: Sequence[Override], at: datetime) -> datetime:
    """Return when the shift that is running at `at` started, looking back at most MAX_MERGED changes.

    `overrides` must include those that have ended.
    """
    members, start = on_call_at(rotation, overrides, at).members, at
    for _ in range(MAX_MERGED):
        change = _last_change(rotation, overrides, at)
        if change is None:
            return start
        start, at = change, change - AN_INSTANT
        if on_call_at(rotation, overrides, at).members != members:
            return start
    return start


def _last_change(rotation: Rotation, overrides: Sequence[Override], at: datetime) -> datetime | None:
    """Return the latest moment, up to `at`, before which someone else may have been on call."""
    if at < _first_handover(rotation):
        bounds = []
    else:
        spans = _open_spans(rotation, at, days_behind=A_WEEK + 2, days_ahead=1)
        bounds = [_last_handover(rotation, at), *(bound for span in spans for bound in span)]
    bounds += [bound for each in overrides for bound in (each.starts_at, each.ends_at)]
    return max((bound for bound in bounds if bound <= at), default=None)


def _last_handover(rotation: Rotation, at: datetime) -> datetime:
    latest = _day(rotation, at) + A_DAY
    for behind in range((latest - rotation.start).days + 1):
        past = [each for each in _handovers_on(rotation, latest - behind * A_DAY) if each <= at]
        if past:
            return past[-1]
    return _first_handover(rotation)


def next_change(rotation: Rotation, overrides: Sequence[Override], after: datetime) -> datetime | None:
    """Return the first moment after `after` at which someone else may be on call."""
    bounds = [bound for each in overrides for bound in (each.starts_at, each.ends_at)]
    bounds += [bound for span in _open_spans(rotation, after, days_ahead=A_WEEK + 1) for bound in span]
    handover = next_handover(rotation, after)
    return min((bound for bound in [*bounds, handover] if bound is not None and bound > after), default=None)


def next_handover(rotation: Rotation, after: datetime) -> datetime | None:
    """Return when the next shift starts, after `after`; None if there is no other handover."""
    first = _first_handover(rotation)
    if after < first:
        return first
    yesterday = _day(rotation, after) - A_DAY
    days = (yesterday + ahead * A_DAY for ahead in range(MAX_DAYS_AHEAD))
    return next((at for day in days for at in _handovers_on(rotation, day) if at > after), None)


def _handovers_on(rotation: Rotation, day: date) -> list[datetime]:
    if not falls_on(rotation.handover, day):
        return []
    return [moments(day, at, zone_of(rotation.zone))[0] for at in times_of_day(rotation.handover)]


def _shift_index(rotation: Rotation, at: datetime) -> int | None:
    """Count the handovers since the first member's shift started; None before it."""
    if at < _first_handover(rotation):
        return None
    today = _day(rotation, at)
    recent = max(rotation.start, today - A_DAY)
    past = _count_days(rotation.handover, rotation.start, recent) * len(times_of_day(rotation.handover))
    # If midnight is shown twice, it may have been tomorrow already.
    around = (recent + ahead * A_DAY for ahead in range((today - recent).days + 2))
    past += sum(each <= at for day in around for each in _handovers_on(rotation, day))
    return past - falls_on(rotation.handover, rotation.start)


def _first_handover(rotation: Rotation) -> datetime:
    handovers = _handovers_on(rotation, rotation.start)
    return handovers[0] if handovers else moments(rotation.start, time(), zone_of(rotation.zone))[0]


def _count_days(handover: str, first: date, end: date) -> int:
    """Count the days with handovers from `first` up to, but not including, `end`; whole years are cached."""
    years = [date(year, 1, 1) for year in range(first.year + 1, end.year + 1)]
    return sum(_count_days_within(handover, *bounds) for bounds in pairwise([first, *years, end]))


@functools.lru_cache(4096)
def _count_days_within(handover: str, first: date, end: date) -> int:
    return sum(falls_on(handover, date.fromordinal(day)) for day in range(first.toordinal(), end.toordinal()))


def _is_within_hours(rotation: Rotation, at: datetime) -> bool:
    return not rotation.hours or any(start <= at < end for start, end in _open_spans(rotation, at, days_ahead=1))


def _open_spans(
    rotation: Rotation, at: datetime, *, days_behind: int = 2, days_ahead: int
) -> Iterator[tuple[datetime, datetime]]:
    """Yield the start and end of each window of `hours` that opens within these days around `at`."""
    zone, today = zone_of(rotation.zone), _day(rotation, at)
    for window in rotation.hours:
        nights = timedelta(days=window.end <= window.start)
        for day in (today + ahead * A_DAY for ahead in range(-days_behind, days_ahead + 1)):
            if day.weekday() in window.weekdays:
                yield moments(day, window.start, zone)[0], moments(day + nights, window.end, zone)[-1]


def _day(rotation: Rotation, at: datetime) -> date:
    return at.astimezone(zone_of(rotation.zone)).date()
