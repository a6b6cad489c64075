"""Move messages along the state table, by conditional updates."""

import functools
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Update,
    bindparam,
    exists,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from notifybot.errors import Conflict
from notifybot.model.chats import Post
from notifybot.model.conditions import MAY_ESCALATE
from notifybot.model.enums import Deadline, DeliveryStatus, Purpose
from notifybot.model.messages import Delivery, Message
from notifybot.model.states import State, Transition, next_state, sources, target
from notifybot.storage.statements import affected, fetch, run, table_of
from notifybot.storage.writer import changes
from notifybot.times.display import clock_time

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
_SETTLE = (
    update(MESSAGES)
    .where(MESSAGES.c.id == bindparam("message"), MESSAGES.c.state == bindparam("was"))
    .values(state=bindparam("became"), may_expire=bindparam("may"), sent_at=bindparam("sent"))
)


def check_released(message: Message, *, now: datetime) -> None:
    """Raise Conflict for an alert that waits for its time: nobody was told of it, so there is nothing to answer."""
    if message.state is not State.SCHEDULED or not message.is_alert or message.send_at is None:
        return
    due = f"it is due at {clock_time(message.send_at, now)}"
    when = due if message.release_at is not None else "its schedule is paused"
    raise Conflict(f"This alert was not sent yet: {when}.", hint="It can be cancelled.")


def move(session: Session, message_id: str, step: Transition, **also: Any) -> bool:
    """Take one step of model/states.py's table, with `also` as further columns; False where the state forbids it."""
    if not run(session, _step(step, tuple(also)), message=message_id, **{f"new_{name}": also[name] for name in also}):
        return False
    changes(session).messages.add(message_id)
    return True


@functools.cache
def _step(step: Transition, names: tuple[str, ...]) -> Update:
    columns = {name: bindparam(f"new_{name}", type_=MESSAGES.c[name].type) for name in names}
    may = or_(*(MESSAGES.c.state == state for state in sources(step)))
    return update(MESSAGES).where(MESSAGES.c.id == bindparam("message"), may).values(state=target(step), **columns)


def settle(session: Session, post_id: str, *, now: datetime) -> list[str]:
    """After a post was shown or given up: say what follows for the messages that it shows; return their ids.

    A message whose primary deliveries wait no more was sent, or failed; a failed alert escalates at once. Time may
    close what was shown somewhere, or what nothing is left to show of.
    """
    tallies = fetch(session, _TALLIES, post=post_id)
    for tally in tallies:
        step = _step_after(tally)
        moved = None if step is None else next_state(tally.state, step, is_alert=tally.is_alert)
        may_expire = bool(tally.is_shown or not (tally.primary_waits or tally.escalation_waits))
        sent_at = tally.sent_at or (now if moved and step is Transition.SHOW else None)
        run(
            session,
            _SETTLE,
            message=tally.id,
            was=tally.state,
            became=moved or tally.state,
            may=may_expire,
            sent=sent_at,
        )
        if moved and step is Transition.FAIL:
            escalate_now(session, [tally.id], now=now)
        changes(session).messages.add(tally.id)
        changes(session).note_deadline(Deadline.CLOSE, tally.close_at if may_expire else None)
    return [tally.id for tally in tallies]


def _step_after(tally: Any) -> Transition | None:
    """What its deliveries say of a message that is on its way."""
    if tally.primary_waits:
        return None
    return Transition.SHOW if tally.primary_is_shown else Transition.FAIL


def escalate_now(session: Session, message_ids: Collection[str], *, now: datetime) -> None:
    """Bring the escalation of alerts forward to `now`, where they still may escalate and have where to."""
    later = (col(Message.id).in_(message_ids), col(Message.escalate_at) > now, text(MAY_ESCALATE))
    if affected(session, update(Message).where(*later).values(escalate_at=now)):
        changes(session).note_deadline(Deadline.ESCALATE, now)


def escalate_after_failure(session: Session, post_id: str, *, now: datetime) -> None:
    """A post of an escalation was given up: where that reached nobody else, the next step is taken at once."""
    here = aliased(Delivery)
    is_alive = col(Delivery.status).in_((DeliveryStatus.WAITING, DeliveryStatus.SHOWN))
    others = exists().where(col(Delivery.message_id) == here.message_id, is_alive)
    of_post = select(col(here.message_id)).where(col(here.post_id) == post_id, col(here.purpose) == Purpose.ESCALATION)
    alone = of_post.where(~others.where(col(Delivery.purpose) == Purpose.ESCALATION))
    escalate_now(session, session.execute(alone).scalars().all(), now=now)


def escalate_held(session: Session, chat_id: str, until: datetime, *, now: datetime) -> None:
    """A chat is banned until then: alerts that would have escalated before it ends do so now."""
    waits = (col(Delivery.chat_id) == chat_id, col(Delivery.status) == DeliveryStatus.WAITING)
    overdue = select(col(Message.id)).join(Delivery).where(*waits, col(Message.escalate_at) <= until)
    escalate_now(session, session.execute(overdue).scalars().all(), now=now)
