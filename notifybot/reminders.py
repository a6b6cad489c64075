"""Alerts that are not closed: people are reminded, by one more post in each chat that shows them."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, exists, func, select, text, update
from sqlmodel import Session

from notifybot import chats, outbox, routing
from notifybot.database import changes
from notifybot.due_rows import Due
from notifybot.ids import new_ids
from notifybot.kinds import Deadline, DeliveryStatus, Urgency
from notifybot.models import MAY_REMIND, Delivery, Message, Post, table_of
from notifybot.prepared import fetch, insert_rows, run
from notifybot.recipients import Directory

MESSAGES, DELIVERIES, POSTS = table_of(Message), table_of(Delivery), table_of(Post)
REMINDERS = Due(MESSAGES, "remind_at", MAY_REMIND)
_DUE = REMINDERS.overdue.with_only_columns(*(MESSAGES.c[name] for name in ("id", "remind_at", "remind_every_s")))
_REMIND_AGAIN = (
    update(MESSAGES)
    .where(MESSAGES.c.id == bindparam("message"), text(MAY_REMIND))
    .values(remind_at=bindparam("next_at", type_=MESSAGES.c.remind_at.type))
)
_OLDER = select(DELIVERIES.c.post_id).where(
    DELIVERIES.c.message_id == bindparam("message"), DELIVERIES.c.chat_id == bindparam("chat")
)
_NOW = bindparam("moment", type_=POSTS.c.not_before.type)
_SUPERSEDE = (
    update(POSTS)
    .where(POSTS.c.id.in_(_OLDER), POSTS.c.is_reminder, POSTS.c.superseded_at.is_(None))
    .values(superseded_at=_NOW, not_before=_NOW, version=POSTS.c.version + 1)
)


def remind_due(session: Session, directory: Directory, *, now: datetime, most: int) -> int:
    """Remind people of at most `most` alerts whose `remind_at` has come; return of how many. What was missed is made up
    for once."""
    due = fetch(session, _DUE, moment=now, most=most)
    remind(session, [row.id for row in due], directory, now=now)
    for row in due:
        every = timedelta(seconds=row.remind_every_s)
        next_at = row.remind_at + ((now - row.remind_at) // every + 1) * every
        run(session, _REMIND_AGAIN, message=row.id, next_at=next_at)
        changes(session).note_deadline(Deadline.REMIND, next_at)
    return len(due)


def remind(session: Session, message_ids: Collection[str], directory: Directory, *, now: datetime) -> None:
    """Post these alerts once more, in each chat that shows them and where no post of theirs waits already. People who
    want no notifications are left in peace where alerts respect that.

    Of the reminders of an alert in a chat only the newest follows what becomes of it: an edit of each would hold up
    that chat for minutes."""
    places = _places(session, message_ids)
    told = routing.reach(session, {place.chat_id for place in places}, directory, now=now).destinations
    chat_ids = {each.name: each.chat.id for each in told if each.withheld is None}
    places = [place for place in places if place.chat_id in chat_ids]
    _supersede(session, places, now=now)
    ids = new_ids(now)
    posts: list[dict[str, Any]] = []
    deliveries: list[dict[str, Any]] = []
    for place in places:
        chat_id, manner = chat_ids[place.chat_id], {"is_silent": place.is_silent, "thread_id": place.thread_id}
        posts.append(outbox.new_post(next(ids), chat_id, Urgency.ALERT, now=now, is_reminder=True, **manner))
        named = {"message_id": place.message_id, "recipient": place.recipient, "purpose": place.purpose}
        deliveries.append({**named, "post_id": posts[-1]["id"], "chat_id": chat_id})
    outbox.queue(session, posts, Urgency.ALERT, now=now)
    insert_rows(session, Delivery, deliveries, same={"status": DeliveryStatus.WAITING, "attempts": 0})


def _supersede(session: Session, places: Sequence[Any], *, now: datetime) -> None:
    """The reminders that stand there already are shown once more, without their buttons."""
    here = [(place.message_id, place.chat_id) for place in places]
    older = {chat for message, chat in here if run(session, _SUPERSEDE, message=message, chat=chat, moment=now)}
    chats.wake(session, older, Urgency.EDIT, now=now)


def _places(session: Session, message_ids: Collection[str]) -> Sequence[Any]:
    """The first delivery of each alert in each chat that shows it, with how its post is shown."""
    waiting = DELIVERIES.alias("waiting")
    waits = exists().where(
        waiting.c.message_id == DELIVERIES.c.message_id,
        waiting.c.chat_id == DELIVERIES.c.chat_id,
        waiting.c.status == DeliveryStatus.WAITING,
    )
    of_these = (DELIVERIES.c.message_id.in_(message_ids), DELIVERIES.c.status == DeliveryStatus.SHOWN)
    by_chat = (DELIVERIES.c.message_id, DELIVERIES.c.chat_id)
    first = select(func.min(DELIVERIES.c.id)).where(*of_these, ~waits).group_by(*by_chat)
    shown = select(*by_chat, DELIVERIES.c.recipient, DELIVERIES.c.purpose, POSTS.c.is_silent, POSTS.c.thread_id)
    joined = shown.join(POSTS, POSTS.c.id == DELIVERIES.c.post_id)
    return session.execute(joined.where(DELIVERIES.c.id.in_(first)).order_by(DELIVERIES.c.id)).all()
