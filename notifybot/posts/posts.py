"""Queue posts, adopt a post from a press, and count sends with an unknown outcome."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlmodel import Session, col

from notifybot.model.chats import Post
from notifybot.model.enums import EventKind, Urgency
from notifybot.model.messages import Delivery
from notifybot.posts import chats, timeline
from notifybot.storage.statements import NOTHING, Parameters, affected, fetch, insert_rows, run, table_of

DELIVERIES, POSTS = table_of(Delivery), table_of(Post)
_MESSAGES_OF = select(DELIVERIES.c.message_id).distinct().where(DELIVERIES.c.post_id == bindparam("post"))
_COUNT_UNCERTAIN = update(POSTS).where(POSTS.c.id == bindparam("post")).values(uncertain=POSTS.c.uncertain + 1)
_COUNT_IF_NEW = _COUNT_UNCERTAIN.where(POSTS.c.shown_version == 0)


def note_uncertain(session: Session, post_id: str, *, now: datetime, detail: str, is_send: bool = False) -> None:
    """Count a send that Telegram may have accepted without our record.

    Edits do not count, since repeating one shows nothing twice. If it is unknown whether this was a send (`is_send` is
    False), it counts only for a post that was never shown in full.
    """
    if run(session, _COUNT_UNCERTAIN if is_send else _COUNT_IF_NEW, post=post_id):
        message_ids = messages_of(session, post_id)
        timeline.add(session, message_ids, EventKind.UNCERTAIN, now=now, detail=detail)
        for message_id in message_ids:  # an upload may fail for a day
            timeline.trim(session, message_id, EventKind.UNCERTAIN)


def messages_of(session: Session, post_id: str) -> list[str]:
    """Return the ids of the messages that a post shows."""
    return [row.message_id for row in fetch(session, _MESSAGES_OF, post=post_id)]


def queue(
    session: Session, posts: Sequence[dict[str, Any]], urgency: Urgency, *, now: datetime, same: Parameters = NOTHING
) -> None:
    """Insert posts that are due at `now`, and their chats if these have no row. `same`: columns with one value for all
    of them."""
    if posts:
        chats.ensure(session, {post["chat_id"] for post in posts})
        insert_rows(session, Post, posts, same=same)
        chats.wake(session, [(post["chat_id"], urgency, post["caller"]) for post in posts], now=now)


def adopt(session: Session, post_id: str, chat_id: str, telegram_message_id: int) -> None:
    """Record the Telegram message of a post from a press on it, if its send was not recorded: it is edited from now on
    instead of sent again."""
    unrecorded = (col(Post.id) == post_id, col(Post.chat_id) == chat_id, col(Post.parts_shown) == 0)
    proved = {"shown": [["", telegram_message_id]], "parts_shown": 1, "withdrawn_at": None}
    affected(session, update(Post).where(*unrecorded).values(**proved))


def new_post(
    post_id: str, chat_id: str, urgency: Urgency, *, now: datetime, caller: str, **other: Any
) -> dict[str, Any]:
    """Make a row for `queue`: nothing shown yet, due now."""
    return {"id": post_id, "chat_id": chat_id, "caller": caller, **due_now(urgency, now=now), **other}


def due_now(urgency: Urgency, *, now: datetime) -> dict[str, Any]:
    """Return the columns that new posts of one urgency share."""
    return {"urgency": int(urgency), "not_before": now, "shown": []}
