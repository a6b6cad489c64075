"""Move messages along the state table, by conditional updates."""

import functools
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Update, bindparam, exists, not_, or_, select, text, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from notifybot.errors import Conflict
from notifybot.messages import deadlines
from notifybot.model.chats import Post
from notifybot.model.conditions import IS_OPEN, MAY_ESCALATE
from notifybot.model.enums import Deadline, DeliveryStatus, Purpose
from notifybot.model.messages import Delivery, Message
from notifybot.model.states import State, Transition, next_state, sources, target
from notifybot.storage.statements import affected, fetch, in_list, run, table_of
from notifybot.storage.writer import changes
from notifybot.times.display import clock_time

MESSAGES, DELIVERIES, POSTS = table_of(Message), table_of(Delivery), table_of(Post)
_OTHER = DELIVERIES.alias("other")


def _has_delivery(status: DeliveryStatus, purpose: Purpose | None = None) -> ColumnElement[bool]:
    # The status is part of the text, so that SQLite can see that the partial index of waiting deliveries will do.
    of_message = exists().where(_OTHER.c.message_id == MESSAGES.c.id, text(f"other.status = '{status}'"))
    return of_message if purpose is None else of_message.where(_OTHER.c.purpose == purpose)


_MAY_EXPIRE = or_(_has_delivery(DeliveryStatus.SHOWN), not_(_has_delivery(DeliveryStatus.WAITING)))
_UPDATE_MAY_EXPIRE = update(MESSAGES).where(in_list(MESSAGES.c.id, "messages")).values(may_expire=_MAY_EXPIRE)
_TALLIES = (
    select(
        MESSAGES.c.id,
        MESSAGES.c.state,
        MESSAGES.c.is_alert,
        MESSAGES.c.close_at,
        MESSAGES.c.sent_at,
        *(MESSAGES.c[name] for name in deadlines.BEGINNINGS),
        MESSAGES.c.may_expire.label("might_expire"),
        _has_delivery(DeliveryStatus.SHOWN).label("is_shown"),
        _MAY_EXPIRE.label("may_expire"),
        _has_delivery(DeliveryStatus.SHOWN, Purpose.PRIMARY).label("primary_is_shown"),
        _has_delivery(DeliveryStatus.WAITING, Purpose.PRIMARY).label("primary_waits"),
    )
    .join(DELIVERIES, DELIVERIES.c.message_id == MESSAGES.c.id)
    .where(DELIVERIES.c.post_id == bindparam("post"))
)
_SETTLE = (
    update(MESSAGES)
    .where(MESSAGES.c.id == bindparam("message"), MESSAGES.c.state == bindparam("was"))
    .values(state=bindparam("became"), may_expire=bindparam("may"), sent_at=bindparam("sent"))
)
_CLOSE_LATER = (
    update(MESSAGES)
    .where(MESSAGES.c.id == bindparam("message"), text(IS_OPEN))
    .values(
        close_at=bindparam("later", type_=MESSAGES.c.close_at.type),
        counts_from=bindparam("moment", type_=MESSAGES.c.counts_from.type),
    )
)


def check_released(message: Message, *, now: datetime) -> None:
    """Raise Conflict for an alert that is still scheduled: nobody was notified, so there is nothing to acknowledge."""
    if message.state is not State.SCHEDULED or not message.is_alert or message.send_at is None:
        return
    due = f"it is due at {clock_time(message.send_at, now)}"
    when = due if message.release_at is not None else "its schedule is paused"
    raise Conflict(f"This alert has not been sent yet: {when}.", hint="You can cancel it.")


def move(session: Session, message_id: str, transition: Transition, **columns: Any) -> bool:
    """Make a transition of model/states.py's table and set more `columns`; return False if the state forbids it."""
    values = {f"new_{name}": value for name, value in columns.items()}
    if not run(session, _move(transition, tuple(columns)), message=message_id, **values):
        return False
    changes(session).messages.add(message_id)
    return True


@functools.cache
def _move(transition: Transition, names: tuple[str, ...]) -> Update:
    columns = {name: bindparam(f"new_{name}", type_=MESSAGES.c[name].type) for name in names}
    is_allowed = or_(*(MESSAGES.c.state == state for state in sources(transition)))
    this = update(MESSAGES).where(MESSAGES.c.id == bindparam("message"), is_allowed)
    return this.values(state=target(transition), **columns)


def settle(session: Session, post_id: str, *, now: datetime) -> list[str]:
    """Update the messages of a post that was shown or given up; return their ids.

    Once no primary delivery is waiting, a message is sent or has failed. A failed alert escalates at once.
    """
    tallies = fetch(session, _TALLIES, post=post_id)
    for tally in tallies:
        transition = _next_transition(tally)
        moved = None if transition is None else next_state(tally.state, transition, is_alert=tally.is_alert)
        sent_at = tally.sent_at or (now if moved and transition is Transition.SHOW else None)
        run(
            session,
            _SETTLE,
            message=tally.id,
            was=tally.state,
            became=moved or tally.state,
            may=tally.may_expire,
            sent=sent_at,
        )
        if moved and transition is Transition.FAIL:
            escalate_now(session, [tally.id], now=now)
        changes(session).messages.add(tally.id)
        close_at = _close_later(session, tally, now=now) if _is_shown_too_late(tally, now) else tally.close_at
        changes(session).note_deadline(Deadline.CLOSE, close_at if tally.may_expire else None)
    return [tally.id for tally in tallies]


def _is_shown_too_late(tally: Any, now: datetime) -> bool:
    """Return True for an alert that nobody could see, let alone answer, before its close_at."""
    is_first_shown = tally.is_shown and not tally.might_expire
    return is_first_shown and tally.close_at is not None and tally.close_at <= now


def _close_later(session: Session, tally: Any, *, now: datetime) -> datetime:
    """Let an alert that was shown too late stay open for its whole span; return its new close_at."""
    close_at: datetime = now + (tally.close_at - deadlines.begins_at(tally))
    run(session, _CLOSE_LATER, message=tally.id, later=close_at, moment=now)
    return close_at


def _next_transition(tally: Any) -> Transition | None:
    if tally.primary_waits:
        return None
    return Transition.SHOW if tally.primary_is_shown else Transition.FAIL


def update_may_expire(session: Session, message_ids: Sequence[str]) -> None:
    """Derive `may_expire` again for messages that got deliveries or lost them. `settle` does so by itself."""
    if message_ids:
        run(session, _UPDATE_MAY_EXPIRE, messages=message_ids)


def escalate_now(session: Session, message_ids: Collection[str], *, now: datetime) -> None:
    """Move the next escalation step of alerts forward to `now`, if they have one left."""
    later = (col(Message.id).in_(message_ids), col(Message.escalate_at) > now, text(MAY_ESCALATE))
    if affected(session, update(Message).where(*later).values(escalate_at=now)):
        changes(session).note_deadline(Deadline.ESCALATE, now)


def escalate_after_failure(session: Session, post_id: str, *, now: datetime) -> None:
    """After an escalation post was given up: take the next step at once if that step reached no one else."""
    here = aliased(Delivery)
    is_alive = col(Delivery.status).in_((DeliveryStatus.WAITING, DeliveryStatus.SHOWN))
    others = exists().where(col(Delivery.message_id) == here.message_id, is_alive)
    of_post = select(col(here.message_id)).where(col(here.post_id) == post_id, col(here.purpose) == Purpose.ESCALATION)
    alone = of_post.where(~others.where(col(Delivery.purpose) == Purpose.ESCALATION))
    escalate_now(session, session.execute(alone).scalars().all(), now=now)


def escalate_held(session: Session, chat_id: str, until: datetime, *, now: datetime) -> None:
    """Escalate now the alerts waiting for a chat with a flood wait, if they would escalate before it ends."""
    waits = (col(Delivery.chat_id) == chat_id, col(Delivery.status) == DeliveryStatus.WAITING)
    overdue = select(col(Message.id)).join(Delivery).where(*waits, col(Message.escalate_at) <= until)
    escalate_now(session, session.execute(overdue).scalars().all(), now=now)
