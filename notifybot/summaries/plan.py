"""When each reader gets their daily summary: once on each date of their own clocks, whatever becomes of those.

A plan is compared with what its reader wants, and made anew where that has changed: nobody who changes a preference or
the config has to think of plans.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, literal, or_, text, update
from sqlalchemy import select as select_columns
from sqlmodel import Session, col

from notifybot.model.conditions import IS_PLANNED
from notifybot.model.schedules import OF_CONFIG, OF_PERSON, SummaryPlan
from notifybot.people.summary_plans import PEOPLE, PLANS
from notifybot.recipients.address import Recipient, person_recipient, recipient_of
from notifybot.storage.due import Due
from notifybot.storage.statements import affected, table_of
from notifybot.summaries.facts import Period
from notifybot.times.wall_clock import A_DAY, A_SECOND, Daily

MAX_AHEAD = timedelta(days=5)
"""No plan lies further ahead, unless the clock was wrong when it was made."""
MAX_PERIOD = timedelta(days=31)
"""What is older is not told, however long nobody was there to tell it."""
SUMMARIES = Due(table_of(SummaryPlan), "next_at", IS_PLANNED, key="reader")
_is_planned_for = PLANS.c.reader == literal(OF_PERSON) + PEOPLE.c.user_id
_is_reader = and_(PEOPLE.c.account.is_not(None), PEOPLE.c.is_enabled)


@dataclass(frozen=True)
class SummaryDefaults:
    """What the config says: when those who chose nothing get their summary, and who gets one of everything (`to`)."""

    daily: Daily
    to: tuple[str, ...] = ()


@dataclass(frozen=True)
class DueSummary:
    """A summary that is due. `planned_at`: since when; None where somebody asked for it."""

    reader: str
    recipient: Recipient
    user_id: str | None
    """Of the person whose messages it tells of; None: it tells of all."""
    account: str | None
    period: Period
    day: date
    daily: Daily
    planned_at: datetime | None = None
    is_muted: bool = False


@dataclass(frozen=True)
class WantedPlan:
    """What the plan of a reader should be; None: they want no summary."""

    reader: str
    daily: str | None


def outdated(session: Session, usual: SummaryDefaults, *, now: datetime, most: int) -> list[WantedPlan]:
    """At most `most` readers whose plans are not what they want, or are beyond reason."""
    far = now + MAX_AHEAD
    is_wrong = or_(PLANS.c.daily.is_distinct_from(_wanted(usual)), PLANS.c.next_at > far)
    of_people = (
        select_columns((literal(OF_PERSON) + PEOPLE.c.user_id).label("reader"), _wanted(usual).label("daily"))
        .select_from(PEOPLE.outerjoin(PLANS, _is_planned_for))
        .where(is_wrong)
        .limit(most)
    )
    people = [WantedPlan(row.reader, row.daily) for row in session.execute(of_people)]
    return [*people, *_of_removed_people(session, now), *_outdated_of_config(session, usual, far)]


def _wanted(usual: SummaryDefaults) -> ColumnElement[str]:
    """As Daily writes it."""
    at = func.coalesce(PEOPLE.c.summary_time, f"{usual.daily.at:%H:%M}")
    zone = func.coalesce(PEOPLE.c.time_zone, usual.daily.zone)
    return case((_is_reader, at + " " + zone), else_=None)


def _of_removed_people(session: Session, now: datetime) -> Iterator[WantedPlan]:
    """Readers whose plans are overdue, although there are no such people any more."""
    is_overdue = (text(IS_PLANNED), PLANS.c.next_at <= now, PLANS.c.reader.startswith(OF_PERSON))
    is_somebodys = exists().where(PEOPLE.c.user_id == func.substr(PLANS.c.reader, len(OF_PERSON) + 1))
    for row in session.execute(select_columns(PLANS.c.reader).where(*is_overdue, ~is_somebodys)):
        yield WantedPlan(row.reader, None)


def _outdated_of_config(session: Session, usual: SummaryDefaults, far: datetime) -> Iterator[WantedPlan]:
    wanted = {OF_CONFIG + recipient: str(usual.daily) for recipient in usual.to}
    is_of_config = col(SummaryPlan.reader).startswith(OF_CONFIG)
    plans = {row.reader: row for row in session.execute(select_columns(*PLANS.c).where(is_of_config))}
    for reader in {**wanted, **plans}:
        daily, plan = wanted.get(reader), plans.get(reader)
        if (plan and plan.daily) != daily or (plan is not None and plan.next_at is not None and plan.next_at > far):
            yield WantedPlan(reader, daily)


def save_plans(session: Session, wants: list[WantedPlan], *, now: datetime) -> int:
    """Plan what these readers want, from the next time on that is still to come; return how many they are."""
    for want in wants:
        plan = session.get(SummaryPlan, want.reader) or SummaryPlan(reader=want.reader)
        plan.daily = want.daily
        if want.daily is None:
            plan.next_at = plan.told_until = None
        else:
            plan.next_at = _following(_daily(want.daily), now, plan.last_date)[1]
        session.add(plan)
    session.flush()
    return len(wants)


def _following(daily: Daily, now: datetime, last_date: str | None) -> tuple[date, datetime]:
    """The next date that had no summary. Where one had it that is days ahead, the clock was wrong then."""
    last = _day(last_date)
    is_ahead = last is not None and last > now.astimezone(ZoneInfo(daily.zone)).date() + A_DAY
    return daily.following(now, after=None if is_ahead else last)


def _daily(text: str | None) -> Daily:
    """In UTC where nobody knows the zone any more: systems drop old names of zones.

    At midnight where nobody can read the time: it is planned anew then, and one row keeps no summary from others.
    """
    for each in (text or "", f"{(text or '').partition(' ')[0]} UTC"):
        with contextlib.suppress(KeyError, ValueError, OSError):
            return Daily.read(each)
    return Daily(time(), "UTC")


def _day(text: str | None) -> date | None:
    """None for what is no date, as for none."""
    with contextlib.suppress(ValueError):
        return None if text is None else date.fromisoformat(text)
    return None


# Telling


def due(session: Session, *, now: datetime, most: int) -> list[DueSummary]:
    """The summaries that are due, the longest overdue first. Of several dates that were missed only the last counts."""
    found = _plans().where(PLANS.c.next_at <= now, _is_wanted()).order_by(PLANS.c.next_at).limit(most)
    return [_due_summary(row, now) for row in session.execute(found)]


def on_request(session: Session, *, now: datetime) -> list[DueSummary]:
    """A summary of the last day for each reader that has a plan, which stays as it is."""
    found = _plans().where(_is_wanted())
    return [
        replace(_due_summary(row, now), period=Period(now - A_DAY, now), planned_at=None)
        for row in session.execute(found)
    ]


def _plans() -> Select[Any]:
    """With the people whose they are."""
    columns = (*PLANS.c, PEOPLE.c.user_id, PEOPLE.c.account, PEOPLE.c.muted_until)
    whose = PEOPLE.c.user_id == func.substr(PLANS.c.reader, len(OF_PERSON) + 1)
    return select_columns(*columns).select_from(PLANS.outerjoin(PEOPLE, whose))


def _is_wanted() -> ColumnElement[bool]:
    """Whoever switched them off a moment ago has a plan still."""
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
    """From the end of the last one, else from the day before, until the moment of this date."""
    end = daily.on(day)
    assert end is not None
    day_before = daily.latest(end - A_SECOND)
    begin = told_until or daily.on(day_before)
    assert begin is not None
    return Period(max(begin, end - MAX_PERIOD) if begin < end else end - A_DAY, end)


def take(session: Session, turn: DueSummary, *, now: datetime) -> bool:
    """Use up the date of this turn, and plan the next one; False where somebody did so before.

    What a muted reader is not told now, their next summary tells.
    """
    is_same = (PLANS.c.reader == turn.reader, PLANS.c.next_at == turn.planned_at)
    next_at = turn.daily.following(now, after=turn.day)[1]
    told_until = turn.period.begin if turn.is_muted else turn.period.end
    values = {"last_date": turn.day.isoformat(), "next_at": next_at, "told_until": told_until}
    return affected(session, update(PLANS).where(*is_same).values(values)) == 1
