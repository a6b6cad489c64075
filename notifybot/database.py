"""One writer whose callers share commits, readers beside it, and what differs between SQLite and PostgreSQL."""

import asyncio
import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    Connection,
    CursorResult,
    Delete,
    Dialect,
    Engine,
    Update,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlmodel import Session, SQLModel

from notifybot.errors import StartRefused, Unavailable
from notifybot.process_lock import hold_file

T = TypeVar("T")
log = logging.getLogger(__name__)

JOBS_A_COMMIT = 500
MIGRATION_LOCK = 7_046_029_254_386_353_131
LEADER_LOCK = MIGRATION_LOCK + 1
"""The keys of PostgreSQL's advisory locks: around a migration, and for as long as a daemon leads."""
READERS = 2
LATER = "Try again in a moment. If it goes on, look at the disk space and at the daemon's log."


@dataclass
class Changes:
    """What a transaction makes known, after its commit, to those who wait for it. Core functions fill it in."""

    messages: set[str] = field(default_factory=set)
    """Whose state or deliveries changed."""
    is_work_due: bool = False
    """A post may be due: the dispatcher looks."""
    deadline: datetime | None = None
    """The earliest new deadline of an alert: the jobs look."""

    def note_deadline(self, moment: datetime | None) -> None:
        if moment is not None and (self.deadline is None or moment < self.deadline):
            self.deadline = moment

    def include(self, other: "Changes") -> None:
        self.messages |= other.messages
        self.is_work_due |= other.is_work_due
        self.note_deadline(other.deadline)


def changes(session: Session) -> Changes:
    """The notes of the transaction that `session` belongs to."""
    noted: Changes = session.info.setdefault("changes", Changes())
    return noted


@dataclass
class _Job(Generic[T]):
    work: Callable[[Session], T]
    future: "asyncio.Future[T]"
    result: T | None = None
    error: BaseException | None = None
    changes: Changes = field(default_factory=Changes)

    def run(self, connection: Connection) -> None:
        """Do the work in a savepoint of its own, so that a refusal takes back this job alone."""
        connection.exec_driver_sql("SAVEPOINT work")
        # SQLAlchemy's own savepoints cost ten times as much. In this mode closing the session leaves ours alone.
        with Session(connection, join_transaction_mode="rollback_only", expire_on_commit=False) as session:
            try:
                self.result = self.work(session)
                session.flush()
                self.changes = changes(session)
            except Exception as error:  # noqa: BLE001 - handed to the caller, who waits for it
                connection.exec_driver_sql("ROLLBACK TO SAVEPOINT work")
                self.error = _unavailable(error) if _is_the_databases(error, connection.dialect) else error
        connection.exec_driver_sql("RELEASE SAVEPOINT work")


class Database:
    """The writer thread runs whatever waits in one transaction and answers after its commit; readers never hold it up.

    Work is a plain function of a session. It must not touch a network, and it sees all that earlier work wrote.
    """

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self._engine = _engine(self._url, read_only=False)
        self._reading = _engine(self._url, read_only=True)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="database-reader")
        self._jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._listeners: list[Callable[[Changes], None]] = []
        self._writer = threading.Thread(target=self._write_until_closed, name="database-writer", daemon=True)
        self._connection: Connection | None = None
        """The writer's own, opened in its thread and kept."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self.commits = 0

    def start(self) -> None:
        """Start the writer; its answers come on the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._writer.start()

    def after_commit(self, listener: Callable[[Changes], None]) -> None:
        """Call `listener` on the event loop after every commit that changed something."""
        self._listeners.append(listener)

    async def write(self, work: Callable[[Session], T]) -> T:
        """Run `work` in the next transaction; return after its commit.

        Raises whatever `work` raised (nothing of it is kept), or Unavailable when the commit failed.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put(_Job(work, future))
        return await future

    async def read(self, work: Callable[[Session], T]) -> T:
        """Run `work` on a connection that cannot write, beside the writer.

        Raises whatever `work` raised, or Unavailable when the database could not be read.
        """
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    def _read(self, work: Callable[[Session], T]) -> T:
        try:
            with Session(self._reading, expire_on_commit=False) as session:
                return work(session)
        except Exception as error:
            if not _is_the_databases(error, self._reading.dialect):
                raise
            log.error("a read failed", exc_info=error, extra={"action": "read_failed"})
            raise Unavailable("The database could not be read.", hint=LATER) from error

    async def close(self) -> None:
        """Finish what waits, then end the writer and close every connection."""
        self._jobs.put(None)
        if self._writer.is_alive():
            await asyncio.to_thread(self._writer.join)
        self._readers.shutdown()
        if self._connection is not None:
            self._connection.close()
        self._engine.dispose()
        self._reading.dispose()

    def _write_until_closed(self) -> None:
        is_open = True
        while is_open:
            jobs, is_open = self._waiting_jobs()
            if jobs:
                self._commit(jobs)
                self._answer(jobs)

    def _waiting_jobs(self) -> tuple[list[_Job[Any]], bool]:
        """Wait for a job; take it and all that wait behind it. False: close after these."""
        jobs: list[_Job[Any]] = []
        next_job = self._jobs.get()
        while next_job is not None:
            jobs.append(next_job)
            if len(jobs) == JOBS_A_COMMIT or self._jobs.empty():
                return jobs, True
            next_job = self._jobs.get()
        return jobs, False

    def _commit(self, jobs: list[_Job[Any]]) -> None:
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            with self._connection.begin():
                for job in jobs:
                    job.run(self._connection)
        except Exception as error:
            log.error("commit failed", exc_info=error, extra={"action": "commit_failed", "jobs": len(jobs)})
            self._throw_connection_away()
            for job in jobs:
                job.error = _unavailable(error)
        self.commits += 1

    def _throw_connection_away(self) -> None:
        """After a failure nobody knows what state it is in."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.invalidate()
                connection.close()

    def _answer(self, jobs: list[_Job[Any]]) -> None:
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._deliver, jobs)

    def _deliver(self, jobs: list[_Job[Any]]) -> None:
        made_known = Changes()
        for job in jobs:
            if job.error is None:
                made_known.include(job.changes)
            _settle(job)
        if made_known != Changes():
            for listener in self._listeners:
                listener(made_known)


def _settle(job: _Job[Any]) -> None:
    if job.future.cancelled():
        return
    if job.error is None:
        job.future.set_result(job.result)
        return
    if isinstance(job.error, Unavailable):
        log.error("a write failed", exc_info=job.error.__cause__, extra={"action": "write_failed"})
    job.future.set_exception(job.error)


def _is_the_databases(error: BaseException, dialect: Dialect) -> bool:
    """Whether the database failed, and not the work: SQLAlchemy's error, or the driver's own (see prepared.py)."""
    return isinstance(error, SQLAlchemyError | dialect.loaded_dbapi.Error)


def _unavailable(error: BaseException) -> Unavailable:
    refusal = Unavailable(
        "The database could not keep this; nothing was accepted.",
        hint=LATER,
    )
    refusal.__cause__ = error
    return refusal


def affected(session: Session, statement: Update | Delete) -> int:
    """Run an UPDATE or DELETE; return how many rows it met. Objects already loaded are not brought up to date."""
    result = session.execute(statement, execution_options={"synchronize_session": False})
    assert isinstance(result, CursorResult)
    return int(result.rowcount)


def insert_missing(session: Session, table: type[SQLModel], rows: list[dict[str, Any]]) -> None:
    """Insert those rows whose primary key is not there yet."""
    if not rows:
        return
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    insert = sqlite.insert(table) if is_sqlite else postgresql.insert(table)
    session.execute(insert.on_conflict_do_nothing(), rows)


def sqlite_path(url: str) -> Path | None:
    """The database file; None where the URL is not SQLite's."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    return Path(parsed.database)


def _engine(url: URL, *, read_only: bool) -> Engine:
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url, read_only=read_only)
    engine = create_engine(url.set(drivername="postgresql+psycopg"), pool_size=READERS if read_only else 1)
    if read_only:
        engine = engine.execution_options(postgresql_readonly=True, isolation_level="REPEATABLE READ")
    return engine


def _sqlite_engine(url: URL, *, read_only: bool) -> Engine:
    engine = create_engine(
        url, connect_args={"check_same_thread": False, "timeout": 30}, pool_size=READERS if read_only else 1
    )
    begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: object) -> None:
        # Without this the driver begins transactions by itself, and only before the first write: reads before it
        # would then see an older state than the write overwrites.
        connection.isolation_level = None
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        if read_only:
            connection.execute("PRAGMA query_only = ON")

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    # NORMAL survives kill -9, but only FULL survives a power cut.
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 30000",
    "PRAGMA cache_size = -65536",
    "PRAGMA temp_store = MEMORY",
)


@contextlib.contextmanager
def hold_database(url: str) -> Iterator[None]:
    """Be the one daemon that leads on this database, until the end of the block or of the process.

    Raises StartRefused while another one does.
    """
    path = sqlite_path(url)
    if path is not None:
        _make_folder(path.parent)
        with hold_file(path.with_name(path.name + ".lock")):
            yield
        return
    with _connected(url) as connection:
        if not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": LEADER_LOCK}).scalar():
            raise StartRefused(
                "Another notifybot leads on this database.", hint="Stop it, or give this one a database of its own."
            )
        connection.commit()
        yield


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
    engine = _engine(make_url(url), read_only=False)
    try:
        with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        where = make_url(url).render_as_string(hide_password=True)
        reason = str(error.orig).partition("\n")[0]
        raise StartRefused(
            f"The database {where} cannot be used: {reason}.", hint="database.url or data_dir says which it is."
        ) from error
    finally:
        engine.dispose()
