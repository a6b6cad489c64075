"""Delete old messages that are over, and expired client_ids."""

from datetime import datetime

from sqlalchemy import and_, delete, not_, or_
from sqlmodel import Session, col, select

from notifybot.model.chats import Post
from notifybot.model.ids import first_id
from notifybot.model.messages import Attachment, ClientId, DedupKey, Delivery, Message, TimelineEvent
from notifybot.model.states import FINAL, FINAL_FOR_NOTICES
from notifybot.storage.statements import affected


def forget_messages(session: Session, *, before: datetime, limit: int) -> int:
    """Delete at most `limit` messages that are over and older than `before`, with everything that belongs to them.

    A scheduled message counts from the time it is sent.
    """
    is_over = or_(
        col(Message.state).in_(FINAL),
        and_(not_(col(Message.is_alert)), col(Message.state).in_(FINAL_FOR_NOTICES)),
    )
    # The id contains the time too, and has an index.
    is_long_over = or_(col(Message.send_at) < before, col(Message.closed_at) < before)
    was_sent = or_(col(Message.send_at).is_(None), is_long_over)
    is_old = (col(Message.created_at) < before, col(Message.id) < first_id(before), was_sent)
    old = session.exec(select(Message.id).where(*is_old, is_over).order_by(col(Message.id)).limit(limit)).all()
    if not old:
        return 0
    posts = session.exec(select(Delivery.post_id).where(col(Delivery.message_id).in_(old))).all()
    for table in (Delivery, TimelineEvent, ClientId, Attachment, DedupKey):
        affected(session, delete(table).where(col(table.message_id).in_(old)))
    affected(session, delete(Post).where(col(Post.id).in_(posts)))
    return affected(session, delete(Message).where(col(Message.id).in_(old)))
