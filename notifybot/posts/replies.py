"""Replies of the bot to a person: queue, revise, withdraw, and read their status."""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import delete, text, update
from sqlmodel import Session, col

from notifybot.model.chats import Post
from notifybot.model.conditions import IS_DUE
from notifybot.model.enums import Urgency
from notifybot.model.ids import new_id
from notifybot.posts import chats
from notifybot.posts.posts import new_post, queue
from notifybot.rendering.parts import Part
from notifybot.storage.statements import affected

BOT = ""
"""The caller of replies."""


def queue_reply(
    session: Session,
    chat_id: str,
    part: Part,
    *,
    now: datetime,
    thread_id: int | None = None,
    post_id: str | None = None,
) -> str:
    """Queue a reply and return its post id. It survives restarts and is rate-limited like any post.

    `post_id`: a new id, if the buttons of `part` have to contain it.
    """
    chats.ensure(session, {chat_id}, is_new=False)
    options = {"reply": asdict(part), "thread_id": thread_id}
    post = new_post(post_id or new_id(now), chat_id, Urgency.REPLY, now=now, caller=BOT, **options)
    queue(session, [post], Urgency.REPLY, now=now)
    return str(post["id"])


@dataclass(frozen=True)
class ReplyStatus:
    """Status of a reply: shown, given up (with the reason in `failure`), or neither yet."""

    is_shown: bool
    failure: str | None


def reply_status(session: Session, post_id: str) -> ReplyStatus:
    post = session.get_one(Post, post_id, populate_existing=True)
    return ReplyStatus(post.shown_version > 0, post.failure)


def withdraw_reply(session: Session, post_id: str, *, now: datetime) -> None:
    """Withdraw a reply that is not shown yet. A call in flight may still show it."""
    unshown = (col(Post.id) == post_id, col(Post.shown_version) == 0, col(Post.parts_shown) == 0)
    affected(session, update(Post).where(*unshown).values(withdrawn_at=now))


def revise_reply(session: Session, post_id: str, chat_id: str, part: Part, *, now: datetime) -> bool:
    """Change a reply in this chat; return False if it does not exist any more."""
    of_chat = (col(Post.id) == post_id, col(Post.chat_id) == chat_id, col(Post.reply).is_not(None))
    standing = update(Post).where(*of_chat, col(Post.failure).is_(None), col(Post.withdrawn_at).is_(None))
    newer = {"reply": asdict(part), "version": Post.version + 1, "not_before": now, "urgency": int(Urgency.REPLY)}
    if not affected(session, standing.values(**newer)):
        return False
    chats.wake(session, [(chat_id, Urgency.REPLY, BOT)], now=now)
    return True


def forget_old(session: Session, *, before: datetime) -> int:
    """Delete replies older than `before` that are not due; return their number."""
    is_over = (col(Post.reply).is_not(None), col(Post.not_before) < before, text(f"NOT ({IS_DUE})"))
    return affected(session, delete(Post).where(*is_over))
