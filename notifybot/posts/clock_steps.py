"""Follow a step of the clock: move everything that waits, in one transaction, and say so."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Float, Table, bindparam, select, text, update
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlmodel import Session, SQLModel, col
from sqlmodel.sql.sqltypes import UTCDateTime

from notifybot.model.clock import IS_UNDER_WAY, MOVING, SLEEPS_BY_THE_CLOCK, KnownClock, Moving
from notifybot.model.enums import EventKind
from notifybot.model.messages import Message, TimelineEvent
from notifybot.posts import timeline
from notifybot.storage.statements import table_of
from notifybot.storage.writer import changes
from notifybot.times.clock import SMALLEST_STEP
from notifybot.times.display import clock_time
from notifybot.times.spans import format_span

log = logging.getLogger(__name__)
MESSAGES = table_of(Message)
WORTH_SAYING = timedelta(minutes=1)
"""Times are shown in minutes, so people notice no smaller step."""
A_DAY = timedelta(days=1)
SAID_FOR = timedelta(hours=1)
TELEGRAM_TOLERANCE = timedelta(seconds=10)
"""Telegram's Date has whole seconds, and the response took a while."""
_NEWEST_LINE = select(col(TimelineEvent.at)).order_by(col(TimelineEvent.id).desc()).limit(1)
DEADLINES = ("escalate_at", "close_at", "remind_at")


@dataclass(frozen=True)
class Reading:
    """The clock at one moment. `ahead_of_telegram`: by how much; None if unknown."""

    now: datetime
    boot_id: str
    booted_at: datetime
    ahead_of_telegram: timedelta | None = None


def step_since(known: KnownClock, reading: Reading, newest: datetime) -> timedelta:
    """Return how far the clock was set since it was `known`, over a restart.

    Within one boot this is exact. After a reboot it is the change against Telegram's clock; without that, only a clock
    behind the `newest` known time was certainly set, and the time that has passed counts as none.
    """
    if known.boot_id == reading.boot_id:
        step = reading.booted_at - known.booted_at
        return step if abs(step) >= SMALLEST_STEP else timedelta()
    if known.ahead_of_telegram_s is not None and reading.ahead_of_telegram is not None:
        change = reading.ahead_of_telegram - timedelta(seconds=known.ahead_of_telegram_s)
        if abs(change) > TELEGRAM_TOLERANCE:
            return change
    return min(timedelta(), reading.now - newest)


def begin(session: Session, reading: Reading) -> timedelta:
    """At a start, follow the step since the last run, if there was one; return it."""
    known = session.get(KnownClock, 1)
    if known is None:
        session.add(KnownClock(boot_id=reading.boot_id, booted_at=reading.booted_at, seen_at=reading.now))
        session.flush()
        return timedelta()
    latest = session.scalar(_NEWEST_LINE)
    by = step_since(known, reading, known.seen_at if latest is None else max(known.seen_at, latest))
    known.boot_id = reading.boot_id
    follow(session, by, now=reading.now, booted_at=reading.booted_at)
    if by:
        log.warning("the clock was set since the last run; what waits has moved with it", extra=facts_of(by))
    return by


def facts_of(by: timedelta) -> dict[str, object]:
    """Return what a log line says about a step."""
    return {"action": "clock_set", "by_s": round(by.total_seconds(), 3)}


def is_doubtful(session: Session, *, now: datetime) -> bool:
    """Return True on the day after a step forward of more than a day: deleting old data can wait until it is sure."""
    known = session.get(KnownClock, 1)
    if known is None or known.stepped_at is None:
        return False
    return known.step_s > A_DAY.total_seconds() and now - known.stepped_at < A_DAY


def known_boot(session: Session) -> str | None:
    """Return the boot in which the last daemon ran; None on a new database."""
    known = session.get(KnownClock, 1)
    return None if known is None else known.boot_id


def follow(session: Session, by: timedelta, *, now: datetime, booted_at: datetime) -> None:
    """Move everything that waits by a step of the clock, which shows `now` since.

    Messages for a time of day, and alerts that sleep until one, stay. If the step has skipped that time, their
    deadlines count from now.
    """
    known = session.get_one(KnownClock, 1)
    known.booted_at, known.seen_at = booted_at, now
    session.add(known)
    session.flush()
    if not by:
        return
    before = now - by
    _begin_skipped(session, before, now)
    for moving in MOVING:
        session.execute(_move(moving, before), {"seconds": by.total_seconds()})
    _look_again(session, now)
    if abs(by) >= WORTH_SAYING:
        known.stepped_at, known.step_s = now, by.total_seconds()
        under_way = select(MESSAGES.c.id).where(MESSAGES.c.is_alert, _condition(IS_UNDER_WAY, now))
        alerts = session.execute(under_way).scalars().all()
        timeline.add(session, alerts, EventKind.EDITED, now=now, detail=_said(by))
    session.flush()


def _move(moving: Moving, before: datetime) -> Any:
    table = SQLModel.metadata.tables[moving.table]
    moved = {name: _Later(table.c[name], bindparam("seconds", type_=Float())) for name in moving.columns}
    return update(table).where(_condition(moving.condition, before)).values(moved)


def _condition(condition: str, before: datetime) -> Any:
    clause = text(condition)
    return clause.bindparams(bindparam("before", before, UTCDateTime())) if ":before" in condition else clause


def _begin_skipped(session: Session, before: datetime, now: datetime) -> None:
    """Let the deadlines of alerts begin now whose time of day a step forward has skipped."""
    skipped_sleep = (MESSAGES.c.snoozed_until <= now, _condition(SLEEPS_BY_THE_CLOCK, before))
    for row in session.execute(select(MESSAGES).where(*skipped_sleep)).all():
        _shift(session, row, now - row.snoozed_until, snoozed_until=now, is_snoozed_by_clock=False)
    skipped = (MESSAGES.c.send_at > before, MESSAGES.c.send_at <= now)
    for row in session.execute(select(MESSAGES).where(*skipped, text("state = 'scheduled'"))).all():
        _shift(session, row, now - row.send_at, counts_from=now)


def _shift(session: Session, row: Any, by: timedelta, **more: object) -> None:
    moved = {name: getattr(row, name) + by for name in DEADLINES if getattr(row, name) is not None}
    if moved:
        session.execute(update(MESSAGES).where(MESSAGES.c.id == row.id).values(**moved, **more))


def _look_again(session: Session, now: datetime) -> None:
    """Look at once at everything whose next time may have moved."""
    for name, column in (("turns", "next_at"), ("on_call_turns", "look_at")):
        table: Table = SQLModel.metadata.tables[name]
        session.execute(update(table).where(table.c[column] > now).values({column: now}))
    changes(session).is_work_due = True


def note_seen(session: Session, *, now: datetime, ahead_of_telegram: timedelta | None) -> None:
    """Note the newest known time, for the start after a reboot."""
    known = session.get_one(KnownClock, 1)
    known.seen_at = now
    if ahead_of_telegram is not None:
        known.ahead_of_telegram_s = ahead_of_telegram.total_seconds()
    session.add(known)


def warnings(session: Session, *, now: datetime, ahead_of_telegram: timedelta | None) -> Sequence[str]:
    """Return a sentence about a step in the last hour, and one about a clock that differs from Telegram's."""
    found = []
    known = session.get(KnownClock, 1)
    if known is not None and known.stepped_at is not None and now - known.stepped_at < SAID_FOR:
        found.append(f"At {clock_time(known.stepped_at, now)}: {_said(timedelta(seconds=known.step_s))}")
    if ahead_of_telegram is not None and abs(ahead_of_telegram) >= WORTH_SAYING:
        where = "ahead of" if ahead_of_telegram > timedelta() else "behind"
        span = format_span(timedelta(minutes=round(abs(ahead_of_telegram) / timedelta(minutes=1))))
        found.append(f"The clock of this machine is {span} {where} Telegram's. Check its time synchronization.")
    return found


def _said(by: timedelta) -> str:
    where = "forward" if by > timedelta() else "back"
    span = timedelta(seconds=round(abs(by).total_seconds()))
    return f"The clock was set {where} by {format_span(span)}. Waiting times are unchanged."


class _Later(FunctionElement[datetime]):
    """A time, so many seconds later."""

    type = UTCDateTime()
    inherit_cache = True

    def __init__(self, column: Column[Any], seconds: Any) -> None:
        super().__init__(column, seconds)


@compiles(_Later)
def _as_interval(element: _Later, compiler: SQLCompiler, **options: Any) -> str:
    column, seconds = (compiler.process(each, **options) for each in element.clauses)
    return f"{column} + make_interval(secs => {seconds})"


@compiles(_Later, "sqlite")
def _as_text(element: _Later, compiler: SQLCompiler, **options: Any) -> str:
    """SQLite counts in milliseconds; the driver stores six digits."""
    column, seconds = (compiler.process(each, **options) for each in element.clauses)
    return f"strftime('%Y-%m-%d %H:%M:%f000', {column}, {seconds} || ' seconds')"
