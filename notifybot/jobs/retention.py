"""Delete old data, a little at a time."""

import asyncio
from datetime import datetime, timedelta
from functools import partial

from sqlmodel import Session

from notifybot.health import job_history
from notifybot.messages import attachments, forget, idempotency
from notifybot.people import linking
from notifybot.posts import chat_troubles, clock_steps, replies
from notifybot.rotations import overrides
from notifybot.runtime import Runtime
from notifybot.schedules import changes
from notifybot.storage import under_way
from notifybot.telegram_api import update_store

ROWS_PER_TRANSACTION = 200
REPLIES_KEPT = timedelta(days=2)
UNUSED_FILES_KEPT = timedelta(hours=1)
"""Longer than a request takes from storing its file to the commit of its message."""


async def run(runtime: Runtime, now: datetime) -> int:
    """Delete data past its retention; return the number of rows and files."""
    if await runtime.database.read(partial(clock_steps.is_doubtful, now=now)):
        return 0
    before = None if runtime.config.retention.messages is None else now - runtime.config.retention.messages
    total = await runtime.database.write(partial(forget_bookkeeping, now=now))
    while before is not None and (
        done := await runtime.database.write(partial(forget.forget_messages, before=before, limit=ROWS_PER_TRANSACTION))
    ):
        total += done
    if before is not None:
        total += await runtime.database.write(partial(changes.forget_old, before=before))
    return total + await _forget_files(runtime, now)


def forget_bookkeeping(session: Session, *, now: datetime) -> int:
    """Delete expired rows that belong to no message; return how many."""
    return (
        replies.forget_old(session, before=now - REPLIES_KEPT)
        + update_store.forget_old(session, now=now)
        + idempotency.forget_old(session, now=now)
        + overrides.forget_old(session, now=now)
        + linking.forget_old(session, now=now)
        + job_history.forget_old(session, now=now)
        + chat_troubles.forget_old(session, now=now)
        + under_way.forget_old(session, now=now)
    )


async def _forget_files(runtime: Runtime, now: datetime) -> int:
    """Drop old attachments, then remove from the disk what no message uses; return how many files."""
    if (kept := runtime.config.retention.attachments) is not None:
        forget_some = partial(attachments.forget_content, before=now - kept, limit=ROWS_PER_TRANSACTION)
        while await runtime.database.write(forget_some):
            pass
    store, before, removed = runtime.files.store, now - UNUSED_FILES_KEPT, 0
    for content in await asyncio.to_thread(lambda: list(store.older_than(before))):
        if not await runtime.database.read(partial(attachments.is_used, sha256=content)):
            removed += await asyncio.to_thread(store.remove, content, stored_before=before)
    return removed


def next_due(session: Session) -> datetime | None:
    """An hour after the last run."""
    last = job_history.last_run(session, "retention")
    return None if last is None else last + timedelta(hours=1)
