"""Acknowledge an alert."""

from datetime import datetime, timedelta

from sqlalchemy import update
from sqlmodel import Session, col

from notifybot.alerts.close import try_close
from notifybot.errors import Conflict
from notifybot.messages import dedup, edit, queries, transitions
from notifybot.model.actors import Actor
from notifybot.model.enums import Deadline, EventKind
from notifybot.model.messages import Message
from notifybot.model.states import Transition
from notifybot.posts import timeline
from notifybot.storage.statements import affected
from notifybot.storage.writer import changes


def acknowledge(session: Session, message_id: str, actor: Actor, *, now: datetime, closes: bool = True) -> Message:
    """Answer an alert and close it, or let it rest until somebody closes it; a second answer changes nothing and
    returns the first.

    Raises Conflict for a notice, and for an alert that was not sent yet, or closed or cancelled unanswered.
    """
    message = queries.find(session, message_id)
    if message.is_alert and message.acknowledged_at is not None:
        return message
    transitions.check_released(message, now=now)
    if not try_acknowledge(session, message_id, actor, now=now, closes=closes):
        raise Conflict(_why_not(message), hint="GET /api/messages/{id} shows its state and its timeline.")
    return queries.find(session, message_id)


def try_acknowledge(session: Session, message_id: str, actor: Actor, *, now: datetime, closes: bool) -> bool:
    """Acknowledged and, where it `closes`, at once closed, with both lines in the timeline; False where its state
    forbids it. Where it rests people are reminded as long after this as they were before."""
    message = queries.find(session, message_id)
    every = message.remind_every_s
    remind_at = None if every is None else now + timedelta(seconds=every)
    facts = {"acknowledged_at": now, "acknowledged_by": actor.facts, "remind_at": remind_at}
    if not message.is_alert or not transitions.move(session, message_id, Transition.ACKNOWLEDGE, **facts):
        return False
    timeline.add(session, [message_id], EventKind.ACKNOWLEDGED, now=now, actor=actor.name)
    edit.withdraw_unshown(session, message_id, now=now)
    if message.dedup_key is not None:
        dedup.keep_after_acknowledgement(session, message_id, now=now)
    if closes:
        try_close(session, message_id, actor, now=now)
    else:
        changes(session).note_deadline(Deadline.REMIND, remind_at)
        edit.refresh_posts(session, [message_id], now=now)
    return True


def _why_not(message: Message) -> str:
    if not message.is_alert:
        return "This message is a notice; only an alert can be acknowledged."
    return f"This alert is {message.state} already, and nobody had acknowledged it."


def acknowledge_late(session: Session, message_id: str, actor: Actor, *, now: datetime) -> None:
    unanswered = (col(Message.id) == message_id, col(Message.acknowledged_at).is_(None))
    facts = {"acknowledged_at": now, "acknowledged_by": actor.facts}
    if not affected(session, update(Message).where(*unanswered).values(**facts)):
        return
    timeline.add(
        session, [message_id], EventKind.ACKNOWLEDGED, now=now, actor=actor.name, detail="After it was closed."
    )
    dedup.keep_after_acknowledgement(session, message_id, now=now)
    changes(session).messages.add(message_id)
    edit.refresh_posts(session, [message_id], now=now)
