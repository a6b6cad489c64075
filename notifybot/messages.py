"""A message and its state: found, moved along lifecycle.py's table, settled after its deliveries, shown again."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, func, text, update
from sqlmodel import Session, col, select

from notifybot import chats, timeline
from notifybot.database import affected, changes
from notifybot.errors import NotFound
from notifybot.lifecycle import Step, sources, target
from notifybot.models import MAY_ESCALATE, Delivery, DeliveryStatus, EventKind, Message, Post, Purpose, Urgency


@dataclass(frozen=True)
class Actor:
    """Who did something: `name` stands in the timeline, `facts` is what `acknowledged_by` keeps."""

    name: str
    facts: dict[str, Any]


def by_account(account: str) -> Actor:
    return Actor(f"account:{account}", {"account": account})


def by_telegram(telegram_id: int, name: str, username: str | None) -> Actor:
    return Actor(f"telegram:{telegram_id}", {"telegram_id": telegram_id, "name": name, "username": username})


def find(session: Session, message_id: str) -> Message:
    message = session.get(Message, message_id, populate_existing=True)
    if message is None:
        raise NotFound("There is no message with this id.", hint="GET /api/messages lists the messages and their ids.")
    return message


def move(session: Session, message_id: str, step: Step, **also: Any) -> bool:
    """Take one step of lifecycle.py's table, with `also` as further columns; False where the state forbids it."""
    allowed = update(Message).where(col(Message.id) == message_id, col(Message.state).in_(sources(step)))
    if not affected(session, allowed.values(state=target(step), **also)):
        return False
    changes(session).messages.add(message_id)
    return True


def any_open(session: Session, message_ids: Collection[str]) -> bool:
    """Whether one of them is an alert that still wants an answer."""
    is_open = (col(Message.is_alert), col(Message.state).in_(sources(Step.ACKNOWLEDGE)))
    asked = select(Message.id).where(col(Message.id).in_(message_ids), *is_open, col(Message.acknowledged_at).is_(None))
    return session.exec(asked).first() is not None


def settle(session: Session, message_ids: Collection[str], *, now: datetime) -> None:
    """After deliveries were shown, given up or withdrawn: say what follows for their messages.

    A message whose primary deliveries wait no more was sent, or failed; a failed alert escalates at once. Time may
    close what was shown somewhere, or what nothing is left to show of.
    """
    for message_id, tally in _tallies(session, message_ids).items():
        may_expire = bool(tally.shown or not tally.waiting)
        affected(session, update(Message).where(col(Message.id) == message_id).values(may_expire=may_expire))
        if tally.primary_waiting:
            continue
        if tally.primary_shown:
            move(session, message_id, Step.SHOW, sent_at=now)
        elif move(session, message_id, Step.FAIL):
            escalate_now(session, [message_id], now=now)
    changes(session).messages.update(message_ids)
    changes(session).note_deadline(_first_deadline(session, message_ids))


@dataclass(frozen=True)
class _Tally:
    """How many deliveries of a message are where."""

    waiting: int
    shown: int
    primary_waiting: int
    primary_shown: int


def _tallies(session: Session, message_ids: Collection[str]) -> dict[str, _Tally]:
    is_primary = col(Delivery.purpose) == Purpose.PRIMARY
    waits = col(Delivery.status) == DeliveryStatus.WAITING
    is_shown = col(Delivery.status) == DeliveryStatus.SHOWN
    counted = (
        select(Delivery.message_id)
        .add_columns(_count(waits), _count(is_shown), _count(is_primary & waits), _count(is_primary & is_shown))
        .where(col(Delivery.message_id).in_(message_ids))
        .group_by(col(Delivery.message_id))
    )
    return {row[0]: _Tally(*row[1:]) for row in session.execute(counted)}


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


def _first_deadline(session: Session, message_ids: Collection[str]) -> datetime | None:
    """The first deadline of messages that time may now act on; one that has passed means at once."""
    asked = select(func.min(Message.escalate_at), func.min(Message.close_at)).where(col(Message.id).in_(message_ids))
    return min(filter(None, session.exec(asked).one()), default=None)


def escalate_now(session: Session, message_ids: Collection[str], *, now: datetime) -> None:
    """Bring the escalation of alerts forward to `now`, where they still may escalate and have where to."""
    later = (col(Message.id).in_(message_ids), col(Message.escalate_at) > now, text(MAY_ESCALATE))
    if affected(session, update(Message).where(*later).values(escalate_at=now)):
        changes(session).note_deadline(now)


def escalate_what_is_held(session: Session, chat_id: str, until: datetime, *, now: datetime) -> None:
    """A chat is banned until then: alerts that would have escalated before it ends do so now."""
    waits = (col(Delivery.chat_id) == chat_id, col(Delivery.status) == DeliveryStatus.WAITING)
    overdue = select(Message.id).join(Delivery).where(*waits, col(Message.escalate_at) <= until)
    escalate_now(session, session.exec(overdue).all(), now=now)


def refresh_posts(session: Session, message_ids: Collection[str], *, now: datetime) -> None:
    """Every post that shows one of these messages is due again, with its newest version."""
    showing = select(Delivery.post_id).where(col(Delivery.message_id).in_(message_ids))
    standing = (col(Post.id).in_(showing), col(Post.failure).is_(None), col(Post.withdrawn_at).is_(None))
    posts = session.exec(select(Post.chat_id, Post.urgency).where(*standing)).all()
    affected(session, update(Post).where(*standing).values(version=Post.version + 1, not_before=now))
    for urgency in Urgency:
        chats.wake(session, {chat_id for chat_id, level in posts if level == urgency}, urgency, now=now)


def withdraw_unshown(session: Session, message_ids: Collection[str], *, now: datetime) -> None:
    """Take back what never stood in a chat. A call under way may still show it: then it is shown, and edited at once,
    for its version has grown."""
    showing = select(Delivery.post_id).where(
        col(Delivery.message_id).in_(message_ids), col(Delivery.status) == DeliveryStatus.WAITING
    )
    unshown = (col(Post.id).in_(showing), col(Post.shown_version) == 0, col(Post.parts_shown) == 0)
    withdrawn = update(Post).where(*unshown).values(withdrawn_at=now, version=Post.version + 1)
    affected(session, withdrawn)
    taken_back = select(Post.id).where(col(Post.id).in_(showing), col(Post.withdrawn_at).is_not(None))
    of_these = (col(Delivery.post_id).in_(taken_back), col(Delivery.status) == DeliveryStatus.WAITING)
    concerned = session.exec(select(Delivery.message_id).where(*of_these).distinct()).all()
    affected(session, update(Delivery).where(*of_these).values(status=DeliveryStatus.WITHDRAWN))
    timeline.add(session, concerned, EventKind.WITHDRAWN, now=now)
