"""Close an alert by hand."""

from datetime import datetime

from sqlmodel import Session

from notifybot.errors import Conflict
from notifybot.messages import edit, queries, transitions
from notifybot.model.actors import Actor
from notifybot.model.enums import EventKind
from notifybot.model.messages import Message
from notifybot.model.states import State, Transition
from notifybot.posts import timeline


def try_close(session: Session, message_id: str, actor: Actor, *, now: datetime) -> bool:
    if not transitions.move(session, message_id, Transition.CLOSE, closed_at=now):
        return False
    timeline.add(session, [message_id], EventKind.CLOSED, now=now, actor=actor.name)
    edit.refresh_posts(session, [message_id], now=now)
    return True


def close(session: Session, message_id: str, actor: Actor, *, now: datetime) -> Message:
    """Close an alert by hand, and show no more of it; one that is closed already stays as it is.

    Raises Conflict for a notice, and for an alert that was not sent yet or cancelled.
    """
    message = queries.find(session, message_id)
    if message.state is State.CLOSED:
        return message
    if not message.is_alert:
        raise Conflict("This message is a notice; it ends by itself and cannot be closed.")
    transitions.check_released(message, now=now)
    if not try_close(session, message_id, actor, now=now):
        raise Conflict(f"This alert is {message.state} and cannot be closed.")
    edit.withdraw_unshown(session, message_id, now=now)
    return queries.find(session, message_id)
