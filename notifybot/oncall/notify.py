"""Notify people when their shift starts, once per shift."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, select

from notifybot.messages.announce import ON_CALL, Announcement, announce
from notifybot.messages.new_message import Acceptance
from notifybot.model.schedules import OnCallOverride, OnCallTurn
from notifybot.oncall import status as oncall_shifts
from notifybot.recipients.address import recipient_of
from notifybot.recipients.directory import Directory
from notifybot.rotations import overrides
from notifybot.rotations.rotation import Assignment, Override, Reason, Rotation, next_change, planned_on_call, shifts
from notifybot.storage.due import Due
from notifybot.storage.statements import fetch, table_of
from notifybot.times.display import local_time

SHIFT_CHANGES = Due(table_of(OnCallTurn), "look_at", "look_at IS NOT NULL", key="rotation")
RETRY_AFTER = timedelta(minutes=10)
"""Retry interval while a person on call has no chat."""
MAX_CLOCK_STEP_BACK = timedelta(days=1)
"""If the clock is set back by less, nobody is notified again until it has caught up."""
_HELP = "/oncall shows who is on call and lets others take over."


def is_outdated(session: Session, directory: Directory, *, now: datetime) -> bool:
    """Return True if the rows differ from the config, or one would look too late because the clock was set back."""
    rows = _rows(session)
    if rows.keys() != directory.rotations.keys():
        return True
    active = overrides.active_or_upcoming(session, now=now)
    return any(
        _is_row_outdated(rows[name], rotation, active.get(name, ()), now)
        for name, rotation in directory.rotations.items()
    )


def sync_rotations(session: Session, directory: Directory, *, now: datetime) -> None:
    """Make the rows match the config. People are notified of shifts that a config change gives them."""
    rows = _rows(session)
    for gone in rows.keys() - directory.rotations.keys():
        session.delete(rows[gone])
    active = overrides.active_or_upcoming(session, now=now)
    for name, rotation in directory.rotations.items():
        row = rows.get(name) or OnCallTurn(rotation=name, members=[], since=now)
        if _is_row_outdated(row, rotation, active.get(name, ()), now):
            row.rota, row.look_at = _digest(rotation), now
        session.add(row)
    session.flush()


def _rows(session: Session) -> dict[str, OnCallTurn]:
    return {row.rotation: row for row in session.exec(select(OnCallTurn))}


def _digest(rotation: Rotation) -> str:
    return hashlib.sha256(repr(rotation).encode()).hexdigest()[:16]


def _is_row_outdated(row: OnCallTurn, rotation: Rotation, active: Sequence[Override], now: datetime) -> bool:
    change = next_change(rotation, active, now)
    return row.rota != _digest(rotation) or (change is not None and (row.look_at is None or row.look_at > change))


def notify_due(session: Session, *, directory: Directory, now: datetime, limit: int) -> int:
    """Process at most `limit` rotations that are due; return the number of shifts that started.

    The row records who was notified, in the same transaction: nobody is notified twice, nor of a shift that passed
    while the daemon was down. The start or end of hours alone notifies nobody.
    """
    due = [row.rotation for row in fetch(session, SHIFT_CHANGES.overdue, moment=now, limit=limit)]
    active = overrides.active_or_upcoming(session, now=now)
    return sum(_start_shift(session, name, active, directory, now=now) for name in due)


def _start_shift(
    session: Session, name: str, active: Mapping[str, list[Override]], directory: Directory, *, now: datetime
) -> bool:
    row = session.get_one(OnCallTurn, name, populate_existing=True)
    rotation, own_overrides = directory.rotations[name], active.get(name, ())
    row.look_at = next_change(rotation, own_overrides, now)
    session.add(row)
    if row.members and now < row.since <= now + MAX_CLOCK_STEP_BACK:
        row.look_at = row.since
        return False
    shift = next(shifts(rotation, own_overrides, now))
    members = list(shift.assignment.members)
    if shift.assignment.reason is Reason.OTHERWISE or members == row.members:
        return False
    started = _StartedShift(name, rotation, shift.assignment, shift.until, tuple(row.members))
    if not _notify(session, started, directory, now=now):
        row.look_at = min(row.look_at or now + RETRY_AFTER, now + RETRY_AFTER)
        return False
    row.members, row.since = members, now
    return True


@dataclass(frozen=True)
class _StartedShift:
    """A shift that has started. `last_notified`: members notified before it."""

    name: str
    rotation: Rotation
    assignment: Assignment
    until: datetime | None
    last_notified: tuple[str, ...]


def _notify(session: Session, shift: _StartedShift, directory: Directory, *, now: datetime) -> bool:
    """Notify whoever is on call now, and whoever an override replaces. False if those on call have no chat."""
    override, members = shift.assignment.override, shift.assignment.members
    until = "from now on" if shift.until is None else f"until {local_time(shift.until, shift.rotation.zone, now=now)}"
    creator = None if override is None else _creator_of(session, override.id)
    text = f"You are on call {until}{_credit(creator, members)}. {_HELP}"
    if not _announce(session, shift, members, text, directory, now=now):
        return False
    if override is not None and planned_on_call(shift.rotation, now) == Assignment(shift.last_notified, Reason.SHIFT):
        replacement = ", ".join(oncall_shifts.names_of(session, members).values())
        credit = _credit(creator, (*shift.last_notified, replacement))
        text = f"{replacement} is on call in your place {until}{credit}."
        _announce(session, shift, shift.last_notified, text, directory, now=now)
    return True


def _announce(
    session: Session, shift: _StartedShift, members: Sequence[str], text: str, directory: Directory, *, now: datetime
) -> bool:
    announcement = Announcement(tuple(map(recipient_of, members)), ON_CALL, text, title=f"On call: {shift.name}")
    return isinstance(announce(session, announcement, directory, now=now), Acceptance)


def _credit(creator: str | None, involved: Sequence[str]) -> str:
    """Name the creator of an override, unless it is one of those involved."""
    return "" if creator is None or creator in involved else f" (override by {creator})"


def _creator_of(session: Session, override_id: str) -> str:
    """Return the creator of an override, as people see them."""
    kind, _, name = session.get_one(OnCallOverride, override_id).created_by.partition(":")
    return oncall_shifts.names_of(session, [name])[name] if kind == "telegram" else name
