"""Notify the admins once of each banned chat and each topic that takes no posts."""

from datetime import datetime
from functools import partial

from sqlmodel import Session

from notifybot.health import chat_warnings
from notifybot.jobs.batches import process_due
from notifybot.messages.announce import HEALTH, Announcement, announce_to_admins
from notifybot.runtime import Runtime

NAME = "chat_troubles"
TITLE = "Telegram refuses posts"


async def run(runtime: Runtime, now: datetime) -> int:
    """Notify the admins of what is new; return the number of chats and topics."""
    return await process_due(runtime, NAME, chat_warnings.UNTOLD, partial(_notify, runtime=runtime), now=now)


def _notify(session: Session, *, now: datetime, limit: int, runtime: Runtime) -> int:
    sentences = chat_warnings.take_untold(session, now=now, limit=limit)
    announcement = Announcement((), HEALTH, "\n\n".join(sentences), TITLE)
    announce_to_admins(session, announcement, runtime.directory, now=now)
    return len(sentences)
