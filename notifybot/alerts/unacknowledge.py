"""Take an acknowledgement back, which opens the alert again."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import and_, not_, update
from sqlmodel import Session, col, select

from notifybot.alerts import remind
from notifybot.errors import Conflict
from notifybot.messages import deadlines, dedup, edit, queries, transitions
from notifybot.model.actors import Actor
from notifybot.model.chats import Post
from notifybot.model.enums import Deadline, DeliveryStatus, EventKind
from notifybot.model.messages import Delivery, Message
from notifybot.model.states import State, Transition
from notifybot.posts import timeline
from notifybot.recipients.directory import Directory
from notifybot.storage.statements import affected
from notifybot.storage.writer import changes


def unacknowledge(session: Session, message_id: str, actor: Actor, directory: Directory, *, now: datetime) -> Message:
    """Open an acknowledged alert again and restart its deadlines. A second time changes nothing.

    Raises Conflict for a notice, and for an alert that nobody has acknowledged or that is closed.
    """
    message = queries.find(session, message_id)
    if message.unacknowledged_at is not None and message.acknowledged_at is None and message.state is not State.CLOSED:
        return message
    transitions.check_released(message, now=now)
    if not try_unacknowledge(session, message, actor, directory, now=now):
        raise Conflict(why_not(message), hint="GET /api/messages/{id} shows its state and its timeline.")
    return queries.find(session, message_id)


def try_unacknowledge(session: Session, message: Message, actor: Actor, directory: Directory, *, now: datetime) -> bool:
    """Reopen the alert; return False if its state forbids it.

    Deliveries that the acknowledgement withdrew are shown now. Chats that show the alert get a new post, as an edit
    does not notify.
    """
    moved = deadlines.restarted(message, now)
    nobody = {"acknowledged_at": None, "acknowledged_by": None}
    awake = {"snoozed_until": None, "snoozed_by": None, "is_snoozed_by_clock": False}
    facts = {**nobody, **awake, "unacknowledged_at": now, "unacknowledged_by": actor.facts, **moved}
    if not transitions.move(session, message.id, Transition.UNACKNOWLEDGE, **facts):
        return False
    timeline.add(session, [message.id], EventKind.UNACKNOWLEDGED, now=now, actor=actor.name)
    dedup.keep_while_open(session, message.id)
    _requeue_withdrawn(session, message)
    _restore_state(session, message, now=now)
    remind.post_reminders(session, [message.id], directory, now=now)
    for name, deadline in moved.items():
        changes(session).note_deadline(Deadline(name), deadline)
    return True


def press(session: Session, message_ids: Collection[str], actor: Actor, directory: Directory, *, now: datetime) -> str:
    """Reopen the alerts behind a pressed button; return the reply shown to the user."""
    found = [queries.find(session, message_id) for message_id in message_ids]
    reopened = [message for message in found if try_unacknowledge(session, message, actor, directory, now=now)]
    if not reopened:
        return why_not(found[0])
    opened = "the alert is" if len(found) == 1 else f"{len(reopened)} alerts are"
    return f"Taken back: {opened} open again."


def why_not(message: Message) -> str:
    """Say why an acknowledgement cannot be taken back, in one sentence."""
    if not message.is_alert:
        return "This message is a notice; only an alert can be acknowledged."
    if message.state is State.CLOSED and message.acknowledged_at is not None:
        return "This alert is already closed, so its acknowledgement cannot be taken back."
    return f"This alert is {message.state}, and nobody has acknowledged it."


def _requeue_withdrawn(session: Session, message: Message) -> None:
    """Requeue deliveries withdrawn by the acknowledgement, except those withheld from muted recipients."""
    never_wanted = and_(col(Delivery.attempts) == 0, col(Delivery.last_error).is_not(None))
    withdrawn = (
        col(Delivery.message_id) == message.id,
        col(Delivery.status) == DeliveryStatus.WITHDRAWN,
        not_(never_wanted),
    )
    posts = session.exec(select(Delivery.post_id).where(*withdrawn)).all()
    affected(session, update(Post).where(col(Post.id).in_(posts)).values(withdrawn_at=None))
    affected(session, update(Delivery).where(*withdrawn).values(status=DeliveryStatus.WAITING))


def _restore_state(session: Session, message: Message, *, now: datetime) -> None:
    """Move it on from `initiated` to the state that its deliveries call for, and refresh its posts."""
    if message.escalated_at is not None:
        transitions.move(session, message.id, Transition.ESCALATE)
    post_id = session.exec(select(Delivery.post_id).where(Delivery.message_id == message.id)).first()
    if post_id is not None:
        transitions.settle(session, post_id, now=now)
    elif transitions.move(session, message.id, Transition.FAIL):  # nobody was ever notified
        transitions.escalate_now(session, [message.id], now=now)
    edit.refresh_posts(session, [message.id], now=now)
