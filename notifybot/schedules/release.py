"""Release scheduled messages whose time has come."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text, update
from sqlmodel import Session

from notifybot.messages import transitions
from notifybot.messages.insert_deliveries import DeliveryRows
from notifybot.messages.lost_recipients import LostRecipients
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
from notifybot.storage.statements import fetch, in_list, table_of
from notifybot.storage.writer import changes

MESSAGES = table_of(Message)
RELEASES = Due(MESSAGES, "release_at", MAY_BE_RELEASED)
_DUE_FIRST = RELEASES.overdue.with_only_columns(MESSAGES.c.id, MESSAGES.c.recipients)
_RELEASE = (
    update(MESSAGES)
    .where(in_list(MESSAGES.c.id, "messages"), text(MAY_BE_RELEASED))
    .values(state=target(Transition.RELEASE))
    .returning(*MESSAGES.c)
)
_DEADLINES = ("escalate_at", "close_at", "remind_at")


def release_due(session: Session, *, now: datetime, limit: int, directory: Directory) -> int:
    """Release at most `limit` messages whose time has come, the longest overdue first; return their number.

    Recipients are resolved now. A message that reaches no one fails, and an alert then escalates at once. A repeating
    message gets its next occurrence. A message to everyone ends the batch: it takes as long as hundreds of others, and
    callers wait for the writer.
    """
    released = _release(session, _until_everybody(session, directory, now=now, limit=limit))
    _insert_deliveries(session, released, directory, now=now)
    next_occurrence.create_next(session, [row for row in released if row.schedule_id is not None], now=now)
    noted = changes(session)
    noted.messages.update(row.id for row in released)
    for name, deadline in {(name, getattr(row, name)) for row in released for name in _DEADLINES}:
        noted.note_deadline(Deadline(name), deadline)
    return len(released)


def _until_everybody(session: Session, directory: Directory, *, now: datetime, limit: int) -> list[str]:
    """Return the ids of at most `limit` due messages, up to the first one to everyone."""
    ids = []
    for row in fetch(session, _DUE_FIRST, moment=now, limit=limit):
        ids.append(row.id)
        if any(EVERYBODY in directory.members(recipient_of(name)) for name in row.recipients):
            break
    return ids


def _release(session: Session, ids: Sequence[str]) -> list[Any]:
    """Release messages by their ids, not by the due query again: it may order messages with the same time differently.

    Returns their rows, in the order of their times.
    """
    return sorted(fetch(session, _RELEASE, messages=ids), key=lambda row: (row.send_at, row.id))


def _insert_deliveries(session: Session, released: Sequence[Any], directory: Directory, *, now: datetime) -> None:
    queries = [
        RecipientQuery(row.account, tuple(map(recipient_of, row.recipients)), None, row.is_alert) for row in released
    ]
    found = lookup.look_up(session, queries, directory, now=now)
    rows = DeliveryRows(now, new_ids(now))
    unreached, too_late = [], []
    lost = LostRecipients()
    for row, query in zip(released, queries, strict=True):
        resolved = resolve.resolve_leniently(query, found)
        rows.note(row.id, EventKind.RELEASED)
        rows.add(row.id, resolved, Appearance.of(row.look), is_alert=row.is_alert, caller=row.account)
        lost.note(row.id, resolved)
        if not resolved.notifies_anyone:
            unreached.append(row.id)
        if row.escalate_at is not None and resolved.is_too_late(row.escalate_at):
            too_late.append(row.id)
    rows.insert(session)
    lost.report(session, directory, now=now)
    for message_id in unreached:
        transitions.move(session, message_id, Transition.FAIL)
    transitions.update_may_expire(session, unreached)
    if too_late:
        transitions.escalate_now(session, too_late, now=now)
