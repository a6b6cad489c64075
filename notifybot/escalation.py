"""What falls due of alerts: escalating those that nobody answered, closing those whose time is over."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, exists, update
from sqlalchemy.sql.dml import ReturningUpdate
from sqlmodel import Session

from notifybot import chats, messages, outbox, timeline
from notifybot.database import changes
from notifybot.due_rows import Due
from notifybot.ids import new_id
from notifybot.kinds import DeliveryStatus, EventKind, Purpose, Urgency
from notifybot.lifecycle import Step, target
from notifybot.models import MAY_ESCALATE, MAY_EXPIRE, Delivery, Message, table_of
from notifybot.prepared import fetch, insert_rows

MESSAGES, DELIVERIES = table_of(Message), table_of(Delivery)
ESCALATIONS = Due(MESSAGES, "escalate_at", MAY_ESCALATE)
CLOSINGS = Due(MESSAGES, "close_at", MAY_EXPIRE)
_NOW = bindparam("moment", type_=MESSAGES.c.escalate_at.type)
_WAS_SHOWN = exists().where(DELIVERIES.c.message_id == MESSAGES.c.id, DELIVERIES.c.status == DeliveryStatus.SHOWN)


def _take(step: Step, due: Select[tuple[str]], moment: str) -> ReturningUpdate[Any]:
    """All of them take this step at once; the conditions of `due` leave out the states that the step cannot leave."""
    change = update(MESSAGES).where(MESSAGES.c.id.in_(due)).values({"state": target(step), moment: _NOW})
    return change.returning(MESSAGES.c.id)


_ESCALATE = _take(Step.ESCALATE, ESCALATIONS.overdue, "escalated_at").values(steps_left=MESSAGES.c.steps_left - 1)
# One more delivery waits then, so time may close only what was shown.
_ESCALATE_AND_TELL = _ESCALATE.values(may_expire=_WAS_SHOWN)
_EXPIRE = _take(Step.CLOSE, CLOSINGS.overdue, "closed_at")


def escalate_due(session: Session, channel: str | None, *, now: datetime, most: int) -> int:
    """Escalate at most `most` alerts whose `escalate_at` has come, the longest overdue first; return how many.

    Without a channel (it was taken out of the config since) they are marked escalated all the same, and nobody is told.
    """
    step = _ESCALATE if channel is None else _ESCALATE_AND_TELL
    escalated = [row.id for row in fetch(session, step, moment=now, most=most)]
    messages.refresh_posts(session, escalated, now=now)
    if channel is not None and escalated:
        _deliver(session, escalated, channel, now=now)
    detail = f"To {channel}." if channel else "No escalation channel is configured."
    timeline.add(session, escalated, EventKind.ESCALATED, now=now, detail=detail)
    changes(session).messages.update(escalated)
    return len(escalated)


def _deliver(session: Session, message_ids: Sequence[str], channel: str, *, now: datetime) -> None:
    """The same messages once more, each as a new post in the escalation channel."""
    chat = chats.current(session, {channel})[channel]
    posts = [outbox.new_post(new_id(now), chat.id, Urgency.ALERT, now=now) for _ in message_ids]
    outbox.queue(session, posts, Urgency.ALERT, now=now)
    same = {
        "chat_id": chat.id,
        "recipient": channel,
        "purpose": Purpose.ESCALATION,
        "status": DeliveryStatus.WAITING,
        "attempts": 0,
    }
    pairs = zip(message_ids, posts, strict=True)
    deliveries = [{"message_id": message_id, "post_id": post["id"], **same} for message_id, post in pairs]
    insert_rows(session, Delivery, deliveries)


def close_due(session: Session, *, now: datetime, most: int) -> int:
    """Close at most `most` alerts whose `close_at` has come; return how many. One that was never shown and still can
    be is left until it was shown; what still waits elsewhere is shown as closed."""
    closed = [row.id for row in fetch(session, _EXPIRE, moment=now, most=most)]
    messages.refresh_posts(session, closed, now=now)
    timeline.add(session, closed, EventKind.CLOSED, now=now, detail="Nobody answered in time.")
    changes(session).messages.update(closed)
    return len(closed)


def next_escalation(session: Session) -> datetime | None:
    return ESCALATIONS.next_at(session)


def next_close(session: Session) -> datetime | None:
    return CLOSINGS.next_at(session)


def overdue_since(session: Session, *, now: datetime) -> Sequence[datetime]:
    """The deadlines that have passed and were not acted on, for those who watch the jobs."""
    return [moment for moment in (next_escalation(session), next_close(session)) if moment is not None and moment < now]
