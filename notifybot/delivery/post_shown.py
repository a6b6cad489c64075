"""Record that a post is shown: whole, or its text while its files follow."""

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, case, select, text, update
from sqlmodel import Session

from notifybot.delivery import topics
from notifybot.delivery.attempt import Attempt
from notifybot.messages import transitions
from notifybot.model.chats import Post
from notifybot.model.enums import DeliveryStatus, EventKind
from notifybot.model.messages import Delivery
from notifybot.posts import timeline
from notifybot.rendering.render import TextTurn
from notifybot.storage.statements import fetch, run, table_of

POSTS, DELIVERIES = table_of(Post), table_of(Delivery)
_deliveries = update(DELIVERIES).where(DELIVERIES.c.post_id == bindparam("post"))
_this_post = update(POSTS).where(POSTS.c.id == bindparam("post"))
_is_new = text("status IN ('waiting', 'withdrawn')")
_DELIVERED = _deliveries.values(
    attempts=DELIVERIES.c.attempts + bindparam("attempts_made"),
    last_error=None,
    status=case((_is_new, DeliveryStatus.SHOWN.value), else_=DELIVERIES.c.status),
    shown_at=case((_is_new, bindparam("at", type_=DELIVERIES.c.shown_at.type)), else_=DELIVERIES.c.shown_at),
)
_AN_UNDELIVERED = select(DELIVERIES.c.id).where(DELIVERIES.c.post_id == bindparam("post"), _is_new).limit(1)
_FILES_FOLLOW = _this_post.values(files_follow=bindparam("follow"))


def shows_post(post: Any, attempt: Attempt) -> bool:
    """Return True if the chat shows the post after this call: whole, or its text with files to follow."""
    is_readable = attempt.text in (TextTurn.BEFORE, TextTurn.NOW)
    return attempt.is_last or (post.files_follow and is_readable)


def is_undelivered(session: Session, post: Any) -> bool:
    """Return True if the post was never shown, neither whole nor its text with files to follow."""
    return post.shown_version == 0 and (not post.files_follow or _has_undelivered(session, post))


def _has_undelivered(session: Session, post: Any) -> bool:
    return bool(fetch(session, _AN_UNDELIVERED, post=post.id))


def note_shown(session: Session, post: Any, attempt: Attempt, *, now: datetime, is_by_this: bool = True) -> None:
    """Record that the post is shown for the first time: whole, or its text with files to follow; by this call, or by
    an earlier one."""
    run(session, _DELIVERED, post=post.id, attempts_made=int(attempt.is_send and is_by_this), at=now)
    message_ids = transitions.settle(session, post.id, now=now)
    where = topics.where_shown(post, attempt.call)
    detail = where if attempt.is_last else f"{where.removesuffix('.')}; files follow."
    timeline.add(session, message_ids, EventKind.SENT, now=now, detail=detail)


def let_files_follow(session: Session, post: Any, attempt: Attempt, *, now: datetime) -> bool:
    """Let a post's text go without its files, which follow it. Return True if text is still to be shown."""
    run(session, _FILES_FOLLOW, post=post.id, follow=True)
    if attempt.text is not TextTurn.BEFORE:
        return attempt.text is not TextTurn.NONE
    if post.shown_version == 0 and _has_undelivered(session, post):
        note_shown(session, post, attempt, now=now, is_by_this=False)
    return False


def keep_together(session: Session, post: Any) -> None:
    """Show the text with its files again: it fares no better than they do."""
    run(session, _FILES_FOLLOW, post=post.id, follow=False)
