"""Cancel a message before it is shown."""

from datetime import datetime

from sqlmodel import Session, col, select

from notifybot.errors import Conflict
from notifybot.messages import edit, queries, transitions
from notifybot.model.actors import Actor
from notifybot.model.chats import Post
from notifybot.model.enums import EventKind
from notifybot.model.messages import Delivery, Message
from notifybot.model.states import State, Transition
from notifybot.posts import timeline
from notifybot.schedules import next_occurrence


def cancel_message(session: Session, message_id: str, actor: Actor, *, now: datetime) -> Message:
    """Cancel a message before it is shown. Cancelling again changes nothing. Raises Conflict once it is shown.

    A call in flight may still show it; it is then marked as cancelled. Of a repeating message only this occurrence is
    skipped, and the next one is inserted at once.
    """
    message = queries.find(session, message_id)
    if message.state is State.CANCELLED:
        return message
    if _was_shown(session, message_id) or not transitions.move(session, message_id, Transition.CANCEL, closed_at=now):
        hint = "You can close the alert instead." if message.is_alert else None
        raise Conflict("This message was already shown and cannot be cancelled.", hint=hint)
    timeline.add(session, [message_id], EventKind.CANCELLED, now=now, actor=actor.name)
    if message.state is State.SCHEDULED and message.schedule_id is not None:
        next_occurrence.skip(session, message, now=now)
    edit.withdraw_unshown(session, message_id, now=now)
    edit.refresh_posts(session, [message_id], now=now)
    return queries.find(session, message_id)


def _was_shown(session: Session, message_id: str) -> bool:
    of_message = select(Post.id).join(Delivery).where(Delivery.message_id == message_id)
    return session.exec(of_message.where(col(Post.parts_shown) > 0)).first() is not None
