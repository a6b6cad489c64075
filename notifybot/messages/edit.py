"""Edit the text of a message, update the posts that show it, or withdraw them."""

import functools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Select,
    Update,
    and_,
    bindparam,
    case,
    select,
    update,
)
from sqlmodel import Session, col

from notifybot.errors import Conflict
from notifybot.messages.queries import find
from notifybot.messages.transitions import DELIVERIES, POSTS
from notifybot.model.actors import Actor
from notifybot.model.enums import DeliveryStatus, EventKind, Urgency
from notifybot.model.messages import Message
from notifybot.model.states import State
from notifybot.posts import chats, timeline
from notifybot.storage.statements import affected, fetch, padded, run
from notifybot.storage.writer import changes

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


def edit(
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


def refresh_posts(session: Session, message_ids: Sequence[str], *, now: datetime) -> None:
    """Every post that shows one of these messages is due again, with its newest version."""
    due: defaultdict[int, set[str]] = defaultdict(set)
    for piece in padded(message_ids):
        shown = {f"message_{number}": message_id for number, message_id in enumerate(piece)}
        for post in fetch(session, _editable_posts(len(piece)), **shown):
            due[post.urgency].add(post.chat_id)
        run(session, _renew_posts(len(piece)), **shown, moment=now)
    for urgency, chat_ids in due.items():
        chats.wake(session, chat_ids, Urgency(urgency), now=now)


@functools.cache
def _editable_posts(size: int) -> Select[tuple[str, int]]:
    return select(POSTS.c.chat_id, POSTS.c.urgency).distinct().where(*_are_editable(size))


@functools.cache
def _renew_posts(size: int) -> Update:
    waits = and_(POSTS.c.parts_shown == 0, POSTS.c.errors == 0, POSTS.c.not_before > _MOMENT)  # for quiet hours to end
    not_before = case((waits, POSTS.c.not_before), else_=_MOMENT)
    return update(POSTS).where(*_are_editable(size)).values(version=POSTS.c.version + 1, not_before=not_before)


def _are_editable(size: int) -> tuple[ColumnElement[bool], ...]:
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
