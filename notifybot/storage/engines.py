"""Engines, the lock of the leading daemon, and the transaction of a migration."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, Engine, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from notifybot.errors import StartRefused
from notifybot.storage.leadership import Leadership
from notifybot.storage.postgresql import postgresql_engine
from notifybot.storage.same_file import refuse_to_forget
from notifybot.storage.sqlite import sqlite_engine, sqlite_path
from notifybot.system.locks import hold_file

MIGRATION_LOCK = 7_046_029_254_386_353_131
"""Key of the advisory lock around a migration, on PostgreSQL. The other one is in storage/leadership.py."""


def engine_for(url: URL, *, read_only: bool) -> Engine:
    """Make an engine for the one connection that writes, or for READERS read-only ones."""
    if url.get_backend_name() == "sqlite":
        return sqlite_engine(url, read_only=read_only)
    return postgresql_engine(url, read_only=read_only)


@contextlib.contextmanager
def hold_database(url: str) -> Iterator[Leadership | None]:
    """Lead on this database until the block or the process ends. Raises StartRefused while another daemon leads.

    On PostgreSQL the connection that writes holds the lock: pass the yielded value to Database.
    """
    path = sqlite_path(url)
    if path is not None:
        _make_folder(path.parent)
        with hold_file(lock_path(path)):
            refuse_to_forget(path)
            yield None
        return
    leadership = Leadership(engine_for(make_url(url), read_only=False))
    try:
        with _refusing_in_two_lines(url):
            leadership.hold()
        yield leadership
    finally:
        leadership.release()


def lock_path(path: Path) -> Path:
    """Return the lock of an SQLite database."""
    return path.with_name(path.name + ".lock")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StartRefused(
            f"The folder of the database cannot be created: {error}.", hint="Check data_dir and database.url."
        ) from error


def current_revision(url: str) -> str | None:
    """Return the schema revision of the database; None if it is empty."""
    with _connected(url) as connection:
        return revision_in(connection)


def revision_in(connection: Connection) -> str | None:
    names = connection.dialect.get_table_names(connection)
    if "alembic_version" not in names:
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


@contextlib.contextmanager
def migrating(url: str) -> Iterator[Connection]:
    """Run a whole migration in one transaction.

    On SQLite foreign keys are checked only at the end: with them on, rebuilding a parent table deletes its children.
    On PostgreSQL it waits for another migration to end.
    """
    with _connected(url) as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        if is_sqlite:
            _outside_a_transaction(connection, "PRAGMA foreign_keys = OFF")
        with connection.begin():
            if not is_sqlite:
                connection.execute(text("SET LOCAL lock_timeout = 0"))  # another migration may take long
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
            yield connection
            if is_sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                raise StartRefused("The migration would break foreign keys; nothing was changed.")


def _outside_a_transaction(connection: Connection, statement: str) -> None:
    driver = connection.connection.dbapi_connection
    assert driver is not None
    driver.cursor().execute(statement)


@contextlib.contextmanager
def _connected(url: str) -> Iterator[Connection]:
    """Open a separate connection. Raises StartRefused if the database cannot be used."""
    engine = engine_for(make_url(url), read_only=False)
    try:
        with _refusing_in_two_lines(url), engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


@contextlib.contextmanager
def _refusing_in_two_lines(url: str) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        reason = str(error.orig).strip().partition("\n")[0].rstrip(".")
        raise StartRefused(
            f"The database {without_secrets(url)} cannot be used: {reason}.",
            hint="Check database.url or data_dir.",
        ) from error


def password_in(url: str) -> str | None:
    """Return the password in a database URL, which must never be shown. libpq accepts it in two places."""
    parsed = make_url(url)
    return parsed.password or next(iter(parsed.normalized_query.get("password", ())), None)


def without_secrets(url: str) -> str:
    parsed = make_url(url)
    return parsed.difference_update_query(["password", "sslpassword"]).render_as_string(hide_password=True)
