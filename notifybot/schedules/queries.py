"""Read schedules, and pending messages."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, String, cast, or_, text
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, func, select

from notifybot.errors import NotFound
from notifybot.messages.queries import MessageDetails, details, size_of, some
from notifybot.model.conditions import IS_NEXT
from notifybot.model.enums import Purpose
from notifybot.model.messages import Delivery, Message
from notifybot.model.schedules import Schedule
from notifybot.model.states import State
from notifybot.times import occurrences

PENDING_SINCE = timedelta(days=1)
"""A message scheduled longer ago than this is shown or given up."""
MAX_LISTED = 500
MAX_LOOKED_AT = 20_000
"""Waiting messages to look at: in a flood there may be a million."""


def pending(session: Session, *, account: str | None, now: datetime, limit: int) -> list[tuple[str, int]]:
    """Return the ids and sizes of messages that are scheduled, or due but not yet shown in all chats, the next first.

    A message of a paused schedule is sorted by its scheduled time. `account`: only those of this account.
    """
    # As expressions, so that SQLite uses the index of the times instead of those of states or accounts.
    is_pending = func.lower(Message.state).in_((State.SCHEDULED.value, State.INITIATED.value))
    columns = (col(Message.id), func.coalesce(col(Message.send_at), col(Message.created_at)), size_of())
    coming = select_columns(*columns).where(
        text("send_at IS NOT NULL"), col(Message.send_at) >= now - PENDING_SINCE, is_pending
    )
    if account is not None:
        coming = coming.where(col(Message.account).concat("") == account)
    found = list(session.execute(coming.order_by(col(Message.send_at)).limit(limit)))
    paused = _active(account).where(col(Schedule.paused_at).is_not(None)).limit(limit).subquery()
    waiting = select_columns(*columns).where(text(IS_NEXT), col(Message.schedule_id).in_(select_columns(paused.c.id)))
    found += session.execute(waiting)
    found += session.execute(_unsent(account).with_only_columns(*columns).limit(limit))
    by_time = sorted({each: (at, each, size) for each, at, size in found}.values())
    return [(each, size) for _, each, size in by_time[:limit]]


def _unsent(account: str | None) -> Select[Any]:
    """Select messages handed over for a time, also a past one, that a chat still waits for, the oldest first."""
    waits = (text("status = 'waiting'"), col(Delivery.purpose) == Purpose.PRIMARY)
    waiting = select(Delivery.message_id).where(*waits).distinct().order_by(Delivery.message_id).limit(MAX_LOOKED_AT)
    has_time = or_(col(Message.send_at).is_not(None), cast(col(Message.look), String).contains("past_time"))
    unsent = select_columns(Message).where(col(Message.id).in_(waiting), has_time).order_by(col(Message.id))
    return unsent if account is None else unsent.where(col(Message.account) == account)


def some_pending(session: Session, ids: Sequence[str]) -> list[MessageDetails]:
    """Return the messages with these ids; those that are gone meanwhile are left out."""
    return [details(session, message.id) for message in some(session, ids)]


@dataclass(frozen=True)
class ScheduleDetails:
    """A schedule, its waiting message (None if it has ended) and its next few times (none while it is paused)."""

    schedule: Schedule
    waiting: Message | None
    next_times: tuple[datetime, ...]


def find(session: Session, schedule_id: str) -> ScheduleDetails:
    found = by_id(session, {schedule_id})
    if schedule_id not in found:
        raise NotFound("There is no schedule with this id.", hint="GET /api/schedules lists the schedules.")
    return details_of(session, [found[schedule_id]])[0]


def page(session: Session, *, account: str | None = None, limit: int = MAX_LISTED) -> list[tuple[str, int]]:
    """Return the ids of the schedules that have not ended, with the sizes of their waiting messages, newest first; only
    those of `account`, if given."""
    ids = session.execute(_active(account).limit(limit)).scalars().all()
    waiting = select_columns(col(Message.schedule_id), size_of()).where(
        text(IS_NEXT), col(Message.schedule_id).in_(ids)
    )
    sizes = dict(session.execute(waiting).all()) if ids else {}
    return [(each, sizes.get(each, 0)) for each in ids]


def some_schedules(session: Session, ids: Sequence[str]) -> list[ScheduleDetails]:
    """Return the schedules with these ids, in this order; those that are gone meanwhile are left out."""
    found = by_id(session, ids)
    return details_of(session, [found[each] for each in ids if each in found])


def _active(account: str | None) -> Any:
    active = select_columns(col(Schedule.id)).where(col(Schedule.ended_at).is_(None))
    if account is not None:
        active = active.where(col(Schedule.account) == account)
    return active.order_by(col(Schedule.id).desc())


def by_id(session: Session, ids: Collection[str]) -> dict[str, Schedule]:
    if not ids:
        return {}
    asked = select(Schedule).where(col(Schedule.id).in_(ids))
    return {schedule.id: schedule for schedule in session.exec(asked.execution_options(populate_existing=True))}


def details_of(session: Session, schedules: Sequence[Schedule]) -> list[ScheduleDetails]:
    ids = [schedule.id for schedule in schedules]
    asked = select(Message).where(text(IS_NEXT), col(Message.schedule_id).in_(ids))
    found = session.exec(asked.execution_options(populate_existing=True)) if ids else ()
    waiting = {message.schedule_id: message for message in found}
    return [_with_times(schedule, waiting.get(schedule.id)) for schedule in schedules]


def _with_times(schedule: Schedule, waiting: Message | None) -> ScheduleDetails:
    if waiting is None or waiting.send_at is None or schedule.paused_at is not None:
        return ScheduleDetails(schedule, waiting, ())
    return ScheduleDetails(schedule, waiting, occurrences.upcoming(schedule, waiting.send_at))
