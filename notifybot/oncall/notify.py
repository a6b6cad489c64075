"""Notify people when their shift begins, once a shift."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, select

from notifybot.messages.announce import ON_CALL, Announcement, announce
from notifybot.messages.new_message import Acceptance
from notifybot.model.schedules import OnCallOverride, OnCallTurn
from notifybot.oncall import shifts as oncall_shifts
from notifybot.recipients.address import recipient_of
from notifybot.recipients.directory import Directory
from notifybot.rotations import overrides
from notifybot.rotations.rotation import Assignment, Override, Reason, Rotation, next_change, planned_on_call, shifts
from notifybot.storage.due import Due
from notifybot.storage.statements import fetch, table_of
from notifybot.times.display import local_time

SHIFT_CHANGES = Due(table_of(OnCallTurn), "look_at", "look_at IS NOT NULL", key="rotation")
RETRY_AFTER = timedelta(minutes=10)
"""Who has no chat with the bot yet is told once they do."""
MAX_CLOCK_STEP_BACK = timedelta(days=1)
"""Of a clock: until it shows again what it has shown, nobody is told anew."""
_HELP = "/oncall shows who is on call and lets others take over."


def is_outdated(session: Session, directory: Directory, *, now: datetime) -> bool:
    """Whether the rows are not those of the config, or a clock that was put back has made one look too late."""
    rows = _rows(session)
    if rows.keys() != directory.rotas.keys():
        return True
    standing = overrides.active_or_upcoming(session, now=now)
    return any(
        _is_row_outdated(rows[name], rota, standing.get(name, ()), now) for name, rota in directory.rotas.items()
    )


def sync_rotations(session: Session, directory: Directory, *, now: datetime) -> None:
    """Make the rows those of the config. Of what is new in it, people are told who is on call."""
    rows = _rows(session)
    for gone in rows.keys() - directory.rotas.keys():
        session.delete(rows[gone])
    standing = overrides.active_or_upcoming(session, now=now)
    for name, rota in directory.rotas.items():
        row = rows.get(name) or OnCallTurn(rotation=name, members=[], since=now)
        if _is_row_outdated(row, rota, standing.get(name, ()), now):
            row.rota, row.look_at = _digest(rota), now
        session.add(row)
    session.flush()


def _rows(session: Session) -> dict[str, OnCallTurn]:
    return {row.rotation: row for row in session.exec(select(OnCallTurn))}


def _digest(rota: Rotation) -> str:
    return hashlib.sha256(repr(rota).encode()).hexdigest()[:16]


def _is_row_outdated(row: OnCallTurn, rota: Rotation, standing: Sequence[Override], now: datetime) -> bool:
    change = next_change(rota, standing, now)
    return row.rota != _digest(rota) or (change is not None and (row.look_at is None or row.look_at > change))


def notify_due(session: Session, *, directory: Directory, now: datetime, most: int) -> int:
    """Look at most at `most` rotations whose time has come; return how many turns have begun.

    Who is told stands in the row, in the same transaction: so nobody is told twice, nor for a turn that passed while
    nobody was there. Where hours alone begin or end, nobody is told anything.
    """
    due = [row.rotation for row in fetch(session, SHIFT_CHANGES.overdue, moment=now, most=most)]
    standing = overrides.active_or_upcoming(session, now=now)
    return sum(_begin_shift(session, name, standing, directory, now=now) for name in due)


def _begin_shift(
    session: Session, name: str, standing: Mapping[str, list[Override]], directory: Directory, *, now: datetime
) -> bool:
    row = session.get_one(OnCallTurn, name, populate_existing=True)
    rota, overriding = directory.rotas[name], standing.get(name, ())
    row.look_at = next_change(rota, overriding, now)
    session.add(row)
    if row.members and now < row.since <= now + MAX_CLOCK_STEP_BACK:
        row.look_at = row.since
        return False
    stint = next(shifts(rota, overriding, now))
    members = list(stint.duty.members)
    if stint.duty.reason is Reason.OTHERWISE or members == row.members:
        return False
    if not _notify(session, _NewShift(name, rota, stint.duty, stint.until, tuple(row.members)), directory, now=now):
        row.look_at = min(row.look_at or now + RETRY_AFTER, now + RETRY_AFTER)
        return False
    row.members, row.since = members, now
    return True


@dataclass(frozen=True)
class _NewShift:
    """A turn that has begun. `before`: whom people were told of last."""

    rotation: str
    rota: Rotation
    duty: Assignment
    until: datetime | None
    before: tuple[str, ...]


def _notify(session: Session, turn: _NewShift, directory: Directory, *, now: datetime) -> bool:
    """Tell whoever is on call now and, where another stands in for them, whoever was. False: they have no chat."""
    override = turn.duty.override
    until = "from now on" if turn.until is None else f"until {local_time(turn.until, turn.rota.zone, now=now)}"
    by = None if override is None else _creator_of(session, override.id)
    said = f"You are on call {until}{_chosen_by(by, turn.duty.members)}. {_HELP}"
    if not _announce(session, turn, turn.duty.members, said, directory, now=now):
        return False
    if override is not None and planned_on_call(turn.rota, now) == Assignment(turn.before, Reason.TURN):
        instead = ", ".join(oncall_shifts.names_of(session, turn.duty.members).values())
        said = f"{instead} is on call in your place {until}{_chosen_by(by, (*turn.before, instead))}."
        _announce(session, turn, turn.before, said, directory, now=now)
    return True


def _announce(
    session: Session, turn: _NewShift, members: Sequence[str], text: str, directory: Directory, *, now: datetime
) -> bool:
    said = Announcement(tuple(map(recipient_of, members)), ON_CALL, text, title=f"On call: {turn.rotation}")
    return isinstance(announce(session, said, directory, now=now), Acceptance)


def _chosen_by(by: str | None, known: Sequence[str]) -> str:
    """Who chose that, where its reader does not know it anyway."""
    return "" if by is None or by in known else f", as {by} chose"


def _creator_of(session: Session, override_id: str) -> str:
    """Who made an override, as people see them."""
    by, _, name = session.get_one(OnCallOverride, override_id).created_by.partition(":")
    return oncall_shifts.names_of(session, [name])[name] if by == "telegram" else name
