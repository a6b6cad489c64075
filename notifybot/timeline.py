"""The history of a message, a line an event."""

from collections.abc import Iterable
from datetime import datetime

from sqlmodel import Session, col, select

from notifybot.models import EventKind, TimelineEvent
from notifybot.prepared import insert_rows

NOTIFYBOT = "notifybot"
"""The actor where no person acted."""


def add(
    session: Session,
    message_ids: Iterable[str],
    event: EventKind,
    *,
    now: datetime,
    actor: str = NOTIFYBOT,
    detail: str | None = None,
) -> None:
    """Write the same line into the history of each message."""
    rows = [
        {"message_id": message_id, "at": now, "event": event, "actor": actor, "detail": detail}
        for message_id in message_ids
    ]
    insert_rows(session, TimelineEvent, rows)


def of(session: Session, message_id: str) -> list[TimelineEvent]:
    """The lines of one message, oldest first."""
    ordered = select(TimelineEvent).where(TimelineEvent.message_id == message_id).order_by(col(TimelineEvent.id))
    return list(session.exec(ordered))


def shown_plain(reason: str) -> str:
    """What the line says of markup that cannot be read."""
    return f"Shown as plain text: {reason}"
