"""A database whose writer leads, as in the daemon."""

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import text
from sqlmodel import Session

from notifybot import outbox
from notifybot.database import Database
from notifybot.engines import hold_database

NOW = datetime(2026, 3, 1, tzinfo=UTC)
WITHIN_S = 30.0


@contextlib.asynccontextmanager
async def leading(url: str) -> AsyncIterator[Database]:
    """Hold the database and begin a term."""
    with hold_database(url) as leadership:
        database = Database(url, leadership)
        database.start()
        try:
            await database.lead(partial(outbox.lead, now=NOW))
            yield database
        finally:
            await database.close()


def adding(name: str) -> Callable[[Session], str]:
    """Work that keeps a name."""

    def add(session: Session) -> str:
        session.execute(text("INSERT INTO chats (id) VALUES (:id)"), {"id": name})
        return name

    return add
