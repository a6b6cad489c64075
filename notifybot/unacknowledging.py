"""Taking an acknowledgement back: the alert is open again, and everybody who sees it is asked anew."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import and_, not_, update
from sqlmodel import Session, col, select

from notifybot import deadlines, messages, reminders, repeats, timeline
from notifybot.database import affected, changes
from notifybot.errors import Conflict
from notifybot.kinds import Deadline, DeliveryStatus, EventKind
from notifybot.lifecycle import State, Step
from notifybot.messages import Actor
from notifybot.models import Delivery, Message, Post
from notifybot.recipients import Directory


def unacknowledge(session: Session, message_id: str, actor: Actor, directory: Directory, *, now: datetime) -> Message:
    """Open an alert again that rests acknowledged; its deadlines run anew. A second time changes nothing.

    Raises Conflict for a notice, for what nobody has acknowledged, and for what is closed.
    """
    message = messages.find(session, message_id)
    if message.unacknowledged_at is not None and message.acknowledged_at is None and message.state is not State.CLOSED:
        return message
    messages.check_released(message, now=now)
    if not take_back(session, message, actor, directory, now=now):
        raise Conflict(why_not(message), hint="GET /api/messages/{id} shows its state and its timeline.")
    return messages.find(session, message_id)


def take_back(session: Session, message: Message, actor: Actor, directory: Directory, *, now: datetime) -> bool:
    """False where its state forbids it. What the acknowledgement kept from being shown is shown now; where it is shown
    already it is posted once more, for an edit would tell nobody."""
    moved = deadlines.anew(message, now)
    nobody = {"acknowledged_at": None, "acknowledged_by": None, "snoozed_until": None, "snoozed_by": None}
    facts = {**nobody, "unacknowledged_at": now, "unacknowledged_by": actor.facts, **moved}
    if not messages.move(session, message.id, Step.UNACKNOWLEDGE, **facts):
        return False
    timeline.add(session, [message.id], EventKind.UNACKNOWLEDGED, now=now, actor=actor.name)
    repeats.keep_open(session, message.id)
    _put_back(session, message)
    _go_on(session, message, now=now)
    reminders.remind(session, [message.id], directory, now=now)
    for name, deadline in moved.items():
        changes(session).note_deadline(Deadline(name), deadline)
    return True


def press(session: Session, message_ids: Collection[str], actor: Actor, directory: Directory, *, now: datetime) -> str:
    """Take back what a button was pressed under; return the one sentence that the person sees."""
    found = [messages.find(session, message_id) for message_id in message_ids]
    taken = [message for message in found if take_back(session, message, actor, directory, now=now)]
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


def _put_back(session: Session, message: Message) -> None:
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


def _go_on(session: Session, message: Message, *, now: datetime) -> None:
    """From `initiated` on to where it had been, as far as its deliveries say, and everywhere shown so."""
    if message.escalated_at is not None:
        messages.move(session, message.id, Step.ESCALATE)
    post_id = session.exec(select(Delivery.post_id).where(Delivery.message_id == message.id)).first()
    if post_id is not None:
        messages.settle(session, post_id, now=now)
    elif messages.move(session, message.id, Step.FAIL):  # nobody was ever told
        messages.escalate_now(session, [message.id], now=now)
    messages.refresh_posts(session, [message.id], now=now)
