"""A message and its state: found, moved along lifecycle.py's table, settled after its deliveries, shown again."""

import functools
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Update,
    and_,
    bindparam,
    case,
    exists,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from notifybot import chats, timeline
from notifybot.database import affected, changes
from notifybot.errors import Conflict, NotFound
from notifybot.formatting import clock_time
from notifybot.kinds import Deadline, DeliveryStatus, EventKind, Purpose, Urgency
from notifybot.lifecycle import State, Step, after, sources, target
from notifybot.models import MAY_ESCALATE, Delivery, Message, Post, table_of
from notifybot.prepared import fetch, padded, run

MESSAGES, DELIVERIES, POSTS = table_of(Message), table_of(Delivery), table_of(Post)
_OTHER = DELIVERIES.alias("other")


def _any(status: DeliveryStatus, *purposes: Purpose) -> ColumnElement[bool]:
    """Whether the message has such a delivery: soon found out, however many it has. The status stands in the text, so
    that SQLite sees that the partial index of those that wait will do."""
    others = exists().where(_OTHER.c.message_id == DELIVERIES.c.message_id, text(f"other.status = '{status}'"))
    return others.where(or_(*(_OTHER.c.purpose == purpose for purpose in purposes))) if purposes else others


_TALLIES = (
    select(
        MESSAGES.c.id,
        MESSAGES.c.state,
        MESSAGES.c.is_alert,
        MESSAGES.c.close_at,
        MESSAGES.c.sent_at,
        _any(DeliveryStatus.SHOWN).label("is_shown"),
        _any(DeliveryStatus.SHOWN, Purpose.PRIMARY).label("primary_is_shown"),
        _any(DeliveryStatus.WAITING, Purpose.PRIMARY).label("primary_waits"),
        _any(DeliveryStatus.WAITING, Purpose.ESCALATION).label("escalation_waits"),
    )
    .join(DELIVERIES, DELIVERIES.c.message_id == MESSAGES.c.id)
    .where(DELIVERIES.c.post_id == bindparam("post"))
)
_MOMENT = bindparam("moment", type_=POSTS.c.not_before.type)
_WAITING_HERE = select(DELIVERIES.c.post_id).where(
    DELIVERIES.c.message_id == bindparam("message"), DELIVERIES.c.status == DeliveryStatus.WAITING
)
_WITHDRAW_POSTS = (
    update(POSTS)
    .where(POSTS.c.id.in_(_WAITING_HERE), POSTS.c.shown_version == 0, POSTS.c.parts_shown == 0)
    .values(withdrawn_at=_MOMENT, version=POSTS.c.version + 1)
)
_WITHDRAWN = select(POSTS.c.id).where(POSTS.c.id.in_(_WAITING_HERE), POSTS.c.withdrawn_at.is_not(None))
_WITHDRAW_DELIVERIES = (
    update(DELIVERIES)
    .where(
        DELIVERIES.c.message_id == bindparam("message"),
        DELIVERIES.c.status == DeliveryStatus.WAITING,
        DELIVERIES.c.post_id.in_(_WITHDRAWN),
    )
    .values(status=DeliveryStatus.WITHDRAWN)
)
_SETTLE = (
    update(MESSAGES)
    .where(MESSAGES.c.id == bindparam("message"), MESSAGES.c.state == bindparam("was"))
    .values(state=bindparam("became"), may_expire=bindparam("may"), sent_at=bindparam("sent"))
)


@dataclass(frozen=True)
class Actor:
    """Who did something: `name` stands in the timeline, `facts` is what `acknowledged_by` keeps."""

    name: str
    facts: dict[str, Any]


def by_account(account: str) -> Actor:
    return Actor(f"account:{account}", {"account": account})


def by_telegram(telegram_id: int, name: str, username: str | None) -> Actor:
    return Actor(f"telegram:{telegram_id}", {"telegram_id": telegram_id, "name": name, "username": username})


def name_of(who: Mapping[str, Any]) -> str:
    """The name that people see of `acknowledged_by`."""
    if "account" in who:
        return str(who["account"])
    return f"{who['name']} (@{who['username']})" if who.get("username") else str(who["name"])


def find(session: Session, message_id: str) -> Message:
    message = session.get(Message, message_id, populate_existing=True)
    if message is None:
        raise NotFound("There is no message with this id.", hint="GET /api/messages lists the messages and their ids.")
    return message


def check_released(message: Message, *, now: datetime) -> None:
    """Raise Conflict for an alert that waits for its time: nobody was told of it, so there is nothing to answer."""
    if message.state is not State.SCHEDULED or not message.is_alert or message.send_at is None:
        return
    due = f"it is due at {clock_time(message.send_at, now)}"
    when = due if message.release_at is not None else "its schedule is paused"
    raise Conflict(f"This alert was not sent yet: {when}.", hint="It can be cancelled.")


def move(session: Session, message_id: str, step: Step, **also: Any) -> bool:
    """Take one step of lifecycle.py's table, with `also` as further columns; False where the state forbids it."""
    if not run(session, _step(step, tuple(also)), message=message_id, **{f"new_{name}": also[name] for name in also}):
        return False
    changes(session).messages.add(message_id)
    return True


@functools.cache
def _step(step: Step, names: tuple[str, ...]) -> Update:
    columns = {name: bindparam(f"new_{name}", type_=MESSAGES.c[name].type) for name in names}
    may = or_(*(MESSAGES.c.state == state for state in sources(step)))
    return update(MESSAGES).where(MESSAGES.c.id == bindparam("message"), may).values(state=target(step), **columns)


def revise(
    session: Session,
    message_id: str,
    actor: Actor,
    newest: Mapping[str, str | None],
    *,
    now: datetime,
    why_plain: str | None = None,
) -> Message:
    """Give a message a newer `content` or `title` (None: none any more); every post that shows it follows.

    `why_plain`: its markup could not be read. Raises Conflict where it is over.
    """
    message = find(session, message_id)
    if message.state in (State.CLOSED, State.CANCELLED):
        raise Conflict(f"This message is {message.state}; what it says stays as it is.")
    if any(getattr(message, name) != value for name, value in newest.items()):
        affected(session, update(Message).where(col(Message.id) == message_id).values(**newest))
        timeline.add(session, [message_id], EventKind.EDITED, now=now, actor=actor.name, detail="It has a newer text.")
        timeline.trim(session, message_id, EventKind.EDITED)
        if why_plain is not None:
            detail = timeline.shown_plain(why_plain)
            timeline.add(session, [message_id], EventKind.REFORMATTED, now=now, detail=detail)
        changes(session).messages.add(message_id)
        refresh_posts(session, [message_id], now=now)
    return find(session, message_id)


def any_open(session: Session, message_ids: Collection[str]) -> bool:
    """Whether one of them is an alert that still wants an answer."""
    is_open = (col(Message.is_alert), col(Message.state).in_(sources(Step.ACKNOWLEDGE)))
    asked = select(col(Message.id)).where(col(Message.id).in_(message_ids), *is_open)
    return session.execute(asked.where(col(Message.acknowledged_at).is_(None))).first() is not None


def settle(session: Session, post_id: str, *, now: datetime) -> list[str]:
    """After a post was shown or given up: say what follows for the messages that it shows; return their ids.

    A message whose primary deliveries wait no more was sent, or failed; a failed alert escalates at once. Time may
    close what was shown somewhere, or what nothing is left to show of.
    """
    tallies = fetch(session, _TALLIES, post=post_id)
    for tally in tallies:
        step = _step_after(tally)
        moved = None if step is None else after(tally.state, step, is_alert=tally.is_alert)
        may_expire = bool(tally.is_shown or not (tally.primary_waits or tally.escalation_waits))
        sent_at = tally.sent_at or (now if moved and step is Step.SHOW else None)
        run(
            session,
            _SETTLE,
            message=tally.id,
            was=tally.state,
            became=moved or tally.state,
            may=may_expire,
            sent=sent_at,
        )
        if moved and step is Step.FAIL:
            escalate_now(session, [tally.id], now=now)
        changes(session).messages.add(tally.id)
        changes(session).note_deadline(Deadline.CLOSE, tally.close_at if may_expire else None)
    return [tally.id for tally in tallies]


def _step_after(tally: Any) -> Step | None:
    """What its deliveries say of a message that is on its way."""
    if tally.primary_waits:
        return None
    return Step.SHOW if tally.primary_is_shown else Step.FAIL


def escalate_now(session: Session, message_ids: Collection[str], *, now: datetime) -> None:
    """Bring the escalation of alerts forward to `now`, where they still may escalate and have where to."""
    later = (col(Message.id).in_(message_ids), col(Message.escalate_at) > now, text(MAY_ESCALATE))
    if affected(session, update(Message).where(*later).values(escalate_at=now)):
        changes(session).note_deadline(Deadline.ESCALATE, now)


def go_on_escalating(session: Session, post_id: str, *, now: datetime) -> None:
    """A post of an escalation was given up: where that reached nobody else, the next step is taken at once."""
    here = aliased(Delivery)
    is_alive = col(Delivery.status).in_((DeliveryStatus.WAITING, DeliveryStatus.SHOWN))
    others = exists().where(col(Delivery.message_id) == here.message_id, is_alive)
    of_post = select(col(here.message_id)).where(col(here.post_id) == post_id, col(here.purpose) == Purpose.ESCALATION)
    alone = of_post.where(~others.where(col(Delivery.purpose) == Purpose.ESCALATION))
    escalate_now(session, session.execute(alone).scalars().all(), now=now)


def escalate_what_is_held(session: Session, chat_id: str, until: datetime, *, now: datetime) -> None:
    """A chat is banned until then: alerts that would have escalated before it ends do so now."""
    waits = (col(Delivery.chat_id) == chat_id, col(Delivery.status) == DeliveryStatus.WAITING)
    overdue = select(col(Message.id)).join(Delivery).where(*waits, col(Message.escalate_at) <= until)
    escalate_now(session, session.execute(overdue).scalars().all(), now=now)


def refresh_posts(session: Session, message_ids: Sequence[str], *, now: datetime) -> None:
    """Every post that shows one of these messages is due again, with its newest version."""
    due: defaultdict[int, set[str]] = defaultdict(set)
    for piece in padded(message_ids):
        shown = {f"message_{number}": message_id for number, message_id in enumerate(piece)}
        for post in fetch(session, _standing_posts(len(piece)), **shown):
            due[post.urgency].add(post.chat_id)
        run(session, _renew_posts(len(piece)), **shown, moment=now)
    for urgency, chat_ids in due.items():
        chats.wake(session, chat_ids, Urgency(urgency), now=now)


@functools.cache
def _standing_posts(size: int) -> Select[tuple[str, int]]:
    return select(POSTS.c.chat_id, POSTS.c.urgency).distinct().where(*_stand(size))


@functools.cache
def _renew_posts(size: int) -> Update:
    waits = and_(POSTS.c.parts_shown == 0, POSTS.c.errors == 0, POSTS.c.not_before > _MOMENT)  # for quiet hours to end
    not_before = case((waits, POSTS.c.not_before), else_=_MOMENT)
    return update(POSTS).where(*_stand(size)).values(version=POSTS.c.version + 1, not_before=not_before)


def _stand(size: int) -> tuple[ColumnElement[bool], ...]:
    """The posts that show one of so many messages, and may still be changed."""
    numbered = [bindparam(f"message_{number}", type_=DELIVERIES.c.message_id.type) for number in range(size)]
    showing = select(DELIVERIES.c.post_id).where(DELIVERIES.c.message_id.in_(numbered))
    over = (POSTS.c.failure, POSTS.c.withdrawn_at, POSTS.c.superseded_at)
    return POSTS.c.id.in_(showing), *(each.is_(None) for each in over)


def withdraw_unshown(session: Session, message_id: str, *, now: datetime) -> None:
    """Take back what never stood in a chat. A call under way may still show it: then it is shown, and edited at once,
    for its version has grown."""
    run(session, _WITHDRAW_POSTS, message=message_id, moment=now)
    if run(session, _WITHDRAW_DELIVERIES, message=message_id):
        timeline.add(session, [message_id], EventKind.WITHDRAWN, now=now)
