"""Insert the message that is the next occurrence of a schedule."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, literal
from sqlalchemy import select as select_columns
from sqlmodel import Session

from notifybot.messages import deadlines
from notifybot.model.enums import Deadline, EventKind
from notifybot.model.ids import new_ids
from notifybot.model.messages import Attachment, Message, TimelineEvent
from notifybot.model.schedules import Schedule
from notifybot.model.states import State
from notifybot.schedules.queries import by_id
from notifybot.storage.statements import insert_rows, table_of
from notifybot.storage.writer import changes
from notifybot.times import occurrences
from notifybot.times.occurrences import is_overdue, next_time
from notifybot.times.zones import is_known_zone

ATTACHMENTS = table_of(Attachment)
_COPIED = (
    *("is_alert", "title", "content", "recipients", "source", "account", "schedule_id", "event", "policy", "plan"),
    *("steps_left", "remind_every_s", "look", "data", "file_count"),
)
"""Columns that an occurrence takes over from the one before."""
_FILE_COLUMNS = ("ordinal", "kind", "name", "url", "is_refused", "sha256", "size", "media_type", "file_id", "problem")

log = logging.getLogger(__name__)


def occurrence_times(before: Any, send_at: datetime, *, is_paused: bool) -> dict[str, datetime | None]:
    """Return the times and deadlines of an occurrence at `send_at` that follows `before` (a message or row)."""
    return {"send_at": send_at, "release_at": None if is_paused else send_at, **deadlines.restarted(before, send_at)}


def create_next(session: Session, released: Sequence[Any], *, now: datetime) -> None:
    """Insert the next occurrence of each released message (a row). Occurrences since then count as missed."""
    schedules = by_id(session, {row.schedule_id for row in released})
    following = []
    for row in released:
        schedule = schedules[row.schedule_id]
        schedule.runs += 1
        schedule.last_at = row.send_at
        occurrences.settle(schedule, row.send_at, now=now)
        following.append((schedule, row))
    _insert_next(session, following, now=now)


def skip(session: Session, cancelled: Message, *, now: datetime) -> None:
    """Insert the occurrence after one that was cancelled by itself."""
    assert cancelled.schedule_id is not None
    schedule = by_id(session, {cancelled.schedule_id})[cancelled.schedule_id]
    if schedule.ended_at is None:
        assert cancelled.send_at is not None
        if is_overdue(schedule, cancelled.send_at, now=now):
            occurrences.settle(schedule, cancelled.send_at, now=now)
        schedule.skipped_until = cancelled.send_at
        _insert_next(session, [(schedule, cancelled)], now=now)


def _insert_next(session: Session, following: Sequence[tuple[Schedule, Any]], *, now: datetime) -> None:
    """Insert the occurrence after each of these messages. A schedule without one ends."""
    ids, rows, lines, with_files = new_ids(now), [], [], []
    for schedule, row in following:
        send_at = next_time(schedule, now=now)
        if send_at is None:
            schedule.ended_at = now
            continue
        times = occurrence_times(row, send_at, is_paused=schedule.paused_at is not None)
        rows.append({"id": next(ids), **{name: getattr(row, name) for name in _COPIED}, **times})
        line = {"message_id": rows[-1]["id"], "actor": f"account:{row.account}", "detail": _timeline_detail(schedule)}
        lines.append(line)
        if row.file_count:
            with_files.append((row.id, rows[-1]["id"]))
        changes(session).note_deadline(Deadline.RELEASE, times["release_at"])
    session.flush()
    insert_rows(session, Message, rows, same={"state": State.SCHEDULED, "created_at": now})
    for before, after in with_files:
        _copy_files(session, before, after)
    insert_rows(session, TimelineEvent, lines, same={"event": EventKind.ACCEPTED, "at": now})


def _timeline_detail(schedule: Schedule) -> str:
    if is_known_zone(schedule.time_zone):
        return "Next occurrence of its schedule."
    facts = {"action": "unknown_time_zone", "schedule": schedule.id, "time_zone": schedule.time_zone}
    log.warning("a schedule continues in UTC: its time zone is unknown on this system", extra=facts)
    return f"Next occurrence of its schedule, in UTC: the time zone {schedule.time_zone} is unknown on this system."


def _copy_files(session: Session, before: str, after: str) -> None:
    columns = [ATTACHMENTS.c[name] for name in _FILE_COLUMNS]
    old = select_columns(literal(after), *columns).where(ATTACHMENTS.c.message_id == before)
    session.execute(insert(Attachment).from_select(["message_id", *_FILE_COLUMNS], old.order_by(ATTACHMENTS.c.ordinal)))
