"""What falls due of alerts: escalating those that nobody answered, closing those whose time is over."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session, col, func, select

from notifybot import answers, chats, messages, outbox, timeline
from notifybot.ids import new_id
from notifybot.lifecycle import Step
from notifybot.models import (
    MAY_ESCALATE,
    MAY_EXPIRE,
    Delivery,
    DeliveryStatus,
    EventKind,
    Message,
    Purpose,
    Urgency,
)
from notifybot.prepared import insert_rows


def escalate_due(session: Session, channel: str | None, *, now: datetime, most: int) -> int:
    """Escalate at most `most` alerts whose `escalate_at` has come, the longest overdue first; return how many.

    Without a channel (it was taken out of the config since) they are marked escalated all the same, and nobody is told.
    """
    due = select(Message.id).where(text(MAY_ESCALATE), col(Message.escalate_at) <= now)
    overdue = session.exec(due.order_by(col(Message.escalate_at)).limit(most)).all()
    return sum(_escalate(session, message_id, channel, now=now) for message_id in overdue)


def _escalate(session: Session, message_id: str, channel: str | None, *, now: datetime) -> bool:
    if not messages.move(session, message_id, Step.ESCALATE, escalated_at=now):
        return False
    if channel is not None:
        _deliver(session, message_id, channel, now=now)
    detail = f"To {channel}." if channel else "No escalation channel is configured."
    timeline.add(session, [message_id], EventKind.ESCALATED, now=now, detail=detail)
    messages.refresh_posts(session, message_id, now=now)
    messages.settle(session, [message_id], now=now)
    return True


def _deliver(session: Session, message_id: str, channel: str, *, now: datetime) -> None:
    """The same message once more, as a new post in the escalation channel."""
    chat = chats.current(session, {channel})[channel]
    post = outbox.new_post(new_id(now), chat.id, Urgency.ALERT, now=now)
    outbox.queue(session, [post], Urgency.ALERT, now=now)
    delivery = {
        "message_id": message_id,
        "post_id": post["id"],
        "chat_id": chat.id,
        "recipient": channel,
        "purpose": Purpose.ESCALATION,
        "status": DeliveryStatus.WAITING,
        "attempts": 0,
    }
    insert_rows(session, Delivery, [delivery])


def close_due(session: Session, *, now: datetime, most: int) -> int:
    """Close at most `most` alerts whose `close_at` has come; return how many. One that was never shown and still can
    be is left until it was shown."""
    due = select(Message.id).where(text(MAY_EXPIRE), col(Message.close_at) <= now)
    expired = session.exec(due.order_by(col(Message.close_at)).limit(most)).all()
    for message_id in expired:
        answers.expire(session, message_id, now=now)
    return len(expired)


def next_escalation(session: Session) -> datetime | None:
    return session.exec(select(func.min(Message.escalate_at)).where(text(MAY_ESCALATE))).one()


def next_close(session: Session) -> datetime | None:
    return session.exec(select(func.min(Message.close_at)).where(text(MAY_EXPIRE))).one()


def overdue_since(session: Session, *, now: datetime) -> Sequence[datetime]:
    """The deadlines that have passed and were not acted on, for those who watch the jobs."""
    return [moment for moment in (next_escalation(session), next_close(session)) if moment is not None and moment < now]
