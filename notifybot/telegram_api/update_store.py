"""Updates from Telegram: stored before they are confirmed, handled once, parked after MAX_ATTEMPTS failures."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, or_, update
from sqlmodel import Session, col, select, text

from notifybot.model.chats import Update
from notifybot.storage.statements import affected, insert_rows

MAX_ATTEMPTS = 3
KEPT_FOR = timedelta(days=2)
"""Telegram keeps an update for a day, so after two it cannot come again."""


def store(session: Session, update_id: int, payload: str, *, now: datetime) -> bool:
    """Store an update. Return False if it is known already: Telegram never got the confirmation."""
    if session.get(Update, update_id) is not None:
        return False
    row = {"update_id": update_id, "payload": payload, "received_at": now, "attempts": 0}
    insert_rows(session, Update, [row], skip_known=True)
    return True


def waiting(session: Session) -> Sequence[str]:
    """Return the payloads not handled yet, oldest first, without parked ones."""
    unhandled = select(Update.payload).where(text("handled_at IS NULL"), col(Update.attempts) < MAX_ATTEMPTS)
    return session.exec(unhandled.order_by(col(Update.update_id))).all()


def mark_handled(session: Session, update_id: int, *, now: datetime) -> bool:
    """Mark an update as handled, in the transaction of its effect. Return False if it was handled before."""
    unhandled = (col(Update.update_id) == update_id, col(Update.handled_at).is_(None))
    return affected(session, update(Update).where(*unhandled).values(handled_at=now)) > 0


def note_failure(session: Session, update_id: int, error: str) -> bool:
    """Count a failed attempt to handle an update. Return True if it should be retried."""
    failed = update(Update).where(col(Update.update_id) == update_id)
    affected(session, failed.values(attempts=Update.attempts + 1, error=error))
    attempts = session.exec(select(Update.attempts).where(Update.update_id == update_id)).one()
    return attempts < MAX_ATTEMPTS


def forget_handled(session: Session) -> int:
    """Delete all updates that were handled; return how many."""
    return affected(session, delete(Update).where(col(Update.handled_at).is_not(None)))


def forget_old(session: Session, *, now: datetime) -> int:
    """Delete updates that were handled or parked longer than KEPT_FOR ago; return how many."""
    is_done = or_(col(Update.handled_at).is_not(None), col(Update.attempts) >= MAX_ATTEMPTS)
    return affected(session, delete(Update).where(col(Update.received_at) < now - KEPT_FOR, is_done))
