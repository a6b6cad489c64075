"""Edit a message, and update or withdraw its posts."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import and_, bindparam, case, select, update
from sqlmodel import Session, col

from notifybot.errors import Conflict
from notifybot.messages.queries import find
from notifybot.messages.transitions import DELIVERIES, POSTS
from notifybot.model.actors import Actor
from notifybot.model.enums import DeliveryStatus, EventKind
from notifybot.model.messages import Message
from notifybot.model.states import FINAL
from notifybot.posts import chats, timeline
from notifybot.storage.statements import affected, fetch, in_list, run
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
_SHOWING = select(DELIVERIES.c.post_id).where(in_list(DELIVERIES.c.message_id, "messages"))
_ARE_EDITABLE = (
    POSTS.c.id.in_(_SHOWING),
    *(column.is_(None) for column in (POSTS.c.failure, POSTS.c.withdrawn_at, POSTS.c.superseded_at)),
)
_EDITABLE_POSTS = select(POSTS.c.chat_id, POSTS.c.urgency, POSTS.c.caller).distinct().where(*_ARE_EDITABLE)
_WAITS_FOR_QUIET_HOURS = and_(POSTS.c.parts_shown == 0, POSTS.c.errors == 0, POSTS.c.not_before > _MOMENT)
_RENEW_POSTS = (
    update(POSTS)
    .where(*_ARE_EDITABLE)
    .values(
        version=POSTS.c.version + 1,
        not_before=case((_WAITS_FOR_QUIET_HOURS, POSTS.c.not_before), else_=_MOMENT),
    )
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
    """Set a newer `content` or `title` (None for no title); every post that shows the message is edited.

    `why_plain`: reason why the markup cannot be parsed. Raises Conflict if the message is over.
    """
    message = find(session, message_id)
    if message.state in FINAL:
        raise Conflict(f"This message is {message.state} and cannot be edited any more.")
    if any(getattr(message, name) != value for name, value in newest.items()):
        affected(session, update(Message).where(col(Message.id) == message_id).values(**newest))
        timeline.add(session, [message_id], EventKind.EDITED, now=now, actor=actor.name, detail="The text was changed.")
        timeline.trim(session, message_id, EventKind.EDITED)
        if why_plain is not None:
            detail = timeline.shown_plain(why_plain)
            timeline.add(session, [message_id], EventKind.REFORMATTED, now=now, detail=detail)
        changes(session).messages.add(message_id)
        refresh_posts(session, [message_id], now=now)
    return find(session, message_id)


def refresh_posts(session: Session, message_ids: Sequence[str], *, now: datetime) -> None:
    """Make every post that shows one of these messages due again, with a newer version."""
    if not message_ids:
        return
    due = fetch(session, _EDITABLE_POSTS, messages=message_ids)
    run(session, _RENEW_POSTS, messages=message_ids, moment=now)
    chats.wake(session, [(post.chat_id, post.urgency, post.caller) for post in due], now=now)


def withdraw_unshown(session: Session, message_id: str, *, now: datetime) -> None:
    """Withdraw the posts and deliveries of a message that were never shown.

    A call in flight may still show one. It is then edited at once, since its version has grown.
    """
    run(session, _WITHDRAW_POSTS, message=message_id, moment=now)
    if run(session, _WITHDRAW_DELIVERIES, message=message_id):
        timeline.add(session, [message_id], EventKind.WITHDRAWN, now=now)
