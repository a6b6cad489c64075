"""Acknowledge an alert."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlmodel import Session, col

from notifybot.alerts.close import try_close
from notifybot.errors import Conflict
from notifybot.messages import dedup, edit, queries, transitions
from notifybot.model.actors import Actor, name_of
from notifybot.model.enums import Deadline, EventKind
from notifybot.model.messages import Message
from notifybot.model.states import State, Transition
from notifybot.posts import timeline
from notifybot.storage.statements import affected
from notifybot.storage.writer import changes
from notifybot.times.display import clock_time


def acknowledge(session: Session, message_id: str, actor: Actor, *, now: datetime, closes: bool = True) -> Message:
    """Acknowledge an alert and close it, or leave it acknowledged until someone closes it. A second time changes
    nothing.

    Raises Conflict for a notice, and for an alert that is not sent yet, or was closed or cancelled unacknowledged.
    """
    message = queries.find(session, message_id)
    if message.is_alert and message.acknowledged_at is not None:
        return message
    transitions.check_released(message, now=now)
    if not try_acknowledge(session, message_id, actor, now=now, closes=closes):
        raise Conflict(_why_not(message), hint="GET /api/messages/{id} shows its state and its timeline.")
    return queries.find(session, message_id)


def try_acknowledge(session: Session, message_id: str, actor: Actor, *, now: datetime, closes: bool) -> bool:
    """Acknowledge an alert, and close it at once if `closes`; return False if its state forbids it.

    Reminders of one that stays open start over.
    """
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
    return f"This alert is already {message.state} and was never acknowledged."


def press(session: Session, message_ids: Collection[str], actor: Actor, *, now: datetime, closes: bool) -> str:
    """Acknowledge the alerts behind a pressed button; return the reply shown to the user."""
    acknowledged = [each for each in message_ids if try_acknowledge(session, each, actor, now=now, closes=closes)]
    if not acknowledged:
        late = sum(_record_late(session, each, actor, now=now) for each in message_ids)
        return _too_late([queries.find(session, each) for each in message_ids], late, now=now)
    done = "Acknowledged" if len(message_ids) == 1 else f"Acknowledged {len(acknowledged)} alerts"
    return f"{done}." if closes else f"{done}. Close it when it is resolved, or take it back."


def _record_late(session: Session, message_id: str, actor: Actor, *, now: datetime) -> bool:
    """Record the first acknowledgement of an alert that is closed already; it stays closed."""
    is_late = (
        col(Message.id) == message_id,
        col(Message.is_alert),
        col(Message.state) == State.CLOSED,
        col(Message.acknowledged_at).is_(None),
    )
    facts = {"acknowledged_at": now, "acknowledged_by": actor.facts}
    if not affected(session, update(Message).where(*is_late).values(**facts)):
        return False
    detail = "After it was closed."
    timeline.add(session, [message_id], EventKind.ACKNOWLEDGED, now=now, actor=actor.name, detail=detail)
    dedup.keep_after_acknowledgement(session, message_id, now=now)
    changes(session).messages.add(message_id)
    edit.refresh_posts(session, [message_id], now=now)
    return True


def _too_late(messages: Collection[Message], late: int, *, now: datetime) -> str:
    """Say why none of these could be acknowledged; `late` of them were closed, and the press was recorded."""
    if late:
        closed = "This alert is" if len(messages) == 1 else f"{late} alerts are"
        return f"{closed} already closed; your acknowledgement is recorded."
    earlier = {each.acknowledged_at: each for each in messages if each.acknowledged_at is not None}
    if not earlier:
        return "There is nothing left to acknowledge here."
    last_at = max(earlier)
    name, when = name_of(earlier[last_at].acknowledged_by or {}), clock_time(last_at, now)
    if len(messages) == 1:
        return f"{name} acknowledged this at {when}."
    return f"All of these are already acknowledged, the last one by {name} at {when}."
