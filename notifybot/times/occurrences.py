"""Times of a schedule that are still to come, without those released, missed or skipped."""

from datetime import datetime, timedelta

from notifybot.model.schedules import Schedule
from notifybot.times import recurrence
from notifybot.times.recurrence import Repeat

MAX_MISSED = 100
"""Missed times counted for one stop. A rule for every minute would have 43,200 in a month."""
MAX_CLOCK_CORRECTION = timedelta(days=1)
"""A clock set back by more than this was wrong before, so times it settled do not count."""


def rule_of(schedule: Schedule) -> Repeat:
    """Return the repeat rule; raise ValueError if it cannot be parsed, since another program wrote the row."""
    return recurrence.parse(schedule.repeat)


def upcoming(schedule: Schedule, first: datetime) -> tuple[datetime, ...]:
    """Return `first`, the time of its waiting message, and the next few after it; none if its rule cannot be parsed, so
    that a list can still show the schedule."""
    try:
        later = recurrence.later(rule_of(schedule), schedule.time_zone, schedule.begins_at, first)
    except ValueError:
        return ()
    return (first, *later)


def next_time(schedule: Schedule, *, now: datetime) -> datetime | None:
    """Return the first time still to come; None if there is none."""
    settled_until = _settled_until(schedule, now)
    return _next_after(schedule, max(settled_until, schedule.skipped_until or settled_until))


def _settled_until(schedule: Schedule, now: datetime) -> datetime:
    """Return the later of settled_until and now; now if the clock was wrong when it was settled."""
    until = schedule.settled_until
    return now if until is None or until > now + MAX_CLOCK_CORRECTION else max(now, until)


def _next_after(schedule: Schedule, after: datetime) -> datetime | None:
    return recurrence.next_after(rule_of(schedule), schedule.time_zone, schedule.begins_at, after)


def settle(schedule: Schedule, waiting_for: datetime, *, now: datetime) -> None:
    """Settle all times up to now, once the waiting message, scheduled for `waiting_for`, is released or cancelled.

    Times after `waiting_for` came while the daemon was down, and count as missed.
    """
    after = max(waiting_for, schedule.settled_until or waiting_for)
    if after < now:
        rule, zone, begins_at = rule_of(schedule), schedule.time_zone, schedule.begins_at
        schedule.missed += recurrence.count(rule, zone, begins_at, after=after, until=now, most=MAX_MISSED)
    schedule.settled_until = _settled_until(schedule, now)


def set_rule(schedule: Schedule, repeat: Repeat, *, now: datetime) -> None:
    """Change the rule. A span counts from now if the schedule has begun.

    An occurrence skipped under the old rule stays skipped only if the new rule has exactly that time next.
    """
    if repeat.every is not None and schedule.begins_at <= now:
        schedule.begins_at = now.replace(microsecond=0) + repeat.every
    schedule.repeat = str(repeat)
    if _next_after(schedule, now) != schedule.skipped_until:
        schedule.skipped_until = None


def is_overdue(schedule: Schedule, waiting_for: datetime, *, now: datetime) -> bool:
    """Return True if the waiting message is due but not released yet."""
    return schedule.paused_at is None and waiting_for <= now
