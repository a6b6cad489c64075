"""What repeats: schedules, each with the one message that waits to be its next occurrence.

What it says and for whom stands in that message alone, so that whoever changes it changes all that follow. Whatever
ends its waiting (a release, or somebody who cancels it alone) makes the next one in the same transaction: so no
occurrence comes twice, and none is lost.
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
from notifybot.times.occurrences import A_WRONG_CLOCK, is_overdue, next_time
from notifybot.times.recurrence import Repeat

SYSTEM = Actor(actors.NOTIFYBOT, {})


def pause(session: Session, schedule_id: str, actor: Actor, *, now: datetime) -> ScheduleDetails:
    """Let nothing come until it is resumed; what would have come meanwhile is left out. What is due already and was not
    released counts as missed. Pausing again changes nothing.

    Raises Conflict where it has ended, as `resume` and `change` do.
    """
    schedule, waiting = _active(session, schedule_id)
    if schedule.paused_at is not None:
        return find(session, schedule_id)
    assert waiting.send_at is not None
    was_overdue, said = is_overdue(schedule, waiting.send_at, now=now), "Its schedule is paused."
    schedule.paused_at = now
    if was_overdue:
        occurrences.settle(schedule, waiting.send_at, now=now)
        schedule.missed += 1
        _reschedule(session, schedule, waiting, actor, said, now=now)
    else:
        _update_waiting(session, waiting, actor, said, now=now, release_at=None)
    return find(session, schedule_id)


def resume(session: Session, schedule_id: str, actor: Actor, *, now: datetime) -> ScheduleDetails:
    """Let it go on with its next time; resuming what is not paused changes nothing."""
    schedule, waiting = _active(session, schedule_id)
    if schedule.paused_at is not None:
        schedule.paused_at = None
        _reschedule(session, schedule, waiting, actor, "Its schedule goes on.", now=now)
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
    """Let it come at other times from now on; what is due already still comes. A span counts from now, where the
    schedule has begun."""
    schedule, waiting = _active(session, schedule_id)
    newer, zone = repeat or occurrences.rule_of(schedule), time_zone or schedule.time_zone
    if (str(newer), zone) == (schedule.repeat, schedule.time_zone):
        return find(session, schedule_id)
    assert waiting.send_at is not None
    if was_overdue := is_overdue(schedule, waiting.send_at, now=now):
        occurrences.settle(schedule, waiting.send_at, now=now)
    schedule.time_zone = zone
    if repeat is not None:
        occurrences.set_rule(schedule, repeat, now=now)
    said = f"It repeats {newer} ({zone}) from now on."
    if was_overdue:
        _update_waiting(session, waiting, actor, said, now=now)
    else:
        _reschedule(session, schedule, waiting, actor, said, now=now)
    return find(session, schedule_id)


def cancel(session: Session, schedule_id: str, actor: Actor, *, now: datetime) -> ScheduleDetails:
    """End it, with its waiting message; what came before stays as it is. Cancelling again changes nothing."""
    listed = find(session, schedule_id)
    if listed.schedule.ended_at is None:
        _end(session, listed.schedule, listed.waiting, actor, "Its schedule is cancelled.", now=now)
    return find(session, schedule_id)


def _end(
    session: Session, schedule: Schedule, waiting: Message | None, actor: Actor, why: str, *, now: datetime
) -> None:
    schedule.ended_at = now
    session.flush()
    if waiting is not None and transitions.move(session, waiting.id, Transition.CANCEL, closed_at=now):
        timeline.add(session, [waiting.id], EventKind.CANCELLED, now=now, actor=actor.name, detail=why)


def _active(session: Session, schedule_id: str) -> tuple[Schedule, Message]:
    listed = find(session, schedule_id)
    if listed.schedule.ended_at is not None or listed.waiting is None:
        raise Conflict("This schedule has ended.", hint="Send the message again with its repeat to begin a new one.")
    return listed.schedule, listed.waiting


def _reschedule(
    session: Session,
    schedule: Schedule,
    waiting: Message,
    actor: Actor,
    said: str,
    *,
    now: datetime,
) -> None:
    """Let the waiting message come at the next time, if there is one."""
    send_at = next_time(schedule, now=now)
    if send_at is None:
        _end(session, schedule, waiting, actor, "It never comes again.", now=now)
    else:
        times = occurrence_times(waiting, send_at, is_paused=schedule.paused_at is not None)
        _update_waiting(session, waiting, actor, said, now=now, **times)


def _update_waiting(
    session: Session, waiting: Message, actor: Actor, said: str, *, now: datetime, **newer: datetime | None
) -> None:
    session.flush()
    is_waiting = (col(Message.id) == waiting.id, text(IS_NEXT))
    if newer:
        affected(session, update(Message).where(*is_waiting).values(**newer))
    timeline.add(session, [waiting.id], EventKind.EDITED, now=now, actor=actor.name, detail=said)
    timeline.trim(session, waiting.id, EventKind.EDITED)
    noted = changes(session)
    noted.messages.add(waiting.id)
    noted.note_deadline(Deadline.RELEASE, newer.get("release_at"))


def undo_clock_jump(session: Session, *, now: datetime, most: int) -> int:
    """Let schedules that a clock far ahead had moved on come at their next time again: at most `most`; return how
    many."""
    ahead = _far_ahead(now).limit(most)
    listed = details_of(session, session.exec(ahead.execution_options(populate_existing=True)).all())
    for each in listed:
        each.schedule.settled_until = None
        if each.waiting is not None and each.waiting.send_at is not None and each.waiting.send_at > now:
            said = "The clock was far ahead for a while: it comes at its next time again."
            _reschedule(session, each.schedule, each.waiting, SYSTEM, said, now=now)
    return len(listed)


def any_far_ahead(session: Session, *, now: datetime) -> bool:
    """Whether `turn_back` has something to do."""
    return session.exec(_far_ahead(now).limit(1)).first() is not None


def _far_ahead(now: datetime) -> SelectOfScalar[Schedule]:
    """Also of those that have ended: asked for the others alone, SQLite would look through all of them."""
    return select(Schedule).where(col(Schedule.settled_until) > now + A_WRONG_CLOCK)


def forget_old(session: Session, *, before: datetime) -> int:
    """Delete schedules that ended before then, once none of their messages is left."""
    has_messages = exists().where(col(Message.schedule_id) == Schedule.id)
    return affected(session, delete(Schedule).where(col(Schedule.ended_at) < before, not_(has_messages)))
