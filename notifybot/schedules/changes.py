"""Pause, resume, change and cancel schedules.

A schedule has one waiting message: its next occurrence, which alone holds the text and the recipients. Editing it
changes all later occurrences. Its release or cancellation inserts the next one in the same transaction, so that no
occurrence is sent twice and none is lost.
"""

from datetime import datetime

from sqlalchemy import delete, exists, not_, text, update
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from notifybot.errors import Conflict
from notifybot.messages import transitions
from notifybot.model import actors
from notifybot.model.actors import Actor
from notifybot.model.conditions import IS_NEXT
from notifybot.model.enums import Deadline, EventKind
from notifybot.model.messages import Message
from notifybot.model.schedules import Schedule
from notifybot.model.states import Transition
from notifybot.posts import timeline
from notifybot.schedules.next_occurrence import occurrence_times
from notifybot.schedules.queries import ScheduleDetails, details_of, find
from notifybot.storage.statements import affected
from notifybot.storage.writer import changes
from notifybot.times import occurrences
from notifybot.times.occurrences import MAX_CLOCK_CORRECTION, is_overdue, next_time
from notifybot.times.recurrence import Repeat

SYSTEM = Actor(actors.NOTIFYBOT, {})


def pause(session: Session, schedule_id: str, actor: Actor, *, now: datetime) -> ScheduleDetails:
    """Pause a schedule: no occurrence is sent until it is resumed. One already due but not released counts as missed.

    Pausing again changes nothing. Raises Conflict if the schedule has ended, as `resume` and `change` do.
    """
    schedule, waiting = _active(session, schedule_id)
    if schedule.paused_at is not None:
        return find(session, schedule_id)
    assert waiting.send_at is not None
    was_overdue, detail = is_overdue(schedule, waiting.send_at, now=now), "The schedule was paused."
    schedule.paused_at = now
    if was_overdue:
        occurrences.settle(schedule, waiting.send_at, now=now)
        schedule.missed += 1
        _reschedule(session, schedule, waiting, actor, detail, now=now)
    else:
        _update_waiting(session, waiting, actor, detail, now=now, release_at=None)
    return find(session, schedule_id)


def resume(session: Session, schedule_id: str, actor: Actor, *, now: datetime) -> ScheduleDetails:
    """Resume a schedule at its next time. Resuming one that is not paused changes nothing."""
    schedule, waiting = _active(session, schedule_id)
    if schedule.paused_at is not None:
        schedule.paused_at = None
        _reschedule(session, schedule, waiting, actor, "The schedule was resumed.", now=now)
    return find(session, schedule_id)


def change(
    session: Session,
    schedule_id: str,
    actor: Actor,
    *,
    now: datetime,
    repeat: Repeat | None = None,
    time_zone: str | None = None,
) -> ScheduleDetails:
    """Change the times of a schedule. An occurrence that is already due is still sent. A span counts from now if the
    schedule has begun."""
    schedule, waiting = _active(session, schedule_id)
    new_repeat, zone = repeat or occurrences.rule_of(schedule), time_zone or schedule.time_zone
    if (str(new_repeat), zone) == (schedule.repeat, schedule.time_zone):
        return find(session, schedule_id)
    assert waiting.send_at is not None
    if was_overdue := is_overdue(schedule, waiting.send_at, now=now):
        occurrences.settle(schedule, waiting.send_at, now=now)
    schedule.time_zone = zone
    if repeat is not None:
        occurrences.set_rule(schedule, repeat, now=now)
    detail = f"It now repeats {new_repeat} ({zone})."
    if was_overdue:
        _update_waiting(session, waiting, actor, detail, now=now)
    else:
        _reschedule(session, schedule, waiting, actor, detail, now=now)
    return find(session, schedule_id)


def cancel(session: Session, schedule_id: str, actor: Actor, *, now: datetime) -> ScheduleDetails:
    """End a schedule and cancel its waiting message. Earlier occurrences stay. Cancelling again changes nothing."""
    details = find(session, schedule_id)
    if details.schedule.ended_at is None:
        _end(session, details.schedule, details.waiting, actor, "The schedule was cancelled.", now=now)
    return find(session, schedule_id)


def _end(
    session: Session, schedule: Schedule, waiting: Message | None, actor: Actor, detail: str, *, now: datetime
) -> None:
    schedule.ended_at = now
    session.flush()
    if waiting is not None and transitions.move(session, waiting.id, Transition.CANCEL, closed_at=now):
        timeline.add(session, [waiting.id], EventKind.CANCELLED, now=now, actor=actor.name, detail=detail)


def _active(session: Session, schedule_id: str) -> tuple[Schedule, Message]:
    details = find(session, schedule_id)
    if details.schedule.ended_at is not None or details.waiting is None:
        raise Conflict("This schedule has ended.", hint="Send the message again with its repeat to start a new one.")
    return details.schedule, details.waiting


def _reschedule(
    session: Session,
    schedule: Schedule,
    waiting: Message,
    actor: Actor,
    detail: str,
    *,
    now: datetime,
) -> None:
    """Move the waiting message to the next time; end the schedule if there is none."""
    send_at = next_time(schedule, now=now)
    if send_at is None:
        _end(session, schedule, waiting, actor, "The schedule has no more occurrences.", now=now)
    else:
        times = occurrence_times(waiting, send_at, is_paused=schedule.paused_at is not None)
        _update_waiting(session, waiting, actor, detail, now=now, **times)


def _update_waiting(
    session: Session, waiting: Message, actor: Actor, detail: str, *, now: datetime, **columns: datetime | None
) -> None:
    session.flush()
    is_waiting = (col(Message.id) == waiting.id, text(IS_NEXT))
    if columns:
        affected(session, update(Message).where(*is_waiting).values(**columns))
    timeline.add(session, [waiting.id], EventKind.EDITED, now=now, actor=actor.name, detail=detail)
    timeline.trim(session, waiting.id, EventKind.EDITED)
    noted = changes(session)
    noted.messages.add(waiting.id)
    noted.note_deadline(Deadline.RELEASE, columns.get("release_at"))


def undo_clock_jump(session: Session, *, now: datetime, limit: int) -> int:
    """Move at most `limit` schedules back to their next time, after the clock was far ahead; return their number."""
    ahead = _far_ahead(now).limit(limit)
    moved = details_of(session, session.exec(ahead.execution_options(populate_existing=True)).all())
    for each in moved:
        each.schedule.settled_until = None
        if each.waiting is not None and each.waiting.send_at is not None and each.waiting.send_at > now:
            detail = "The clock was far ahead for a while; the schedule is back at its next time."
            _reschedule(session, each.schedule, each.waiting, SYSTEM, detail, now=now)
    return len(moved)


def any_far_ahead(session: Session, *, now: datetime) -> bool:
    """Return True if `undo_clock_jump` has something to do."""
    return session.exec(_far_ahead(now).limit(1)).first() is not None


def _far_ahead(now: datetime) -> SelectOfScalar[Schedule]:
    # Ended schedules included: with a condition on ended_at, SQLite would scan all the others.
    return select(Schedule).where(col(Schedule.settled_until) > now + MAX_CLOCK_CORRECTION)


def forget_old(session: Session, *, before: datetime) -> int:
    """Delete schedules that ended before `before` and have no messages left; return their number."""
    has_messages = exists().where(col(Message.schedule_id) == Schedule.id)
    return affected(session, delete(Schedule).where(col(Schedule.ended_at) < before, not_(has_messages)))
