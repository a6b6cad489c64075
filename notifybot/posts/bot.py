"""The row of the bot: term of the leading daemon, and who the bot is and was."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from notifybot.model.chats import Bot, Chat
from notifybot.posts import chats
from notifybot.posts.posts import note_uncertain

REPLACEMENT_REPORTED_FOR = timedelta(days=7)


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


def remember_identity(session: Session, identity: dict[str, Any], *, now: datetime) -> dict[str, Any] | None:
    """Store who the bot is. Return the identity of the former bot if another one used this database until now."""
    bot = session.get_one(Bot, 1)
    former, bot.identity = bot.identity, identity
    if former is None or former["id"] == identity["id"]:
        return None
    bot.former_identity, bot.replaced_at = former, now
    return former


def replacement(session: Session, *, token_id: str, now: datetime) -> tuple[str, str] | None:
    """Return the names of the former and the current bot, if the token is not of the bot that used this database, or
    has not been for longer than REPLACEMENT_REPORTED_FOR. `token_id`: the bot's id, which each token begins with."""
    bot = session.get_one(Bot, 1)
    if bot.identity is None:
        return None
    if str(bot.identity["id"]) != token_id:  # Telegram was not reached yet
        return name_of(bot.identity), f"the bot {token_id}"
    if bot.former_identity is None or bot.replaced_at is None or now - bot.replaced_at > REPLACEMENT_REPORTED_FOR:
        return None
    return name_of(bot.former_identity), name_of(bot.identity)


def name_of(identity: dict[str, Any]) -> str:
    username = identity.get("username")
    return f"@{username}" if username else f"the bot {identity['id']}"
