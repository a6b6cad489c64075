"""SQLite connections and their settings."""

import contextlib
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL

from notifybot.storage.settings import LOCKED_WITHIN_S, READERS

STATEMENTS_KEPT = 512
"""Compiled by SQLite: each way to insert rows in each of the sizes of storage/statements.py is one."""


def sqlite_engine(url: URL, *, read_only: bool) -> Engine:
    connect = {"check_same_thread": False, "timeout": LOCKED_WITHIN_S, "cached_statements": STATEMENTS_KEPT}
    engine = create_engine(url, connect_args=connect, pool_size=READERS if read_only else 1)
    begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: object) -> None:
        # Without this the driver begins transactions by itself, and only before the first write: reads before it
        # would then see an older state than the write overwrites.
        connection.isolation_level = None
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        connection.execute(f"PRAGMA busy_timeout = {round(LOCKED_WITHIN_S * 1000)}")
        # In KiB. Readers answer seldom and share the system's own cache of the file.
        connection.execute(f"PRAGMA cache_size = {-4096 if read_only else -32768}")
        if read_only:
            connection.execute("PRAGMA query_only = ON")

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.connection.cursor().execute(begin)

    return engine


_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    # NORMAL survives kill -9, but only FULL survives a power cut.
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
    # In pages of 4 KiB, for what `checkpoint` has left over: this one holds up a commit.
    "PRAGMA wal_autocheckpoint = 8000",
)


def checkpoint(engine: Engine) -> None:
    """Move what SQLite's log holds into the database, beside the writer, who would else do it within somebody's commit.
    PostgreSQL sees to that itself."""
    if engine.dialect.name == "sqlite":
        with contextlib.closing(engine.raw_connection()) as connection:
            connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")


def sqlite_path(url: str) -> Path | None:
    """The database file; None where the URL is not SQLite's."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    return Path(parsed.database)
