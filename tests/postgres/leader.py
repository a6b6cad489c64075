"""A database with a leading writer, as in the daemon, and faults to inject."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import text
from sqlmodel import Session

from notifybot.posts import bot
from notifybot.storage.database import Database
from notifybot.storage.engines import hold_database
from tests.support.databases import PostgresStore

NOW = datetime(2026, 3, 1, tzinfo=UTC)
WITHIN_S = 30.0


@contextlib.asynccontextmanager
async def leading(url: str) -> AsyncIterator[Database]:
    """Hold the database and begin a term."""
    with hold_database(url) as leadership:
        database = Database(url, leadership)
        database.start()
        try:
            await database.lead(partial(bot.begin_term, now=NOW))
            yield database
        finally:
            await database.close()


def adding(name: str) -> Callable[[Session], str]:
    """Return work that stores a name."""

    def add(session: Session) -> str:
        session.execute(text("INSERT INTO chats (id, is_new, last_caller) VALUES (:id, true, '')"), {"id": name})
        return name

    return add


class Gate:
    """Blocks the writer in the middle of a transaction until it is opened."""

    def __init__(self, database: Database) -> None:
        self._loop = asyncio.get_running_loop()
        self._go = threading.Event()
        self.is_held = asyncio.Event()
        self.task = asyncio.create_task(database.write(self._work(adding("held"))))

    def _work(self, add: Callable[[Session], str]) -> Callable[[Session], str]:
        def work(session: Session) -> str:
            added = add(session)
            self._loop.call_soon_threadsafe(self.is_held.set)
            self._go.wait(WITHIN_S)
            return added

        return work

    def open(self) -> None:
        self._go.set()


def names(store: PostgresStore) -> list[str]:
    """Return the committed names, as another program sees them."""
    return [str(name) for (name,) in store.rows("SELECT id FROM chats ORDER BY id")]


def end_sessions(store: PostgresStore) -> None:
    """Break all connections of the daemon, like a network failure or an administrator."""
    store.rows(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
