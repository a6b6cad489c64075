"""What is over and old is deleted, a little at a time."""

from datetime import datetime, timedelta
from functools import partial

from sqlmodel import Session

from notifybot import retention
from notifybot.runtime import Runtime

A_TRANSACTION = 200


async def tick(runtime: Runtime, now: datetime) -> int:
    """Delete what is past its time; return how many messages and other rows went."""
    before = None if runtime.config.retention.messages is None else now - runtime.config.retention.messages
    total = await runtime.database.write(partial(retention.forget_bookkeeping, now=now))
    while before is not None and (
        done := await runtime.database.write(partial(retention.forget_messages, before=before, most=A_TRANSACTION))
    ):
        total += done
    return total


def next_due(session: Session) -> datetime | None:
    """An hour after the last tick: nobody waits for it."""
    last = retention.last_run(session)
    return None if last is None else last + timedelta(hours=1)
