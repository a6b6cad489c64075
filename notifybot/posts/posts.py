"""Queue posts, adopt them from a press, and count sends with an unknown outcome."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlmodel import Session, col

from notifybot.model.chats import Chat, Post
from notifybot.model.enums import EventKind, Urgency
from notifybot.model.messages import Delivery
from notifybot.posts import chats, timeline
from notifybot.storage.statements import NOTHING, Parameters, affected, fetch, insert_rows, run, table_of

CHATS, DELIVERIES, POSTS = table_of(Chat), table_of(Delivery), table_of(Post)
_CLAIMED = select(CHATS.c.id, CHATS.c.claimed_post).where(CHATS.c.claimed_post.is_not(None))
_MESSAGES_OF = select(DELIVERIES.c.message_id).distinct().where(DELIVERIES.c.post_id == bindparam("post"))
_COUNT_UNCERTAIN = update(POSTS).where(POSTS.c.id == bindparam("post")).values(uncertain=POSTS.c.uncertain + 1)
_COUNT_IF_NEW = _COUNT_UNCERTAIN.where(POSTS.c.shown_version == 0)


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
