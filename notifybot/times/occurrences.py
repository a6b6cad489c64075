"""Which times of a schedule are still to come: none of those that came, were missed or were left out."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from notifybot.model.schedules import Schedule
from notifybot.times import recurrence
from notifybot.times.recurrence import Repeat

MOST_COUNTED = 100
"""So many missed times are counted of one stop: a rule for each minute would have 43,200 in a month."""
A_WRONG_CLOCK = timedelta(days=1)
"""A clock that goes back further than that was wrong before, rather than corrected: what it settled does not hold."""


def rule_of(schedule: Schedule) -> Repeat:
    """Raises ValueError where it cannot be read: something else wrote the row."""
    return recurrence.parse(schedule.repeat)


def upcoming(schedule: Schedule, first: datetime) -> tuple[datetime, ...]:
    """`first`, the time of its waiting message, and those that follow; none where its rule cannot be read, so that a
    list shows it among the others."""
    try:
        later = recurrence.later(rule_of(schedule), schedule.time_zone, schedule.begins_at, first)
    except ValueError:
        return ()
    return (first, *later)


def next_time(schedule: Schedule, *, now: datetime) -> datetime | None:
    """The first time that is still to come; None: it never comes any more."""
    return _next_after(schedule, max(_used_up(schedule, now)))


def _used_up(schedule: Schedule, now: datetime) -> Iterator[datetime]:
    """What no time may lie before any more."""
    yield _settled_until(schedule, now)
    if schedule.skipped_until is not None:
        yield schedule.skipped_until


def _settled_until(schedule: Schedule, now: datetime) -> datetime:
    """That moment, or now where it is later, or where the clock was wrong then."""
    until = schedule.settled_until
    return now if until is None or until > now + A_WRONG_CLOCK else max(now, until)


def _next_after(schedule: Schedule, after: datetime) -> datetime | None:
    return recurrence.next_after(rule_of(schedule), schedule.time_zone, schedule.begins_at, after)


def settle(schedule: Schedule, waiting_for: datetime, *, now: datetime) -> None:
    """Its waiting message, which was meant for `waiting_for`, waits no more: what should have come between that and
    now, while nobody was there, is counted as missed."""
    after = max(waiting_for, schedule.settled_until or waiting_for)
    if after < now:
        rule, zone, begins_at = rule_of(schedule), schedule.time_zone, schedule.begins_at
        schedule.missed += recurrence.count(rule, zone, begins_at, after=after, until=now, most=MOST_COUNTED)
    schedule.settled_until = _settled_until(schedule, now)


def set_rule(schedule: Schedule, repeat: Repeat, *, now: datetime) -> None:
    """It repeats so from now on; a span counts from now, where the schedule has begun. What was left out by the old
    rule keeps nothing away by the new one, but that very time."""
    if repeat.every is not None and schedule.begins_at <= now:
        schedule.begins_at = now.replace(microsecond=0) + repeat.every
    schedule.repeat = str(repeat)
    if _next_after(schedule, now) != schedule.skipped_until:
        schedule.skipped_until = None


def is_overdue(schedule: Schedule, waiting_for: datetime, *, now: datetime) -> bool:
    """Whether the time of its waiting message has come, and it was not released yet."""
    return schedule.paused_at is None and waiting_for <= now
