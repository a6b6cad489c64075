"""Read schedules, and pending messages."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import String, cast, or_, text
from sqlmodel import Session, col, func, select

from notifybot.errors import NotFound
from notifybot.messages.queries import MessageDetails, details
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


def pending(session: Session, *, account: str | None, now: datetime, limit: int) -> list[MessageDetails]:
    """Return messages that are scheduled, or due but not yet shown in all chats, the next first.

    A message of a paused schedule is sorted by its scheduled time. `account`: only those of this account.
    """
    # As expressions, so that SQLite uses the index of the times instead of those of states or accounts.
    is_pending = func.lower(Message.state).in_((State.SCHEDULED.value, State.INITIATED.value))
    coming = select(Message).where(text("send_at IS NOT NULL"), col(Message.send_at) >= now - PENDING_SINCE, is_pending)
    if account is not None:
        coming = coming.where(col(Message.account).concat("") == account)
    found = list(session.exec(coming.order_by(col(Message.send_at)).limit(limit)))
    schedules = page(session, account=account, limit=limit)
    found += [each.waiting for each in schedules if each.schedule.paused_at is not None and each.waiting is not None]
    times = {
        message.id: message.send_at or message.created_at for message in (*found, *_unsent(session, account, limit))
    }
    by_time = sorted(times, key=lambda each: (times[each], each))
    return [details(session, message_id) for message_id in by_time[:limit]]


def _unsent(session: Session, account: str | None, limit: int) -> Sequence[Message]:
    """Return messages handed over for a time, also a past one, that a chat still waits for, the oldest first."""
    waits = (text("status = 'waiting'"), col(Delivery.purpose) == Purpose.PRIMARY)
    waiting = select(Delivery.message_id).where(*waits).distinct().order_by(Delivery.message_id).limit(MAX_LOOKED_AT)
    has_time = or_(col(Message.send_at).is_not(None), cast(col(Message.look), String).contains("past_time"))
    unsent = select(Message).where(col(Message.id).in_(waiting), has_time).order_by(Message.id).limit(limit)
    return session.exec(unsent if account is None else unsent.where(col(Message.account) == account)).all()


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


def page(session: Session, *, account: str | None = None, limit: int = MAX_LISTED) -> list[ScheduleDetails]:
    """Return the schedules that have not ended, newest first; only those of `account`, if given."""
    active = select(Schedule).where(col(Schedule.ended_at).is_(None))
    if account is not None:
        active = active.where(Schedule.account == account)
    return details_of(session, session.exec(active.order_by(col(Schedule.id).desc()).limit(limit)).all())


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
