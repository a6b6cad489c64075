"""SQLite connections and their settings."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL

from notifybot.storage import settings

STATEMENTS_KEPT = 512
"""Compiled statements that SQLite keeps. Each kind of INSERT takes one for each of statements.SIZES."""


def sqlite_engine(url: URL, *, read_only: bool) -> Engine:
    connect: dict[str, Any] = {
        "check_same_thread": False,
        "timeout": settings.LOCKED_WITHIN_S,
        "cached_statements": STATEMENTS_KEPT,
    }
    pool_size = settings.READERS if read_only else 1
    if read_only and url.database:
        file = f"file:{quote(url.database)}?mode=rw"  # a reader must not create the file again if it was removed
        engine = create_engine(url, creator=lambda: sqlite3.connect(file, uri=True, **connect), pool_size=pool_size)
    else:
        engine = create_engine(url, connect_args=connect, pool_size=pool_size)
    begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: object) -> None:
        # Without this the driver begins transactions by itself, and only at the first write: reads before it would
        # see an older state than the one that is overwritten.
        connection.isolation_level = None
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        connection.execute(f"PRAGMA busy_timeout = {round(settings.LOCKED_WITHIN_S * 1000)}")
        # In KiB. Readers run seldom and have the page cache of the system.
        connection.execute(f"PRAGMA cache_size = {-4096 if read_only else -32768}")
        if read_only:
            connection.execute("PRAGMA query_only = ON")

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.connection.cursor().execute(begin)

    return engine


_PRAGMAS = (
    # Of a new file; others keep theirs. An alert changes few bytes in many pages, and each changed page is written.
    "PRAGMA page_size = 2048",
    "PRAGMA journal_mode = WAL",
    # NORMAL survives kill -9, but only FULL survives a power cut.
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
    # In pages of 2 KiB. Only for what `checkpoint` leaves over, since this one delays a commit.
    "PRAGMA wal_autocheckpoint = 16000",
    # In bytes. A long reader lets the log grow; once it is copied, the next commit shrinks the file to this.
    "PRAGMA journal_size_limit = 67108864",
)


def checkpoint(engine: Engine) -> bool:
    """Copy SQLite's write-ahead log into the database alongside the writer, which would otherwise do so in a commit.

    Returns False if a part of it is left, because a reader still needs the database as it was before. Does nothing on
    PostgreSQL.
    """
    if engine.dialect.name != "sqlite":
        return True
    with contextlib.closing(engine.raw_connection()) as connection:
        cursor = connection.cursor()
        cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
        ((_, pages, copied),) = cursor.fetchall()
    return bool(pages == copied)


def sqlite_path(url: str) -> Path | None:
    """Return the database file; None if the URL is not one of SQLite."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    return Path(parsed.database)
