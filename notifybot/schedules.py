"""What repeats: schedules, each with the one message that waits to be its next occurrence.

What it says and for whom stands in that message alone, so that whoever changes it changes all that follow. Whatever
ends its waiting (a release, or somebody who cancels it alone) makes the next one in the same transaction: so no
occurrence comes twice, and none is lost.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, literal, text, update
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from notifybot import messages, recurrence, schedule_times, timeline
from notifybot.database import affected, changes
from notifybot.errors import Conflict, NotFound
from notifybot.ids import new_ids
from notifybot.kinds import Deadline, EventKind
from notifybot.lifecycle import State, Step
from notifybot.messages import Actor
from notifybot.models import IS_NEXT, Attachment, Message, TimelineEvent, table_of
from notifybot.prepared import insert_rows
from notifybot.recurrence import Repeat
from notifybot.schedule_times import A_WRONG_CLOCK, is_overdue, next_time
from notifybot.timetable import Schedule

MOST_LISTED = 500
NOBODY = Actor(timeline.NOTIFYBOT, {})
ATTACHMENTS = table_of(Attachment)
_COPIED = (
    *("is_alert", "title", "content", "recipients", "source", "account", "schedule_id", "event", "policy", "plan"),
    *("steps_left", "remind_every_s", "look", "data", "file_count"),
)
"""What the next occurrence has of the one before."""
_DEADLINES = ("escalate_at", "close_at", "remind_at")
_OF_FILES = ("ordinal", "kind", "name", "url", "is_refused", "sha256", "size", "media_type", "file_id", "problem")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Listed:
    """A schedule with its waiting message (None: it has ended) and its next few times (none while it is paused)."""

    schedule: Schedule
    waiting: Message | None
    next_times: tuple[datetime, ...]


def find(session: Session, schedule_id: str) -> Listed:
    found = _by_id(session, {schedule_id})
    if schedule_id not in found:
        raise NotFound("There is no schedule with this id.", hint="GET /api/schedules lists the schedules.")
    return _listed(session, [found[schedule_id]])[0]


def page(session: Session, *, account: str | None = None, limit: int = MOST_LISTED) -> list[Listed]:
    """The schedules that have not ended, newest first: those of one account, or all."""
    standing = select(Schedule).where(col(Schedule.ended_at).is_(None))
    if account is not None:
        standing = standing.where(Schedule.account == account)
    return _listed(session, session.exec(standing.order_by(col(Schedule.id).desc()).limit(limit)).all())


def _by_id(session: Session, ids: Collection[str]) -> dict[str, Schedule]:
    if not ids:
        return {}
    asked = select(Schedule).where(col(Schedule.id).in_(ids))
    return {schedule.id: schedule for schedule in session.exec(asked.execution_options(populate_existing=True))}


def _listed(session: Session, schedules: Sequence[Schedule]) -> list[Listed]:
    ids = [schedule.id for schedule in schedules]
    asked = select(Message).where(text(IS_NEXT), col(Message.schedule_id).in_(ids))
    found = session.exec(asked.execution_options(populate_existing=True)) if ids else ()
    waiting = {message.schedule_id: message for message in found}
    return [_with_times(schedule, waiting.get(schedule.id)) for schedule in schedules]


def _with_times(schedule: Schedule, waiting: Message | None) -> Listed:
    if waiting is None or waiting.send_at is None or schedule.paused_at is not None:
        return Listed(schedule, waiting, ())
    return Listed(schedule, waiting, schedule_times.upcoming(schedule, waiting.send_at))


def unknown_zones(session: Session) -> list[str]:
    """The zones of standing schedules that this system does not know, or no longer."""
    standing = select(Schedule.time_zone).where(col(Schedule.ended_at).is_(None)).distinct()
    return sorted(zone for zone in session.exec(standing) if not recurrence.is_known_zone(zone))


def pause(session: Session, schedule_id: str, actor: Actor, *, now: datetime) -> Listed:
    """Let nothing come until it is resumed; what would have come meanwhile is left out. What is due already and was not
    released counts as missed. Pausing again changes nothing.

    Raises Conflict where it has ended, as `resume` and `change` do.
    """
    schedule, waiting = _standing(session, schedule_id)
    if schedule.paused_at is not None:
        return find(session, schedule_id)
    assert waiting.send_at is not None
    was_overdue, said = is_overdue(schedule, waiting.send_at, now=now), "Its schedule is paused."
    schedule.paused_at = now
    if was_overdue:
        schedule_times.settle(schedule, waiting.send_at, now=now)
        schedule.missed += 1
        _move(session, schedule, waiting, actor, said, now=now)
    else:
        _change(session, waiting, actor, said, now=now, release_at=None)
    return find(session, schedule_id)


def resume(session: Session, schedule_id: str, actor: Actor, *, now: datetime) -> Listed:
    """Let it go on with its next time; resuming what is not paused changes nothing."""
    schedule, waiting = _standing(session, schedule_id)
    if schedule.paused_at is not None:
        schedule.paused_at = None
        _move(session, schedule, waiting, actor, "Its schedule goes on.", now=now)
    return find(session, schedule_id)


def change(
    session: Session,
    schedule_id: str,
    actor: Actor,
    *,
    now: datetime,
    repeat: Repeat | None = None,
    time_zone: str | None = None,
) -> Listed:
    """Let it come at other times from now on; what is due already still comes. A span counts from now, where the
    schedule has begun."""
    schedule, waiting = _standing(session, schedule_id)
    newer, zone = repeat or schedule_times.rule_of(schedule), time_zone or schedule.time_zone
    if (str(newer), zone) == (schedule.repeat, schedule.time_zone):
        return find(session, schedule_id)
    assert waiting.send_at is not None
    if was_overdue := is_overdue(schedule, waiting.send_at, now=now):
        schedule_times.settle(schedule, waiting.send_at, now=now)
    schedule.time_zone = zone
    if repeat is not None:
        schedule_times.give_rule(schedule, repeat, now=now)
    said = f"It repeats {newer} ({zone}) from now on."
    if was_overdue:
        _change(session, waiting, actor, said, now=now)
    else:
        _move(session, schedule, waiting, actor, said, now=now)
    return find(session, schedule_id)


def cancel(session: Session, schedule_id: str, actor: Actor, *, now: datetime) -> Listed:
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
    if waiting is not None and messages.move(session, waiting.id, Step.CANCEL, closed_at=now):
        timeline.add(session, [waiting.id], EventKind.CANCELLED, now=now, actor=actor.name, detail=why)


def _standing(session: Session, schedule_id: str) -> tuple[Schedule, Message]:
    listed = find(session, schedule_id)
    if listed.schedule.ended_at is not None or listed.waiting is None:
        raise Conflict("This schedule has ended.", hint="Send the message again with its repeat to begin a new one.")
    return listed.schedule, listed.waiting


def _move(
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
        times = _times(waiting, send_at, is_paused=schedule.paused_at is not None)
        _change(session, waiting, actor, said, now=now, **times)


def _change(
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


def _times(before: Any, send_at: datetime, *, is_paused: bool) -> dict[str, datetime | None]:
    """The times of an occurrence, with all deadlines as far behind it as those of the one `before` (a message)."""
    shift = send_at - before.send_at
    deadlines = {name: getattr(before, name) for name in _DEADLINES}
    return {
        "send_at": send_at,
        "release_at": None if is_paused else send_at,
        **{name: None if deadline is None else deadline + shift for name, deadline in deadlines.items()},
    }


def go_on(session: Session, released: Sequence[Any], *, now: datetime) -> None:
    """These waiting messages (rows of the table) were released: make the occurrence that follows upon each. What should
    have come meanwhile, while nobody was there, is counted as missed."""
    schedules = _by_id(session, {row.schedule_id for row in released})
    following = []
    for row in released:
        schedule = schedules[row.schedule_id]
        schedule.runs += 1
        schedule.last_at = row.send_at
        schedule_times.settle(schedule, row.send_at, now=now)
        following.append((schedule, row))
    _follow(session, following, now=now)


def skip(session: Session, cancelled: Message, *, now: datetime) -> None:
    """A waiting message was cancelled alone: the one after it is made at once."""
    assert cancelled.schedule_id is not None
    schedule = _by_id(session, {cancelled.schedule_id})[cancelled.schedule_id]
    if schedule.ended_at is None:
        assert cancelled.send_at is not None
        if is_overdue(schedule, cancelled.send_at, now=now):
            schedule_times.settle(schedule, cancelled.send_at, now=now)
        schedule.skipped_until = cancelled.send_at
        _follow(session, [(schedule, cancelled)], now=now)


def turn_back(session: Session, *, now: datetime, most: int) -> int:
    """Let schedules that a clock far ahead had moved on come at their next time again: at most `most`; return how
    many."""
    ahead = _far_ahead(now).limit(most)
    listed = _listed(session, session.exec(ahead.execution_options(populate_existing=True)).all())
    for each in listed:
        each.schedule.settled_until = None
        if each.waiting is not None and each.waiting.send_at is not None and each.waiting.send_at > now:
            said = "The clock was far ahead for a while: it comes at its next time again."
            _move(session, each.schedule, each.waiting, NOBODY, said, now=now)
    return len(listed)


def any_far_ahead(session: Session, *, now: datetime) -> bool:
    """Whether `turn_back` has something to do."""
    return session.exec(_far_ahead(now).limit(1)).first() is not None


def _far_ahead(now: datetime) -> SelectOfScalar[Schedule]:
    """Also of those that have ended: asked for the others alone, SQLite would look through all of them."""
    return select(Schedule).where(col(Schedule.settled_until) > now + A_WRONG_CLOCK)


def _follow(session: Session, following: Sequence[tuple[Schedule, Any]], *, now: datetime) -> None:
    """Make the message that comes after each of these; where none ever does, the schedule ends."""
    ids, rows, lines, with_files = new_ids(now), [], [], []
    for schedule, row in following:
        send_at = next_time(schedule, now=now)
        if send_at is None:
            schedule.ended_at = now
            continue
        times = _times(row, send_at, is_paused=schedule.paused_at is not None)
        rows.append({"id": next(ids), **{name: getattr(row, name) for name in _COPIED}, **times})
        lines.append({"message_id": rows[-1]["id"], "actor": f"account:{row.account}", "detail": _why(schedule)})
        if row.file_count:
            with_files.append((row.id, rows[-1]["id"]))
        changes(session).note_deadline(Deadline.RELEASE, times["release_at"])
    same = {"state": State.SCHEDULED, "created_at": now, "may_expire": False}
    session.flush()
    insert_rows(session, Message, rows, same=same)
    for before, after in with_files:
        _copy_files(session, before, after)
    insert_rows(session, TimelineEvent, lines, same={"event": EventKind.ACCEPTED, "at": now})


def _why(schedule: Schedule) -> str:
    """What the timeline says of how its next message came to be."""
    if recurrence.is_known_zone(schedule.time_zone):
        return "The next of its schedule."
    facts = {"action": "unknown_time_zone", "schedule": schedule.id, "time_zone": schedule.time_zone}
    log.warning("a schedule goes on by UTC, for its time zone is not known here", extra=facts)
    return f"The next of its schedule, by UTC: this system does not know the time zone {schedule.time_zone}."


def _copy_files(session: Session, before: str, after: str) -> None:
    columns = [ATTACHMENTS.c[name] for name in _OF_FILES]
    old = select_columns(literal(after), *columns).where(ATTACHMENTS.c.message_id == before)
    session.execute(insert(Attachment).from_select(["message_id", *_OF_FILES], old.order_by(ATTACHMENTS.c.ordinal)))
