"""What differs between SQLite and PostgreSQL: connections and their settings, the lock of who leads, migrations."""

import contextlib
import importlib.util
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from notifybot.errors import StartRefused
from notifybot.leadership import Leadership, own_name
from notifybot.process_lock import hold_file

MIGRATION_LOCK = 7_046_029_254_386_353_131
"""The key of PostgreSQL's advisory lock around a migration; see leadership.py for the other one."""
READERS = 2
LOCKED_WITHIN_S = 5.0
"""So long a write waits while another program holds what it needs; none but an operator's does."""
STATEMENTS_KEPT = 512
"""Compiled by SQLite: each way to insert rows in each of the sizes of prepared.py is one."""
OLDEST_POSTGRESQL = 13
log = logging.getLogger(__name__)


def engine_for(url: URL, *, read_only: bool) -> Engine:
    """An engine for the one connection that writes, or for READERS that cannot."""
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url, read_only=read_only)
    return _postgresql_engine(url, read_only=read_only)


def _sqlite_engine(url: URL, *, read_only: bool) -> Engine:
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


def _postgresql_engine(url: URL, *, read_only: bool) -> Engine:
    if importlib.util.find_spec("psycopg") is None:
        raise StartRefused(
            "PostgreSQL needs the Python package psycopg, which is not installed.",
            hint="In a checkout: make environment PINS=postgres. Elsewhere: pip install 'notifybot[postgres]'.",
        )
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={name: value for name, value in _CONNECT.items() if name not in url.query},
        pool_size=READERS if read_only else 1,
        # A reader may lie idle while the server restarts; the writer's connection is looked after by its holder.
        pool_pre_ping=read_only,
        isolation_level="REPEATABLE READ" if read_only else "READ COMMITTED",
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: object) -> None:
        _set_up_session(connection, read_only=read_only)

    return engine.execution_options(postgresql_readonly=True) if read_only else engine


# A server that does not answer must not hold us up for the hours that TCP would wait.
_CONNECT: dict[str, object] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "client_encoding": "utf8",
    "fallback_application_name": own_name(),
}
# The same for the server's side of the connection: else the lock of a daemon whose machine died would stay for hours.
# Nothing is answered before it is on disk: `off` would be a lie, while more than `on` is the operator's choice.
_SETTINGS = """
    SELECT current_setting('server_version_num')::int / 10000, current_setting('server_encoding'),
           current_setting('fsync'),
           set_config('TimeZone', 'UTC', false),
           set_config('lock_timeout', %(locked)s, false),
           set_config('tcp_keepalives_idle', '10', false),
           set_config('tcp_keepalives_interval', '5', false),
           set_config('tcp_keepalives_count', '3', false),
           set_config('synchronous_commit', CASE current_setting('synchronous_commit')
               WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)
"""


def _set_up_session(connection: Any, *, read_only: bool) -> None:
    locked = {"locked": f"{round(LOCKED_WITHIN_S * 1000)}ms"}
    version, encoding, fsync, *_ = connection.execute(_SETTINGS, locked).fetchone()
    connection.commit()
    if version < OLDEST_POSTGRESQL:
        raise StartRefused(f"The server is PostgreSQL {version}; notifybot needs {OLDEST_POSTGRESQL} or newer.")
    if encoding != "UTF8":
        raise StartRefused(
            f"The database is encoded in {encoding}, which cannot hold every message.",
            hint="Make it with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0.",
        )
    if fsync == "off" and not read_only:
        log.warning("the server runs with fsync off: a power cut may lose messages", extra={"action": "database"})


def sqlite_path(url: str) -> Path | None:
    """The database file; None where the URL is not SQLite's."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    return Path(parsed.database)


@contextlib.contextmanager
def hold_database(url: str) -> Iterator[Leadership | None]:
    """Be the one daemon that leads on this database, until the end of the block or of the process.

    On PostgreSQL the lock is held by the connection that writes: give what is yielded to Database. Raises
    StartRefused while another daemon leads.
    """
    path = sqlite_path(url)
    if path is not None:
        _make_folder(path.parent)
        with hold_file(path.with_name(path.name + ".lock")):
            yield None
        return
    leadership = Leadership(engine_for(make_url(url), read_only=False))
    try:
        with _refusing_in_two_lines(url):
            leadership.hold()
        yield leadership
    finally:
        leadership.release()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    except OSError as error:
        raise StartRefused(
            f"The folder of the database cannot be made: {error}.", hint="data_dir or database.url says where it lies."
        ) from error


def current_revision(url: str) -> str | None:
    """The schema's revision in the database; None for an empty one."""
    with _connected(url) as connection:
        return revision_in(connection)


def revision_in(connection: Connection) -> str | None:
    names = connection.dialect.get_table_names(connection)
    if "alembic_version" not in names:
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


@contextlib.contextmanager
def migrating(url: str) -> Iterator[Connection]:
    """One transaction for all of a migration. On SQLite foreign keys are checked at its end, not on the way: with
    them on, rebuilding a parent table deletes its children. On PostgreSQL it waits for another migration to end."""
    with _connected(url) as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        if is_sqlite:
            _outside_a_transaction(connection, "PRAGMA foreign_keys = OFF")
        with connection.begin():
            if not is_sqlite:
                connection.execute(text("SET LOCAL lock_timeout = 0"))  # another one may take long
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
            yield connection
            if is_sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                raise StartRefused("The migration would break references between rows; nothing was changed.")


def _outside_a_transaction(connection: Connection, statement: str) -> None:
    driver = connection.connection.dbapi_connection
    assert driver is not None
    driver.cursor().execute(statement)


@contextlib.contextmanager
def _connected(url: str) -> Iterator[Connection]:
    """A connection of its own. Raises StartRefused where the database cannot be reached or is none of ours."""
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
            f"The database {_without_secrets(url)} cannot be used: {reason}.",
            hint="database.url or data_dir says which it is.",
        ) from error


def password_in(url: str) -> str | None:
    """What must never be shown; libpq takes it at either of two places."""
    parsed = make_url(url)
    return parsed.password or next(iter(parsed.normalized_query.get("password", ())), None)


def _without_secrets(url: str) -> str:
    parsed = make_url(url)
    return parsed.difference_update_query(["password", "sslpassword"]).render_as_string(hide_password=True)
