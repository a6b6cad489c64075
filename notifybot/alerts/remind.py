"""Remind people of open alerts with a new post in each chat."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, exists, func, select, text, update
from sqlmodel import Session

from notifybot.model.chats import Post
from notifybot.model.conditions import MAY_REMIND
from notifybot.model.enums import Deadline, DeliveryStatus, Urgency
from notifybot.model.ids import new_ids
from notifybot.model.messages import Delivery, Message
from notifybot.posts import chats
from notifybot.posts import posts as posts_posts
from notifybot.recipients import resolve
from notifybot.recipients.directory import Directory
from notifybot.storage.due import Due
from notifybot.storage.statements import fetch, insert_rows, run, table_of
from notifybot.storage.writer import changes

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


def remind_due(session: Session, directory: Directory, *, now: datetime, limit: int) -> int:
    """Send at most `limit` due reminders; return how many. Of several missed ones, only one is sent."""
    due = fetch(session, _DUE, moment=now, limit=limit)
    post_reminders(session, [row.id for row in due], directory, now=now)
    for row in due:
        every = timedelta(seconds=row.remind_every_s)
        next_at = row.remind_at + ((now - row.remind_at) // every + 1) * every
        run(session, _REMIND_AGAIN, message=row.id, next_at=next_at)
        changes(session).note_deadline(Deadline.REMIND, next_at)
    return len(due)


def post_reminders(session: Session, message_ids: Collection[str], directory: Directory, *, now: datetime) -> None:
    """Post these alerts again in each chat that shows them, unless a post of theirs is already waiting there.

    People who turned notifications off get no reminder if alerts respect that. Only the newest reminder in a chat
    is kept up to date: editing each would block that chat for minutes.
    """
    places = _shown_places(session, message_ids)
    destinations = resolve.resolve_names(session, {place.chat_id for place in places}, directory, now=now).destinations
    chat_ids = {each.name: each.chat.id for each in destinations if each.withheld is None}
    places = [place for place in places if place.chat_id in chat_ids]
    _supersede(session, places, now=now)
    ids = new_ids(now)
    posts: list[dict[str, Any]] = []
    deliveries: list[dict[str, Any]] = []
    for place in places:
        chat_id, options = chat_ids[place.chat_id], {"is_silent": place.is_silent, "thread_id": place.thread_id}
        post = posts_posts.new_post(
            next(ids), chat_id, Urgency.ALERT, now=now, caller=place.caller, is_reminder=True, **options
        )
        posts.append(post)
        delivery = {"message_id": place.message_id, "recipient": place.recipient, "purpose": place.purpose}
        deliveries.append({**delivery, "post_id": posts[-1]["id"], "chat_id": chat_id})
    posts_posts.queue(session, posts, Urgency.ALERT, now=now)
    insert_rows(session, Delivery, deliveries, same={"status": DeliveryStatus.WAITING, "attempts": 0})


def _supersede(session: Session, places: Sequence[Any], *, now: datetime) -> None:
    """Take the buttons off earlier reminders in these chats."""
    older = [
        (place.chat_id, Urgency.EDIT, place.caller)
        for place in places
        if run(session, _SUPERSEDE, message=place.message_id, chat=place.chat_id, moment=now)
    ]
    chats.wake(session, older, now=now)


def _shown_places(session: Session, message_ids: Collection[str]) -> Sequence[Any]:
    """Select the first delivery of each alert in each chat and topic that shows it, with the options of its post."""
    waiting, its_post = DELIVERIES.alias("waiting"), POSTS.alias("its_post")
    waits = exists().where(
        waiting.c.message_id == DELIVERIES.c.message_id,
        waiting.c.chat_id == DELIVERIES.c.chat_id,
        waiting.c.status == DeliveryStatus.WAITING,
        its_post.c.id == waiting.c.post_id,
        its_post.c.thread_id.is_not_distinct_from(POSTS.c.thread_id),
    )
    of_these = (DELIVERIES.c.message_id.in_(message_ids), DELIVERIES.c.status == DeliveryStatus.SHOWN)
    by_place = (DELIVERIES.c.message_id, DELIVERIES.c.chat_id, POSTS.c.thread_id)
    of_post = POSTS.c.id == DELIVERIES.c.post_id
    first = select(func.min(DELIVERIES.c.id)).join(POSTS, of_post).where(*of_these, ~waits).group_by(*by_place)
    shown = select(*by_place, DELIVERIES.c.recipient, DELIVERIES.c.purpose, POSTS.c.is_silent, POSTS.c.caller)
    joined = shown.join(POSTS, of_post)
    return session.execute(joined.where(DELIVERIES.c.id.in_(first)).order_by(DELIVERIES.c.id)).all()
