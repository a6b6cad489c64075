"""Replies of the bot to a person: queue, revise, withdraw, and look up their status."""

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


def queue_reply(
    session: Session,
    chat_id: str,
    part: Part,
    *,
    now: datetime,
    thread_id: int | None = None,
    post_id: str | None = None,
) -> str:
    """Answer somebody in their chat: a post like any other, so that it survives and is paced like one. Returns its
    id; `post_id`: a new one, where the part's buttons have to know it."""
    chats.ensure(session, {chat_id})
    post = new_post(post_id or new_id(now), chat_id, Urgency.REPLY, now=now, reply=asdict(part), thread_id=thread_id)
    queue(session, [post], Urgency.REPLY, now=now)
    return str(post["id"])


@dataclass(frozen=True)
class ReplyStatus:
    """What became of a post: `failure` says why it was given up; neither: it is on its way."""

    is_shown: bool
    failure: str | None


def reply_status(session: Session, post_id: str) -> ReplyStatus:
    post = session.get_one(Post, post_id, populate_existing=True)
    return ReplyStatus(post.shown_version > 0, post.failure)


def withdraw_reply(session: Session, post_id: str, *, now: datetime) -> None:
    """Take a post back that was not shown yet. A call that is under way may still show it."""
    unshown = (col(Post.id) == post_id, col(Post.shown_version) == 0, col(Post.parts_shown) == 0)
    affected(session, update(Post).where(*unshown).values(withdrawn_at=now))


def revise_reply(session: Session, post_id: str, chat_id: str, part: Part, *, now: datetime) -> bool:
    """Let an answer that stands in this chat say something else; False where there is no such answer any more."""
    of_chat = (col(Post.id) == post_id, col(Post.chat_id) == chat_id, col(Post.reply).is_not(None))
    standing = update(Post).where(*of_chat, col(Post.failure).is_(None), col(Post.withdrawn_at).is_(None))
    newer = {"reply": asdict(part), "version": Post.version + 1, "not_before": now, "urgency": int(Urgency.REPLY)}
    if not affected(session, standing.values(**newer)):
        return False
    chats.wake(session, {chat_id}, Urgency.REPLY, now=now)
    return True


def forget_old(session: Session, *, before: datetime) -> int:
    """Delete replies from before then that wait for nothing; return how many."""
    is_over = (col(Post.reply).is_not(None), col(Post.not_before) < before, text(f"NOT ({IS_DUE})"))
    return affected(session, delete(Post).where(*is_over))
