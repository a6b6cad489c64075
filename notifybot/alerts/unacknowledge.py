"""Take an acknowledgement back: the alert is open again."""

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
    """Open an alert again that rests acknowledged; its deadlines run anew. A second time changes nothing.

    Raises Conflict for a notice, for what nobody has acknowledged, and for what is closed.
    """
    message = queries.find(session, message_id)
    if message.unacknowledged_at is not None and message.acknowledged_at is None and message.state is not State.CLOSED:
        return message
    transitions.check_released(message, now=now)
    if not try_unacknowledge(session, message, actor, directory, now=now):
        raise Conflict(why_not(message), hint="GET /api/messages/{id} shows its state and its timeline.")
    return queries.find(session, message_id)


def try_unacknowledge(session: Session, message: Message, actor: Actor, directory: Directory, *, now: datetime) -> bool:
    """False where its state forbids it. What the acknowledgement kept from being shown is shown now; where it is shown
    already it is posted once more, for an edit would tell nobody."""
    moved = deadlines.restarted(message, now)
    nobody = {"acknowledged_at": None, "acknowledged_by": None, "snoozed_until": None, "snoozed_by": None}
    facts = {**nobody, "unacknowledged_at": now, "unacknowledged_by": actor.facts, **moved}
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
    """Take back what a button was pressed under; return the one sentence that the person sees."""
    found = [queries.find(session, message_id) for message_id in message_ids]
    taken = [message for message in found if try_unacknowledge(session, message, actor, directory, now=now)]
    if not taken:
        return why_not(found[0])
    return "Taken back: the alert is open again." if len(found) == 1 else f"Taken back: {len(taken)} are open again."


def why_not(message: Message) -> str:
    """Why an acknowledgement cannot be taken back, in one sentence."""
    if not message.is_alert:
        return "This message is a notice; only an alert can be acknowledged."
    if message.state is State.CLOSED and message.acknowledged_at is not None:
        return "This alert is closed already; its acknowledgement cannot be taken back."
    return f"This alert is {message.state}, and nobody has acknowledged it."


def _requeue_withdrawn(session: Session, message: Message) -> None:
    """What was withdrawn unshown when somebody acknowledged it is due again; not what its reader did not want."""
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
    """From `initiated` on to where it had been, as far as its deliveries say, and everywhere shown so."""
    if message.escalated_at is not None:
        transitions.move(session, message.id, Transition.ESCALATE)
    post_id = session.exec(select(Delivery.post_id).where(Delivery.message_id == message.id)).first()
    if post_id is not None:
        transitions.settle(session, post_id, now=now)
    elif transitions.move(session, message.id, Transition.FAIL):  # nobody was ever told
        transitions.escalate_now(session, [message.id], now=now)
    edit.refresh_posts(session, [message.id], now=now)
