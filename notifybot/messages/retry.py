"""Retry dead letters on request."""

from datetime import datetime

from sqlalchemy import exists, update
from sqlmodel import Session, col, select

from notifybot.errors import Conflict
from notifybot.messages import edit, queries, transitions
from notifybot.model.actors import Actor
from notifybot.model.chats import Post
from notifybot.model.enums import DeliveryStatus, EventKind
from notifybot.model.messages import Delivery, Message
from notifybot.model.states import FINAL, Transition
from notifybot.posts import timeline
from notifybot.storage.statements import affected
from notifybot.storage.writer import changes


def retry(session: Session, message_id: str, actor: Actor, *, now: datetime) -> Message:
    """Send to each chat again that was given up, with all the patience of a first try; what is shown stays as it is.

    Raises Conflict where nothing was given up, and where the message is over.
    """
    message = queries.find(session, message_id)
    if message.state in FINAL:
        raise Conflict(f"This message is {message.state}; nothing of it is sent any more.")
    given_up = (col(Delivery.message_id) == message_id, col(Delivery.status) == DeliveryStatus.FAILED)
    posts = session.exec(select(Delivery.post_id).where(*given_up)).all()
    if not posts:
        hint = "The deliveries of GET /api/messages/{id} say what became of each."
        raise Conflict("Nothing of this message was given up.", hint=hint)
    afresh = {"failure": None, "errors": 0, "tried_for_s": 0.0, "not_before": now}
    affected(session, update(Post).where(col(Post.id).in_(posts)).values(**afresh))
    affected(session, update(Delivery).where(*given_up).values(status=DeliveryStatus.WAITING))
    transitions.move(session, message_id, Transition.RETRY)
    is_shown = exists().where(col(Delivery.message_id) == message_id, col(Delivery.status) == DeliveryStatus.SHOWN)
    affected(session, update(Message).where(col(Message.id) == message_id).values(may_expire=is_shown))
    timeline.add(session, [message_id], EventKind.RETRIED, now=now, actor=actor.name)
    changes(session).messages.add(message_id)
    edit.refresh_posts(session, [message_id], now=now)
    return queries.find(session, message_id)
