"""What may be forgotten: messages that are over, handled updates, old job runs."""

from datetime import datetime, timedelta

from sqlalchemy import and_, delete, exists, not_, or_, text
from sqlmodel import Session, col, func, select

from notifybot import job_history, linking, overrides
from notifybot.database import affected
from notifybot.ids import first_id
from notifybot.inbox import MAX_ATTEMPTS
from notifybot.lifecycle import State
from notifybot.models import (
    IS_DUE,
    Attachment,
    ClientId,
    DedupKey,
    Delivery,
    Message,
    Post,
    TimelineEvent,
    Update,
)
from notifybot.timetable import JobRun, OnCallOverride, Schedule

OVER = (State.CLOSED, State.CANCELLED)
OVER_FOR_NOTICES = (State.SENT, State.FAILED)
"""Where an alert still wants an answer."""
UPDATES_KEPT = timedelta(days=2)
"""Telegram keeps an update for a day: after two it cannot come again."""


def forget_messages(session: Session, *, before: datetime, most: int) -> int:
    """Delete at most `most` messages accepted, or sent later, before then that are over, with all that belongs to
    them."""
    is_over = or_(
        col(Message.state).in_(OVER), and_(not_(col(Message.is_alert)), col(Message.state).in_(OVER_FOR_NOTICES))
    )
    # The id holds the time too, and has an index.
    is_long_over = or_(col(Message.send_at) < before, col(Message.closed_at) < before)
    was_sent = or_(col(Message.send_at).is_(None), is_long_over)
    is_old = (col(Message.created_at) < before, col(Message.id) < first_id(before), was_sent)
    old = session.exec(select(Message.id).where(*is_old, is_over).order_by(col(Message.id)).limit(most)).all()
    if not old:
        return 0
    posts = session.exec(select(Delivery.post_id).where(col(Delivery.message_id).in_(old))).all()
    for table in (Delivery, TimelineEvent, ClientId, Attachment, DedupKey):
        affected(session, delete(table).where(col(table.message_id).in_(old)))
    affected(session, delete(Post).where(col(Post.id).in_(posts)))
    return affected(session, delete(Message).where(col(Message.id).in_(old)))


def forget_schedules(session: Session, *, before: datetime) -> int:
    """Delete schedules that ended before then, once none of their messages is left."""
    has_messages = exists().where(col(Message.schedule_id) == Schedule.id)
    return affected(session, delete(Schedule).where(col(Schedule.ended_at) < before, not_(has_messages)))


def forget_bookkeeping(session: Session, *, now: datetime) -> int:
    """Delete answers to people that wait no more, updates that were handled or parked, and job runs, overrides,
    client_ids, codes and tokens that are past their time."""
    long_ago = now - UPDATES_KEPT
    is_answered = (col(Post.reply).is_not(None), col(Post.not_before) < long_ago, text(f"NOT ({IS_DUE})"))
    is_done = or_(col(Update.handled_at).is_not(None), col(Update.attempts) >= MAX_ATTEMPTS)
    statements = (
        delete(Post).where(*is_answered),
        delete(Update).where(col(Update.received_at) < long_ago, is_done),
        delete(ClientId).where(col(ClientId.expires_at) < now),
        delete(OnCallOverride).where(col(OnCallOverride.ends_at) < now - overrides.RECENTLY),
    )
    gone = sum(affected(session, statement) for statement in statements)
    return gone + linking.forget_old(session, now=now) + job_history.forget_old(session, now=now)


def last_run(session: Session) -> datetime | None:
    return session.exec(select(func.max(JobRun.started_at)).where(JobRun.job == "retention")).one()
