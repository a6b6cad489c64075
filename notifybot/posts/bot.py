"""The row of the bot: the term of the leading daemon, and its identity."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from notifybot.model.chats import Bot, Chat
from notifybot.posts import chats
from notifybot.posts.posts import note_uncertain


def begin_term(session: Session, *, now: datetime) -> int:
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
