"""The timeline of a message: one line for each event."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete
from sqlmodel import Session, col, select

from notifybot.model.actors import NOTIFYBOT
from notifybot.model.enums import EventKind
from notifybot.model.messages import TimelineEvent
from notifybot.storage.statements import affected, insert_rows

MAX_OF_A_KIND = 100


def add(
    session: Session,
    message_ids: Iterable[str],
    event: EventKind,
    *,
    now: datetime,
    actor: str = NOTIFYBOT,
    detail: str | None = None,
) -> None:
    """Add the same line to the timeline of each message."""
    rows = [
        {"message_id": message_id, "at": now, "event": event, "actor": actor, "detail": detail}
        for message_id in message_ids
    ]
    insert_rows(session, TimelineEvent, rows)


def trim(session: Session, message_id: str, event: EventKind) -> None:
    """Keep the newest MAX_OF_A_KIND lines of one kind, since a live message may get very many."""
    of_kind = select(TimelineEvent.id).where(TimelineEvent.message_id == message_id, TimelineEvent.event == event)
    newest = session.exec(of_kind.order_by(col(TimelineEvent.id).desc()).offset(MAX_OF_A_KIND).limit(1)).first()
    if newest is not None:
        of_message = (col(TimelineEvent.message_id) == message_id, col(TimelineEvent.event) == event)
        affected(session, delete(TimelineEvent).where(*of_message, col(TimelineEvent.id) <= newest))


def events_of(session: Session, message_id: str) -> list[TimelineEvent]:
    """Return the lines of a message, oldest first."""
    ordered = select(TimelineEvent).where(TimelineEvent.message_id == message_id).order_by(col(TimelineEvent.id))
    return list(session.exec(ordered))


def shown_plain(reason: str) -> str:
    """Return the detail of a line about markup that cannot be parsed."""
    return f"Shown as plain text: {reason}"
