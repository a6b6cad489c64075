"""Posts that are to be shown: the term of who shows them, queueing them, and what is not known of them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlmodel import Session, col

from notifybot import chats, timeline
from notifybot.database import affected
from notifybot.ids import new_id
from notifybot.kinds import EventKind, Urgency
from notifybot.models import Bot, Chat, Delivery, Post, table_of
from notifybot.prepared import NOTHING, Parameters, fetch, insert_rows, run
from notifybot.rendering import Part

CHATS, DELIVERIES, POSTS = table_of(Chat), table_of(Delivery), table_of(Post)
_CLAIMED = select(CHATS.c.id, CHATS.c.claimed_post).where(CHATS.c.claimed_post.is_not(None))
_MESSAGES_OF = select(DELIVERIES.c.message_id).distinct().where(DELIVERIES.c.post_id == bindparam("post"))
_COUNT_UNCERTAIN = update(POSTS).where(POSTS.c.id == bindparam("post")).values(uncertain=POSTS.c.uncertain + 1)
_COUNT_IF_NEW = _COUNT_UNCERTAIN.where(POSTS.c.shown_version == 0)


def lead(session: Session, *, now: datetime) -> int:
    """Begin a new term. What older terms had in flight may have been accepted: it is counted and due again at once."""
    bot = session.get(Bot, 1) or Bot(id=1)
    bot.term += 1
    bot.probe_at = now
    session.add(bot)
    session.flush()
    _free_claims(session, now=now)
    return bot.term


def _free_claims(session: Session, *, now: datetime) -> None:
    claimed = session.execute(
        select(col(Chat.id), col(Chat.claimed_post)).where(col(Chat.claimed_post).is_not(None))
    ).all()
    for chat_id, post_id in claimed:
        assert post_id is not None
        note_uncertain(session, post_id, now=now, detail="The daemon stopped while a call was under way.")
        chats.release(session, chat_id, now=now)


def identity(session: Session) -> dict[str, Any] | None:
    """Who the bot was at the last contact, as Telegram's User object: with it a start needs no Telegram."""
    bot = session.get(Bot, 1)
    return None if bot is None else bot.identity


def remember_identity(session: Session, identity: dict[str, Any]) -> None:
    session.get_one(Bot, 1).identity = identity


def note_uncertain(session: Session, post_id: str, *, now: datetime, detail: str, is_send: bool = False) -> None:
    """Count that a send may stand at Telegram without our record. An edit does not count: repeating it shows nothing
    twice; where nobody knows what it was, it counts only if the post was never whole."""
    if run(session, _COUNT_UNCERTAIN if is_send else _COUNT_IF_NEW, post=post_id):
        timeline.add(session, messages_of(session, post_id), EventKind.UNCERTAIN, now=now, detail=detail)


def messages_of(session: Session, post_id: str) -> list[str]:
    """The ids of the messages that this post shows."""
    return [row.message_id for row in fetch(session, _MESSAGES_OF, post=post_id)]


def queue(
    session: Session, posts: Sequence[dict[str, Any]], urgency: Urgency, *, now: datetime, same: Parameters = NOTHING
) -> None:
    """Insert posts (rows of the table; their chats exist) that are due at once; `same`: what all of them have."""
    if posts:
        insert_rows(session, Post, posts, same=same)
        chats.wake(session, {post["chat_id"] for post in posts}, urgency, now=now)


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
class Fate:
    """What became of a post: `failure` says why it was given up; neither: it is on its way."""

    is_shown: bool
    failure: str | None


def fate(session: Session, post_id: str) -> Fate:
    post = session.get_one(Post, post_id, populate_existing=True)
    return Fate(post.shown_version > 0, post.failure)


def withdraw(session: Session, post_id: str, *, now: datetime) -> None:
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


def adopt(session: Session, post_id: str, chat_id: str, telegram_message_id: int) -> None:
    """A press from a post of this chat whose sending we could not record proves where it stands: it is edited, not sent
    again."""
    unrecorded = (col(Post.id) == post_id, col(Post.chat_id) == chat_id, col(Post.parts_shown) == 0)
    proved = {"shown": [["", telegram_message_id]], "parts_shown": 1, "withdrawn_at": None}
    affected(session, update(Post).where(*unrecorded).values(**proved))


def new_post(post_id: str, chat_id: str, urgency: Urgency, *, now: datetime, **other: Any) -> dict[str, Any]:
    """A row for `queue`: nothing shown yet, due now."""
    return {"id": post_id, "chat_id": chat_id, **due_now(urgency, now=now), **other}


def due_now(urgency: Urgency, *, now: datetime) -> dict[str, Any]:
    """What new posts of one urgency have in common."""
    return {"urgency": int(urgency), "not_before": now, "shown": []}
