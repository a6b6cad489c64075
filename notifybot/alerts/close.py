"""Close an alert by hand."""

from collections.abc import Collection
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
    """Close an alert, and withdraw deliveries not shown yet. A second time changes nothing.

    Raises Conflict for a notice, and for an alert that is not sent yet or was cancelled.
    """
    message = queries.find(session, message_id)
    if message.state is State.CLOSED:
        return message
    if not message.is_alert:
        raise Conflict("This message is a notice; only an alert can be closed.")
    transitions.check_released(message, now=now)
    if not try_close(session, message_id, actor, now=now):
        raise Conflict(f"This alert is {message.state} and cannot be closed.")
    edit.withdraw_unshown(session, message_id, now=now)
    return queries.find(session, message_id)


def press(session: Session, message_ids: Collection[str], actor: Actor, *, now: datetime) -> str:
    """Close the acknowledged alerts behind a pressed button; return the reply shown to the user.

    If its acknowledgement has been taken back, an alert stays open: the user did not mean to close it unseen.
    """
    found = [queries.find(session, message_id) for message_id in message_ids]
    acknowledged = [message.id for message in found if message.state is State.ACKNOWLEDGED]
    closed = [message_id for message_id in acknowledged if try_close(session, message_id, actor, now=now)]
    if closed:
        return "Closed." if len(found) == 1 else f"Closed {len(closed)} alerts."
    if all(message.state is State.CLOSED for message in found):
        return "This alert is already closed." if len(found) == 1 else "These alerts are already closed."
    return "The acknowledgement was taken back: acknowledge the alert first."
