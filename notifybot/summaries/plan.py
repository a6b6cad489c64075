"""Plan each reader's daily summary: once on each date in their own time zone, even where the clocks change.

A plan is compared with what its reader wants and replaced where that has changed, so code that changes preferences or
the config need not know about plans.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, literal, or_, text, update
from sqlalchemy import select as select_columns
from sqlmodel import Session, col

from notifybot.config.model import Config
from notifybot.model.conditions import IS_PLANNED
from notifybot.model.people import Person
from notifybot.model.schedules import OF_CONFIG, OF_PERSON, SummaryPlan
from notifybot.recipients.address import Recipient, person_recipient, recipient_of
from notifybot.storage.due import Due
from notifybot.storage.statements import affected, table_of
from notifybot.summaries.facts import Period
from notifybot.times.wall_clock import A_DAY, A_SECOND, Daily
from notifybot.times.zones import zone_of

MAX_AHEAD = timedelta(days=5)
"""A plan beyond this was made while the clock was wrong."""
MAX_PERIOD = timedelta(days=31)
"""A summary never covers more than this, even after a longer downtime."""
PEOPLE, PLANS = table_of(Person), table_of(SummaryPlan)
JOB = "telegram_daily_summary"
SUMMARIES = Due(table_of(SummaryPlan), "next_at", IS_PLANNED, key="reader")
_is_planned_for = PLANS.c.reader == literal(OF_PERSON) + PEOPLE.c.user_id
_is_reader = and_(PEOPLE.c.account.is_not(None), PEOPLE.c.is_enabled)


@dataclass(frozen=True)
class SummaryDefaults:
    """The configured time for readers who chose none, and the chats that get a summary of all messages (`to`)."""

    daily: Daily
    to: tuple[str, ...] = ()


@dataclass(frozen=True)
class DueSummary:
    """A summary that is due since `planned_at`, or on request where that is None."""

    reader: str
    recipient: Recipient
    user_id: str | None
    """The person whose messages it covers; None for all messages."""
    account: str | None
    period: Period
    day: date
    daily: Daily
    planned_at: datetime | None = None
    is_muted: bool = False


@dataclass(frozen=True)
class WantedPlan:
    """The plan that a reader should have; None if they want no summary."""

    reader: str
    daily: str | None


def defaults_of(config: Config) -> SummaryDefaults:
    return SummaryDefaults(Daily(config.summary.time, config.summary.time_zone), config.summary.to)


def next_summary(session: Session, defaults: SummaryDefaults, *, now: datetime) -> datetime:
    """Return when the next summary is due, or would be if anyone wanted one."""
    return SUMMARIES.next_at(session) or defaults.daily.following(now)[1]


def outdated(session: Session, defaults: SummaryDefaults, *, now: datetime, limit: int) -> list[WantedPlan]:
    """Return at most `limit` readers whose plans differ from what they want, or lie too far ahead."""
    far = now + MAX_AHEAD
    is_wrong = or_(PLANS.c.daily.is_distinct_from(_wanted(defaults)), PLANS.c.next_at > far)
    of_people = (
        select_columns((literal(OF_PERSON) + PEOPLE.c.user_id).label("reader"), _wanted(defaults).label("daily"))
        .select_from(PEOPLE.outerjoin(PLANS, _is_planned_for))
        .where(is_wrong)
        .limit(limit)
    )
    people = [WantedPlan(row.reader, row.daily) for row in session.execute(of_people)]
    return [*people, *_of_removed_people(session, now), *_outdated_of_config(session, defaults, far)]


def _wanted(defaults: SummaryDefaults) -> ColumnElement[str]:
    """Select what a person wants, in the form of str(Daily)."""
    at = func.coalesce(PEOPLE.c.summary_time, f"{defaults.daily.at:%H:%M}")
    zone = func.coalesce(PEOPLE.c.time_zone, defaults.daily.zone)
    return case((_is_reader, at + " " + zone), else_=None)


def _of_removed_people(session: Session, now: datetime) -> Iterator[WantedPlan]:
    """Yield readers with an overdue plan who are no longer known."""
    is_overdue = (text(IS_PLANNED), PLANS.c.next_at <= now, PLANS.c.reader.startswith(OF_PERSON))
    is_known = exists().where(PEOPLE.c.user_id == func.substr(PLANS.c.reader, len(OF_PERSON) + 1))
    for row in session.execute(select_columns(PLANS.c.reader).where(*is_overdue, ~is_known)):
        yield WantedPlan(row.reader, None)


def _outdated_of_config(session: Session, defaults: SummaryDefaults, far: datetime) -> Iterator[WantedPlan]:
    wanted = {OF_CONFIG + recipient: str(defaults.daily) for recipient in defaults.to}
    is_of_config = col(SummaryPlan.reader).startswith(OF_CONFIG)
    plans = {row.reader: row for row in session.execute(select_columns(*PLANS.c).where(is_of_config))}
    for reader in {**wanted, **plans}:
        daily, plan = wanted.get(reader), plans.get(reader)
        if (plan and plan.daily) != daily or (plan is not None and plan.next_at is not None and plan.next_at > far):
            yield WantedPlan(reader, daily)


def save_plans(session: Session, wanted: list[WantedPlan], *, now: datetime) -> int:
    """Plan the next summary of each of these readers; return how many."""
    for each in wanted:
        plan = session.get(SummaryPlan, each.reader) or SummaryPlan(reader=each.reader)
        plan.daily = each.daily
        if each.daily is None:
            plan.next_at = plan.told_until = None
        else:
            plan.next_at = _following(_daily(each.daily), now, plan.last_date)[1]
        session.add(plan)
    session.flush()
    return len(wanted)


def _following(daily: Daily, now: datetime, last_date: str | None) -> tuple[date, datetime]:
    """Return the next date without a summary. A `last_date` days ahead was noted while the clock was wrong."""
    last = _day(last_date)
    is_ahead = last is not None and last > now.astimezone(zone_of(daily.zone)).date() + A_DAY
    return daily.following(now, after=None if is_ahead else last)


def _daily(text: str | None) -> Daily:
    """Parse a stored plan.

    Midnight UTC replaces a plan that cannot be parsed: the row is replanned then, and does not block the others.
    """
    with contextlib.suppress(ValueError):
        return Daily.read(text or "")
    return Daily(time(), "UTC")


def _day(text: str | None) -> date | None:
    """Parse a date; None if it is not one."""
    with contextlib.suppress(ValueError):
        return None if text is None else date.fromisoformat(text)
    return None


# Sending


def due(session: Session, *, now: datetime, limit: int) -> list[DueSummary]:
    """Return the due summaries, the longest overdue first. Of several missed dates only the last gets one."""
    found = _plans().where(PLANS.c.next_at <= now, _is_wanted()).order_by(PLANS.c.next_at).limit(limit)
    return [_due_summary(row, now) for row in session.execute(found)]


def on_request(session: Session, *, now: datetime) -> list[DueSummary]:
    """Return a summary of the last day for each reader with a plan."""
    found = _plans().where(_is_wanted())
    return [
        replace(_due_summary(row, now), period=Period(now - A_DAY, now), planned_at=None)
        for row in session.execute(found)
    ]


def _plans() -> Select[Any]:
    """Select plans with their people."""
    columns = (*PLANS.c, PEOPLE.c.user_id, PEOPLE.c.account, PEOPLE.c.muted_until)
    whose = PEOPLE.c.user_id == func.substr(PLANS.c.reader, len(OF_PERSON) + 1)
    return select_columns(*columns).select_from(PLANS.outerjoin(PEOPLE, whose))


def _is_wanted() -> ColumnElement[bool]:
    """Leave out readers who have just turned summaries off: their plans are still there."""
    return and_(PLANS.c.next_at.is_not(None), or_(PLANS.c.reader.startswith(OF_CONFIG), _is_reader))


def _due_summary(row: Any, now: datetime) -> DueSummary:
    daily = _daily(row.daily)
    day = daily.latest(now)
    to = recipient_of(row.reader.removeprefix(OF_CONFIG))
    return DueSummary(
        reader=row.reader,
        recipient=to if row.user_id is None else person_recipient(row.user_id),
        user_id=row.user_id,
        account=row.account,
        period=_period(daily, day, row.told_until),
        day=day,
        daily=daily,
        planned_at=row.next_at,
        is_muted=row.muted_until is not None and row.muted_until > now,
    )


def _period(daily: Daily, day: date, told_until: datetime | None) -> Period:
    """From the end of the last summary, else the day before, up to this date's time."""
    end = daily.on(day)
    assert end is not None
    day_before = daily.latest(end - A_SECOND)
    begin = told_until or daily.on(day_before)
    assert begin is not None
    return Period(max(begin, end - MAX_PERIOD) if begin < end else end - A_DAY, end)


def take(session: Session, summary: DueSummary, *, now: datetime) -> bool:
    """Use up the date and plan the next one; return False if that was already done.

    A muted reader's next summary covers this period too.
    """
    is_same = (PLANS.c.reader == summary.reader, PLANS.c.next_at == summary.planned_at)
    next_at = summary.daily.following(now, after=summary.day)[1]
    told_until = summary.period.begin if summary.is_muted else summary.period.end
    values = {"last_date": summary.day.isoformat(), "next_at": next_at, "told_until": told_until}
    return affected(session, update(PLANS).where(*is_same).values(values)) == 1
