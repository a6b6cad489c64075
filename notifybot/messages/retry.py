"""Retry dead letters."""

from datetime import datetime

from sqlalchemy import update
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
    """Queue the failed deliveries of a message again, as if they had never been tried. Shown ones stay as they are.

    Raises Conflict if no delivery failed, and if the message is over.
    """
    message = queries.find(session, message_id)
    if message.state in FINAL:
        raise Conflict(f"This message is {message.state} and is not sent any more.")
    given_up = (col(Delivery.message_id) == message_id, col(Delivery.status) == DeliveryStatus.FAILED)
    posts = session.exec(select(Delivery.post_id).where(*given_up)).all()
    if not posts:
        hint = "GET /api/messages/{id} shows the status of each delivery."
        raise Conflict("This message has no failed delivery.", hint=hint)
    renewed = {"failure": None, "errors": 0, "tried_for_s": 0.0, "not_before": now}
    affected(session, update(Post).where(col(Post.id).in_(posts)).values(**renewed))
    affected(session, update(Delivery).where(*given_up).values(status=DeliveryStatus.WAITING))
    transitions.move(session, message_id, Transition.RETRY)
    transitions.update_may_expire(session, [message_id])
    timeline.add(session, [message_id], EventKind.RETRIED, now=now, actor=actor.name)
    changes(session).messages.add(message_id)
    edit.refresh_posts(session, [message_id], now=now)
    return queries.find(session, message_id)
