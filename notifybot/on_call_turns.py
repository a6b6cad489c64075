"""Telling people that they are on call now: once for each turn, however often anybody looks."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, select

from notifybot import on_call, overrides
from notifybot.announcements import ON_CALL, Announcement, announce
from notifybot.due_rows import Due
from notifybot.models import table_of
from notifybot.new_messages import Accepted
from notifybot.prepared import fetch
from notifybot.recipients import Directory, recipient_of
from notifybot.rotas import Duty, Override, Reason, Rota, next_change, planned, stints
from notifybot.snoozing import local_time
from notifybot.timetable import OnCallOverride, OnCallTurn

DUE = Due(table_of(OnCallTurn), "look_at", "look_at IS NOT NULL", key="rotation")
TRY_AGAIN_AFTER = timedelta(minutes=10)
"""Who has no chat with the bot yet is told once they do."""
MOST_PUT_BACK = timedelta(days=1)
"""Of a clock: until it shows again what it has shown, nobody is told anew."""
_HELP = "/oncall shows who is on call and lets others take over."


def is_astray(session: Session, directory: Directory, *, now: datetime) -> bool:
    """Whether the rows are not those of the config, or a clock that was put back has made one look too late."""
    rows = _rows(session)
    if rows.keys() != directory.rotas.keys():
        return True
    standing = overrides.standing(session, now=now)
    return any(_is_astray(rows[name], rota, standing.get(name, ()), now) for name, rota in directory.rotas.items())


def arrange(session: Session, directory: Directory, *, now: datetime) -> None:
    """Make the rows those of the config. Of what is new in it, people are told who is on call."""
    rows = _rows(session)
    for gone in rows.keys() - directory.rotas.keys():
        session.delete(rows[gone])
    standing = overrides.standing(session, now=now)
    for name, rota in directory.rotas.items():
        row = rows.get(name) or OnCallTurn(rotation=name, members=[], since=now)
        if _is_astray(row, rota, standing.get(name, ()), now):
            row.rota, row.look_at = _digest(rota), now
        session.add(row)
    session.flush()


def _rows(session: Session) -> dict[str, OnCallTurn]:
    return {row.rotation: row for row in session.exec(select(OnCallTurn))}


def _digest(rota: Rota) -> str:
    return hashlib.sha256(repr(rota).encode()).hexdigest()[:16]


def _is_astray(row: OnCallTurn, rota: Rota, standing: Sequence[Override], now: datetime) -> bool:
    change = next_change(rota, standing, now)
    return row.rota != _digest(rota) or (change is not None and (row.look_at is None or row.look_at > change))


def begin_due(session: Session, *, directory: Directory, now: datetime, most: int) -> int:
    """Look at most at `most` rotations whose time has come; return how many turns have begun.

    Who is told stands in the row, in the same transaction: so nobody is told twice, nor for a turn that passed while
    nobody was there. Where hours alone begin or end, nobody is told anything.
    """
    due = [row.rotation for row in fetch(session, DUE.overdue, moment=now, most=most)]
    standing = overrides.standing(session, now=now)
    return sum(_begin(session, name, standing, directory, now=now) for name in due)


def _begin(
    session: Session, name: str, standing: Mapping[str, list[Override]], directory: Directory, *, now: datetime
) -> bool:
    row = session.get_one(OnCallTurn, name, populate_existing=True)
    rota, overriding = directory.rotas[name], standing.get(name, ())
    row.look_at = next_change(rota, overriding, now)
    session.add(row)
    if row.members and now < row.since <= now + MOST_PUT_BACK:
        row.look_at = row.since
        return False
    stint = next(stints(rota, overriding, now))
    members = list(stint.duty.members)
    if stint.duty.reason is Reason.OTHERWISE or members == row.members:
        return False
    if not _tell(session, _Turn(name, rota, stint.duty, stint.until, tuple(row.members)), directory, now=now):
        row.look_at = min(row.look_at or now + TRY_AGAIN_AFTER, now + TRY_AGAIN_AFTER)
        return False
    row.members, row.since = members, now
    return True


@dataclass(frozen=True)
class _Turn:
    """A turn that has begun. `before`: whom people were told of last."""

    rotation: str
    rota: Rota
    duty: Duty
    until: datetime | None
    before: tuple[str, ...]


def _tell(session: Session, turn: _Turn, directory: Directory, *, now: datetime) -> bool:
    """Tell whoever is on call now and, where another stands in for them, whoever was. False: they have no chat."""
    override = turn.duty.override
    until = "from now on" if turn.until is None else f"until {local_time(turn.until, turn.rota.zone, now=now)}"
    by = None if override is None else _who(session, override.id)
    said = f"You are on call {until}{_chosen(by, turn.duty.members)}. {_HELP}"
    if not _announce(session, turn, turn.duty.members, said, directory, now=now):
        return False
    if override is not None and planned(turn.rota, now) == Duty(turn.before, Reason.TURN):
        instead = ", ".join(on_call.names_of(session, turn.duty.members).values())
        said = f"{instead} is on call in your place {until}{_chosen(by, (*turn.before, instead))}."
        _announce(session, turn, turn.before, said, directory, now=now)
    return True


def _announce(
    session: Session, turn: _Turn, members: Sequence[str], text: str, directory: Directory, *, now: datetime
) -> bool:
    said = Announcement(tuple(map(recipient_of, members)), ON_CALL, text, title=f"On call: {turn.rotation}")
    return isinstance(announce(session, said, directory, now=now), Accepted)


def _chosen(by: str | None, known: Sequence[str]) -> str:
    """Who chose that, where its reader does not know it anyway."""
    return "" if by is None or by in known else f", as {by} chose"


def _who(session: Session, override_id: str) -> str:
    """Who made an override, as people see them."""
    by, _, name = session.get_one(OnCallOverride, override_id).created_by.partition(":")
    return on_call.names_of(session, [name])[name] if by == "telegram" else name
