"""Sentences about banned chats and topics that take no posts, for /health and the admins."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func
from sqlmodel import Session, col, or_, select

from notifybot.model.chats import Chat, ChatTrouble
from notifybot.model.enums import DeliveryStatus
from notifybot.model.messages import Delivery
from notifybot.posts.chat_troubles import GENERAL
from notifybot.storage.due import Due
from notifybot.storage.statements import fetch, table_of
from notifybot.times.display import clock_time

UNTOLD = Due(table_of(ChatTrouble), "tell_at", "tell_at IS NOT NULL")
"""Troubles that the admins have not been notified of."""
MAX_WARNINGS = 10
MAX_ROWS = 1_000
"""Read for the warnings: a caller may name any number of topics that do not exist."""


@dataclass(frozen=True)
class ChatWarnings:
    """A sentence for each banned chat, and for each topic that takes no posts."""

    bans: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()


def chat_warnings(session: Session, *, now: datetime) -> ChatWarnings:
    """Return what lasts at `now`, at most MAX_WARNINGS of each kind."""
    lasts = or_(col(ChatTrouble.thread_id) > GENERAL, col(ChatTrouble.until) > now)
    oldest_first = select(ChatTrouble).where(lasts).order_by(col(ChatTrouble.since), col(ChatTrouble.id))
    found = session.exec(oldest_first.limit(MAX_ROWS)).all()
    bans, topics = ([each for each in found if (each.thread_id is None) is is_ban] for is_ban in (True, False))
    return ChatWarnings(_sentences(session, bans, now=now), _sentences(session, topics, now=now))


def take_untold(session: Session, *, now: datetime, limit: int) -> tuple[str, ...]:
    """Return sentences about the troubles that the admins have not been notified of, and mark those."""
    keys = [row.id for row in fetch(session, UNTOLD.overdue, moment=now, limit=limit)]
    found = [session.get_one(ChatTrouble, key, populate_existing=True) for key in keys]
    for each in found:
        each.tell_at = None
        session.add(each)
    return tuple(_sentence(session, each, now=now) for each in found)


def _sentences(session: Session, troubles: Sequence[ChatTrouble], *, now: datetime) -> tuple[str, ...]:
    shown = tuple(_sentence(session, each, now=now) for each in troubles[:MAX_WARNINGS])
    more = len(troubles) - MAX_WARNINGS
    return (*shown, f"{more} more chats or topics have the same trouble.") if more > 0 else shown


def _sentence(session: Session, trouble: ChatTrouble, *, now: datetime) -> str:
    place = _place(session, trouble.chat_id)
    if trouble.thread_id is None:
        waiting = _waiting(session, trouble.chat_id)
        waits = f" {waiting} {'message waits' if waiting == 1 else 'messages wait'} for it." if waiting else ""
        return f"Telegram accepts nothing for {place} until {clock_time(trouble.until, now)} (rate limit).{waits}"
    since = clock_time(trouble.since, now)
    if trouble.thread_id == GENERAL:
        hint = "messages that name no topic fail. Reopen General, or name a topic."
        return f"{place} takes no posts outside its topics since {since} ({trouble.reason}): {hint}"
    hint = "its messages go to the chat itself. Reopen the topic, or change the recipient."
    return f"Topic {trouble.thread_id} of {place} takes no posts since {since} ({trouble.reason}): {hint}"


def _place(session: Session, chat_id: str) -> str:
    title = session.exec(select(Chat.title).where(Chat.id == chat_id)).first()
    return f"{title} ({chat_id})" if title else chat_id


def _waiting(session: Session, chat_id: str) -> int:
    waits = (Delivery.chat_id == chat_id, Delivery.status == DeliveryStatus.WAITING)
    return session.exec(select(func.count()).select_from(Delivery).where(*waits)).one()
