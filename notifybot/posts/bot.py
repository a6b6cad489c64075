"""The row of the bot: term of the leading daemon, and identity."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from notifybot.model.chats import Bot, Chat
from notifybot.posts import chats
from notifybot.posts.posts import note_uncertain


def begin_term(session: Session, *, now: datetime) -> int:
    """Begin a new term and return its number. Calls in flight in older terms count as uncertain and are due again."""
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
        note_uncertain(session, post_id, now=now, detail="The daemon stopped while a call was in flight.")
        chats.release(session, chat_id)


def identity(session: Session) -> dict[str, Any] | None:
    """Return Telegram's User object of the bot as of the last contact, with which the daemon can start offline."""
    bot = session.get(Bot, 1)
    return None if bot is None else bot.identity


def remember_identity(session: Session, identity: dict[str, Any]) -> None:
    session.get_one(Bot, 1).identity = identity
