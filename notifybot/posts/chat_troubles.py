"""Chats that Telegram bans for long, and topics that take no posts: remembered, so that nothing calls them in vain."""

from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, update
from sqlmodel import Session, col, select

from notifybot.model.chats import ChatTrouble
from notifybot.model.enums import Deadline
from notifybot.storage.statements import affected, fetch, run, table_of
from notifybot.storage.writer import changes

LONG_BAN = timedelta(minutes=10)
"""Shorter ones are everyday rate limits."""
TRY_TOPIC_EVERY = timedelta(hours=1)
"""A message then tries the topic again; if it is refused, it goes to the chat itself."""
KEPT = timedelta(days=30)
"""After the last trouble: a topic that nobody uses any more is forgotten."""
GENERAL = 0
"""The topic of messages that name none."""

TROUBLES = table_of(ChatTrouble)
_THIS = TROUBLES.c.id == bindparam("trouble")
_REFUSED_UNTIL = select(TROUBLES.c.until).where(_THIS)
_OVER = delete(TROUBLES).where(_THIS)


def note_ban(session: Session, chat_id: str, *, until: datetime, now: datetime) -> None:
    """Remember a long ban of a chat; one that ends later than known is the same ban."""
    if until - now < LONG_BAN:
        return
    known = session.get(ChatTrouble, chat_id, populate_existing=True)
    if known is not None and known.until > now:
        known.until = max(known.until, until)
        session.add(known)
        return
    if known is not None:
        session.delete(known)
        session.flush()
    _begin(session, ChatTrouble(id=chat_id, chat_id=chat_id, reason="ban", since=now, until=until), now=now)


def note_topic_refused(session: Session, chat_id: str, thread_id: int, reason: str, *, now: datetime) -> None:
    """Remember that a topic takes no posts. `thread_id`: GENERAL for the chat without a topic."""
    known = session.get(ChatTrouble, _key(chat_id, thread_id), populate_existing=True)
    until = now + TRY_TOPIC_EVERY
    if known is None:
        key = _key(chat_id, thread_id)
        new = ChatTrouble(id=key, chat_id=chat_id, thread_id=thread_id, reason=reason, since=now, until=until)
        _begin(session, new, now=now)
        return
    known.reason, known.until = reason, until
    session.add(known)


def _begin(session: Session, trouble: ChatTrouble, *, now: datetime) -> None:
    trouble.tell_at = now
    session.add(trouble)
    session.flush()
    changes(session).note_deadline(Deadline.TROUBLE, now)


def takes_posts(session: Session, chat_id: str, thread_id: int, *, now: datetime) -> bool:
    """Return True unless the topic refused a post lately."""
    found = fetch(session, _REFUSED_UNTIL, trouble=_key(chat_id, thread_id))
    return not found or found[0].until <= now


def note_topic_open(session: Session, chat_id: str, thread_id: int) -> None:
    """Forget that a topic refused posts: it took one, or a person reopened it."""
    run(session, _OVER, trouble=_key(chat_id, thread_id))


def try_topics_again(session: Session, chat_id: str, *, now: datetime) -> None:
    """Let the next message try each topic of a chat, as the bot's rights there have changed."""
    of_chat = (col(ChatTrouble.chat_id) == chat_id, col(ChatTrouble.thread_id).is_not(None))
    affected(session, update(ChatTrouble).where(*of_chat).values(until=now))


def follow(session: Session, old: str, new: str) -> None:
    """Move the troubles of a chat that has a new id. What is known of the new one stays."""
    for trouble in session.exec(select(ChatTrouble).where(ChatTrouble.chat_id == old)).all():
        key = trouble.id.replace(old, new, 1)
        values = trouble.model_dump() | {"id": key, "chat_id": new}
        session.delete(trouble)
        session.flush()
        if session.get(ChatTrouble, key) is None:
            session.add(ChatTrouble(**values))
    session.flush()


def forget_old(session: Session, *, now: datetime) -> int:
    """Delete troubles that ended long ago; return how many."""
    return affected(session, delete(ChatTrouble).where(col(ChatTrouble.until) < now - KEPT))


def _key(chat_id: str, thread_id: int) -> str:
    return f"{chat_id}:{thread_id}"
