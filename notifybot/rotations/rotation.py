"""Who is on call: rotations with their hand-overs and hours, and the overrides that go before them.

Times are those of a clock in the rotation's zone. What falls into an hour that it skips happens as it jumps. Where it
shows a time twice, hand-overs and the beginnings of hours are meant by the first, the ends of hours by the second.
"""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo

from notifybot.times.cron import cron_numbers
from notifybot.times.wall_clock import A_DAY, moments

A_WEEK = 7
AN_INSTANT = timedelta(microseconds=1)
MOST_DAYS_AHEAD = 41 * 366
"""29 February on a given day of the week comes again after 40 years at the latest."""
MOST_MERGED = 64
"""So many changes that change nobody are looked through for the end of a stint."""


class Reason(StrEnum):
    """Why somebody is on call."""

    TURN = "turn"
    OVERRIDE = "override"
    OTHERWISE = "otherwise"
    """It is outside of the rotation's hours, or it has not begun."""


@dataclass(frozen=True)
class Handover:
    """A cron expression: at these `times` of the days that it means."""

    times: tuple[time, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """From 0, Monday."""
    meets_both: bool
    """A day must be one of `days` and of `weekdays`: cron's rule where one of the two begins with a star."""

    @classmethod
    @functools.lru_cache(256)
    def read(cls, cron: str) -> "Handover":
        """Read five fields, as parse_cron returns them."""
        minutes, hours, days, months, weekdays = cron_numbers(cron)
        return cls(
            tuple(time(hour, minute) for hour in sorted(hours) for minute in sorted(minutes)),
            frozenset(days),
            frozenset(months),
            frozenset((day - 1) % A_WEEK for day in weekdays),
            any(cron.split()[place].startswith("*") for place in (2, 4)),
        )

    def is_on(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        found = day.day in self.days, day.weekday() in self.weekdays
        return all(found) if self.meets_both else any(found)


@dataclass(frozen=True)
class Hours:
    """A window that begins on these weekdays (from 0, Monday); an `end` at or before `start` lies on the next day."""

    weekdays: frozenset[int]
    start: time
    end: time


@dataclass(frozen=True)
class Rotation:
    """The first member from the first hand-over of the day `start` on (its midnight, where it has none), the next one
    from each hand-over on. Outside of `hours`, and before all that, it is `otherwise`."""

    members: tuple[str, ...]
    start: date
    handover: Handover
    zone: str
    hours: tuple[Hours, ...] = ()
    otherwise: tuple[str, ...] = ()


@dataclass(frozen=True)
class Override:
    """Somebody is on call instead, from `starts_at` until `ends_at`, whatever the hours; the latest made counts."""

    id: str
    member: str
    starts_at: datetime
    ends_at: datetime
    created_at: datetime


@dataclass(frozen=True)
class Assignment:
    """Who is on call, by the names of the config; nobody, where `members` is empty."""

    members: tuple[str, ...]
    reason: Reason
    override: Override | None = None


@dataclass(frozen=True)
class Shift:
    """The same people on call, without a break. `until` None: no end is in sight."""

    duty: Assignment
    starts_at: datetime
    until: datetime | None


def on_call_at(rota: Rotation, overrides: Sequence[Override], at: datetime) -> Assignment:
    """Who is on call at this moment."""
    standing = [each for each in overrides if each.starts_at <= at < each.ends_at]
    if standing:
        latest = max(standing, key=lambda each: (each.created_at, each.id))
        return Assignment((latest.member,), Reason.OVERRIDE, latest)
    return planned_on_call(rota, at)


def planned_on_call(rota: Rotation, at: datetime) -> Assignment:
    """Who it would be without overrides."""
    # Hand-overs, hours and the jumps of clocks all lie on whole minutes, so that one answer serves a minute.
    return _planned(rota, at.replace(second=0, microsecond=0))


@functools.lru_cache(4096)
def _planned(rota: Rotation, at: datetime) -> Assignment:
    turn = _shift_index(rota, at)
    if turn is None or not _is_within(rota, at):
        return Assignment(rota.otherwise, Reason.OTHERWISE)
    return Assignment((rota.members[turn % len(rota.members)],), Reason.TURN)


def shifts(rota: Rotation, overrides: Sequence[Override], at: datetime) -> Iterator[Shift]:
    """Who is on call from this moment on, one stint after the other, for ever or until no end is in sight."""
    begins: datetime | None = at
    while begins is not None:
        now = on_call_at(rota, overrides, begins)
        ends = _end(rota, overrides, begins, now.members)
        yield Shift(now, begins, ends)
        begins = ends


def _end(rota: Rotation, overrides: Sequence[Override], at: datetime, members: tuple[str, ...]) -> datetime | None:
    """The first change after which others are on call."""
    for _ in range(MOST_MERGED):
        change = next_change(rota, overrides, at)
        if change is None or on_call_at(rota, overrides, change).members != members:
            return change
        at = change
    return None


def shift_start(rota: Rotation, overrides: Sequence[Override], at: datetime) -> datetime:
    """Since when those have been on call who are at this moment; as far back as MOST_MERGED changes.

    `overrides` must hold those that have ended as well.
    """
    members, begun = on_call_at(rota, overrides, at).members, at
    for _ in range(MOST_MERGED):
        change = _last_change(rota, overrides, at)
        if change is None:
            return begun
        begun, at = change, change - AN_INSTANT
        if on_call_at(rota, overrides, at).members != members:
            return begun
    return begun


def _last_change(rota: Rotation, overrides: Sequence[Override], at: datetime) -> datetime | None:
    """The last moment, at the latest this one, at which somebody else may have been on call before."""
    if at < _opening(rota):
        bounds = []
    else:
        spans = _spans(rota, at, days_behind=A_WEEK + 2, days_ahead=1)
        bounds = [_last_handover(rota, at), *(bound for span in spans for bound in span)]
    bounds += [bound for each in overrides for bound in (each.starts_at, each.ends_at)]
    return max((bound for bound in bounds if bound <= at), default=None)


def _last_handover(rota: Rotation, at: datetime) -> datetime:
    """When the turn began that it is at this moment."""
    latest = _day(rota, at) + A_DAY
    for behind in range((latest - rota.start).days + 1):
        day = latest - behind * A_DAY
        past = [each for each in _handovers_of(rota, day) if each <= at] if rota.handover.is_on(day) else []
        if past:
            return past[-1]
    return _opening(rota)


def next_change(rota: Rotation, overrides: Sequence[Override], after: datetime) -> datetime | None:
    """The first moment after this one at which somebody else may be on call."""
    bounds = [bound for each in overrides for bound in (each.starts_at, each.ends_at)]
    bounds += [bound for span in _spans(rota, after, days_ahead=A_WEEK + 1) for bound in span]
    handover = next_handover(rota, after)
    return min((bound for bound in [*bounds, handover] if bound is not None and bound > after), default=None)


def next_handover(rota: Rotation, after: datetime) -> datetime | None:
    """When the next turn begins, after this moment; None where none ever does."""
    opening = _opening(rota)
    if after < opening:
        return opening
    return next((at for at in _handovers(rota, _day(rota, after) - A_DAY) if at > after), None)


def _handovers(rota: Rotation, first: date) -> Iterator[datetime]:
    """The hand-overs of this day and of those after it, in their order."""
    for ahead in range(MOST_DAYS_AHEAD):
        day = first + ahead * A_DAY
        if rota.handover.is_on(day):
            yield from _handovers_of(rota, day)


def _handovers_of(rota: Rotation, day: date) -> list[datetime]:
    return [moments(day, at, ZoneInfo(rota.zone))[0] for at in rota.handover.times]


def _shift_index(rota: Rotation, at: datetime) -> int | None:
    """How many hand-overs there were since the first member's turn began; None before that."""
    if at < _opening(rota):
        return None
    today = _day(rota, at)
    recent = max(rota.start, today - A_DAY)
    past = _days_on(rota.handover, rota.start, recent) * len(rota.handover.times)
    # Where midnight is shown twice, it may have been tomorrow already.
    around = (recent + ahead * A_DAY for ahead in range((today - recent).days + 2))
    past += sum(each <= at for day in around if rota.handover.is_on(day) for each in _handovers_of(rota, day))
    return past - rota.handover.is_on(rota.start)


def _opening(rota: Rotation) -> datetime:
    if rota.handover.is_on(rota.start):
        return _handovers_of(rota, rota.start)[0]
    return moments(rota.start, time(), ZoneInfo(rota.zone))[0]


def _days_on(handover: Handover, first: date, end: date) -> int:
    """On how many days from `first` on, before `end`, there are hand-overs."""
    years = [date(year, 1, 1) for year in range(first.year + 1, end.year + 1)]
    return sum(_days_within(handover, *bounds) for bounds in pairwise([first, *years, end]))


@functools.lru_cache(4096)
def _days_within(handover: Handover, first: date, end: date) -> int:
    return sum(handover.is_on(date.fromordinal(day)) for day in range(first.toordinal(), end.toordinal()))


def _is_within(rota: Rotation, at: datetime) -> bool:
    return not rota.hours or any(start <= at < end for start, end in _spans(rota, at, days_ahead=1))


def _spans(
    rota: Rotation, at: datetime, *, days_behind: int = 2, days_ahead: int
) -> Iterator[tuple[datetime, datetime]]:
    """The windows that begin from so many days before this moment on, until so many days after it."""
    zone, today = ZoneInfo(rota.zone), _day(rota, at)
    for window in rota.hours:
        nights = timedelta(days=window.end <= window.start)
        for day in (today + ahead * A_DAY for ahead in range(-days_behind, days_ahead + 1)):
            if day.weekday() in window.weekdays:
                yield moments(day, window.start, zone)[0], moments(day + nights, window.end, zone)[-1]


def _day(rota: Rotation, at: datetime) -> date:
    return at.astimezone(ZoneInfo(rota.zone)).date()
