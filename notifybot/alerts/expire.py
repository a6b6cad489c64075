"""Close alerts whose time is over."""

from datetime import datetime
from typing import Any

from sqlalchemy import Select, update
from sqlalchemy.sql.dml import ReturningUpdate
from sqlmodel import Session

from notifybot.alerts.escalate import MESSAGES, NOW
from notifybot.messages import edit
from notifybot.model.conditions import MAY_EXPIRE
from notifybot.model.enums import EventKind
from notifybot.model.states import Transition, target
from notifybot.posts import timeline
from notifybot.storage.due import Due
from notifybot.storage.statements import fetch
from notifybot.storage.writer import changes

EXPIRATIONS = Due(MESSAGES, "close_at", MAY_EXPIRE)


def _close_all(due: Select[tuple[str]]) -> ReturningUpdate[Any]:
    """Build one statement; the conditions of `due` leave out states that cannot be closed."""
    close = update(MESSAGES).where(MESSAGES.c.id.in_(due)).values(state=target(Transition.CLOSE), closed_at=NOW)
    return close.returning(MESSAGES.c.id, MESSAGES.c.acknowledged_at)


_EXPIRE = _close_all(EXPIRATIONS.overdue)


def expire_due(session: Session, *, now: datetime, limit: int) -> int:
    """Close at most `limit` alerts whose `close_at` has come; return how many.

    One that was never shown but still can be stays open until then. Deliveries that still wait are shown as closed.
    """
    closed = fetch(session, _EXPIRE, moment=now, limit=limit)
    ids = [row.id for row in closed]
    edit.refresh_posts(session, ids, now=now)
    unacknowledged = [row.id for row in closed if row.acknowledged_at is None]
    timeline.add(session, unacknowledged, EventKind.CLOSED, now=now, detail="Not acknowledged in time.")
    acknowledged = [row.id for row in closed if row.acknowledged_at is not None]
    timeline.add(session, acknowledged, EventKind.CLOSED, now=now, detail="Its close_after has passed.")
    changes(session).messages.update(ids)
    return len(ids)


def next_expiry(session: Session) -> datetime | None:
    return EXPIRATIONS.next_at(session)
