"""Release scheduled messages whose time has come."""

import functools
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, text, update
from sqlalchemy.sql.dml import ReturningUpdate
from sqlmodel import Session

from notifybot.messages import transitions
from notifybot.messages.insert import is_too_late
from notifybot.messages.insert_deliveries import DeliveryRows
from notifybot.model.conditions import MAY_BE_RELEASED
from notifybot.model.enums import Deadline, EventKind
from notifybot.model.ids import new_ids
from notifybot.model.messages import Message
from notifybot.model.states import Transition, target
from notifybot.recipients import lookup, resolve
from notifybot.recipients.address import EVERYBODY, recipient_of
from notifybot.recipients.directory import Directory
from notifybot.recipients.lookup import RecipientQuery
from notifybot.rendering.parts import Appearance
from notifybot.schedules import next_occurrence
from notifybot.storage.due import Due
from notifybot.storage.statements import fetch, padded, table_of
from notifybot.storage.writer import changes

MESSAGES = table_of(Message)
RELEASES = Due(MESSAGES, "release_at", MAY_BE_RELEASED)
_DUE_FIRST = RELEASES.overdue.with_only_columns(MESSAGES.c.id, MESSAGES.c.recipients)
_DEADLINES = ("escalate_at", "close_at", "remind_at")


def release_due(session: Session, *, now: datetime, most: int, directory: Directory) -> int:
    """Release at most `most` messages whose time has come, the longest overdue first; return how many.

    A message to everybody is the last of its transaction: it takes as long as hundreds of others, and callers wait.
    To which chats each goes is found out now. Where nobody is told it fails, and an alert escalates at once. Of what
    repeats the next occurrence is made.
    """
    released = _release(session, _until_everybody(session, directory, now=now, most=most))
    _insert_deliveries(session, released, directory, now=now)
    next_occurrence.create_next(session, [row for row in released if row.schedule_id is not None], now=now)
    noted = changes(session)
    noted.messages.update(row.id for row in released)
    for name, deadline in {(name, getattr(row, name)) for row in released for name in _DEADLINES}:
        noted.note_deadline(Deadline(name), deadline)
    return len(released)


def _until_everybody(session: Session, directory: Directory, *, now: datetime, most: int) -> list[str]:
    """The ids of the messages that are due, as far as the first that goes to everybody, at most `most`."""
    ids = []
    for row in fetch(session, _DUE_FIRST, moment=now, most=most):
        ids.append(row.id)
        if any(EVERYBODY in directory.members(recipient_of(name)) for name in row.recipients):
            break
    return ids


def _release(session: Session, ids: Sequence[str]) -> list[Any]:
    """Change the state of these very ones (of several that are due since the same moment, either query could see others
    first); return their rows in the order of their times."""
    released = []
    for piece in padded(ids):
        numbered = {f"message_{number}": message_id for number, message_id in enumerate(piece)}
        released += fetch(session, _release_of(len(piece)), **numbered)
    return sorted(released, key=lambda row: (row.send_at, row.id))


@functools.cache
def _release_of(size: int) -> ReturningUpdate[Any]:
    numbered = [bindparam(f"message_{number}", type_=MESSAGES.c.id.type) for number in range(size)]
    these = update(MESSAGES).where(MESSAGES.c.id.in_(numbered), text(MAY_BE_RELEASED))
    return these.values(state=target(Transition.RELEASE)).returning(*MESSAGES.c)


def _insert_deliveries(session: Session, released: Sequence[Any], directory: Directory, *, now: datetime) -> None:
    wishes = [
        RecipientQuery(row.account, tuple(map(recipient_of, row.recipients)), None, row.is_alert) for row in released
    ]
    found = lookup.look_up(session, wishes, directory, now=now)
    rows = DeliveryRows(now, new_ids(now))
    untold, unheard = [], []
    for row, wish in zip(released, wishes, strict=True):
        way = resolve.resolve_leniently(wish, found)
        rows.remark(row.id, EventKind.RELEASED)
        rows.add(row.id, way, Appearance.of(row.look), is_alert=row.is_alert)
        if not way.is_told:
            untold.append(row.id)
        if row.escalate_at is not None and is_too_late(way, row.escalate_at):
            unheard.append(row.id)
    rows.insert(session)
    for message_id in untold:
        transitions.move(session, message_id, Transition.FAIL, may_expire=True)
    if unheard:
        transitions.escalate_now(session, unheard, now=now)
