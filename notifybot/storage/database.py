"""One writer whose callers share commits, and readers beside it."""

import asyncio
import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, make_url
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from notifybot.errors import Unavailable
from notifybot.storage.engines import engine_for
from notifybot.storage.leadership import Deposed, Leadership
from notifybot.storage.settings import READERS
from notifybot.storage.sqlite import checkpoint
from notifybot.storage.writer import (
    LATER,
    Changes,
    Settle,
    Write,
    is_database_error,
    outcome_unknown,
    unavailable,
)

T = TypeVar("T")
log = logging.getLogger(__name__)

WRITES_PER_COMMIT = 500
QUIET_TURNS = 3
"""So often the event loop turns from when a request can be read until it asks for a write; a turn takes some 10 µs."""
ENOUGH = 128
"""So many are not kept waiting for more."""
CHECKPOINT_EVERY = 25
"""Commits: a tenth of what fills the log."""
CHECK_LEADERSHIP_EVERY_S = 5.0
CHECK_LEADERSHIP_EVERY_WHILE_BROKEN_S = 0.5
"""How often an idle writer looks whether it still leads, on PostgreSQL alone."""


@dataclass(frozen=True)
class _Doubt:
    """A transaction whose connection broke while it was committed: see Leadership.was_kept."""

    jobs: list[Write[Any]]
    sealed: int
    error: Exception


class Database:
    """The writer thread runs whatever waits in one transaction and answers after its commit; readers never hold it up.

    Work is a plain function of a session. It must not touch a network, and it sees all that earlier work wrote.

    Work is handed to the writer once no more is on the way. While both threads are busy each hands the interpreter to
    the other at every call of the system, so that both take nearly twice as long; and the sooner a commit begins, the
    fewer share it.

    `leadership`, on PostgreSQL: what `hold_database` yielded; without it nothing keeps other writers away.
    """

    def __init__(self, url: str, leadership: Leadership | None = None) -> None:
        self._leadership = leadership
        self._engine = engine_for(make_url(url), read_only=False) if leadership is None else leadership.engine
        self._reading = engine_for(make_url(url), read_only=True)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="database-reader")
        self._coming: list[Write[Any]] = []
        self._arrivals = 0
        self._jobs: queue.SimpleQueue[list[Write[Any]] | None] = queue.SimpleQueue()
        self._listeners: list[Callable[[Changes], None]] = []
        self._writer = threading.Thread(target=self._write_until_closed, name="database-writer", daemon=True)
        self._connection: Connection | None = None
        """The writer's own, kept by its thread."""
        self._doubt: _Doubt | None = None
        self._is_out_of_reach = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False
        self.deposed = asyncio.Event()
        """Set once another daemon leads on this database: nothing can be written any more."""
        self.commits = 0

    def start(self) -> None:
        """Start the writer; its answers come on the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._writer.start()

    def after_commit(self, listener: Callable[[Changes], None]) -> None:
        """Call `listener` on the event loop after every commit that changed something."""
        self._listeners.append(listener)

    async def lead(self, work: Callable[[Session], int]) -> int:
        """Run the work that begins a term and returns it; from then on no commit is made but in that term."""
        term = await self.write(work)
        if self._leadership is not None:
            self._leadership.begin_term(term)
        return term

    async def write(self, work: Callable[[Session], T]) -> T:
        """Run `work` in the next transaction; return after its commit.

        Raises whatever `work` raised (nothing of it is kept), or Unavailable when the commit failed.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.submit(work, partial(_settle, future))
        return await future

    def submit(self, work: Callable[[Session], T], settle: Settle[T]) -> None:
        """Run `work` in the next transaction; after its commit call `settle` on the event loop, with what `write` would
        return or raise. For whoever has many callers waiting for one work, and needs no task for it."""
        if self._is_closed:
            hint = "Try again in a moment."
            settle(Unavailable("The daemon is stopping; nothing was accepted.", hint=hint))
        else:
            self._coming.append(Write(work, settle))
            self.note_arrival()
            if len(self._coming) == 1:
                self._gather(0, 0)

    def note_arrival(self) -> None:
        """Somebody came for the sake of whom the writer may wait a moment longer."""
        self._arrivals += 1

    def _gather(self, seen: int, quiet_turns: int) -> None:
        """Hand over what came after QUIET_TURNS in which nobody did, or when ENOUGH have."""
        quiet_turns = quiet_turns + 1 if self._arrivals == seen else 0
        if quiet_turns == QUIET_TURNS or self._arrivals >= ENOUGH:
            self._hand_over()
        else:
            asyncio.get_running_loop().call_soon(self._gather, self._arrivals, quiet_turns)

    def _hand_over(self) -> None:
        if self._coming:
            self._jobs.put(self._coming)
        self._coming, self._arrivals = [], 0

    def keeps_nothing(self, error: Exception) -> bool:
        """Whether `error`, which a write raised, would meet any other write too: locked, full, out of reach."""
        return isinstance(error.__cause__, OperationalError | self._engine.dialect.loaded_dbapi.OperationalError)

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
            if not is_database_error(error, self._reading.dialect):
                raise
            log.error("a read failed", exc_info=error, extra={"action": "read_failed"})
            raise Unavailable("The database could not be read.", hint=LATER) from error

    async def close(self) -> None:
        """Finish what waits, then end the writer and close every connection."""
        self._is_closed = True
        self._hand_over()
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
            if not jobs and self._leadership is not None:
                self._look_after_connection()
            if jobs:
                self._commit(jobs)
        if self._doubt is not None:
            self._refuse(self._doubt.jobs, outcome_unknown(self._doubt.error))

    def _waiting_jobs(self) -> tuple[list[Write[Any]], bool]:
        """Wait for a job; take it and all that wait behind it. None: look after the connection. False: close after
        these."""
        jobs: list[Write[Any]] = []
        try:
            coming = self._jobs.get(timeout=self._look_within_s())
        except queue.Empty:
            return jobs, True
        while coming is not None:
            jobs += coming
            if len(jobs) >= WRITES_PER_COMMIT or self._jobs.empty():
                return jobs, True
            coming = self._jobs.get()
        return jobs, False

    def _look_within_s(self) -> float | None:
        if self._leadership is None:
            return None
        return CHECK_LEADERSHIP_EVERY_S if self._connection is not None else CHECK_LEADERSHIP_EVERY_WHILE_BROKEN_S

    def _commit(self, jobs: list[Write[Any]]) -> None:
        """Run them all in one transaction and answer; or later, where it is not known yet whether it was kept.

        Work must bear to run twice: a job that took the whole transaction with it is left out, the others run anew.
        """
        sealed = None
        try:
            connection = self._connected()
            transaction = connection.begin()
            for job in jobs:
                if len(jobs) == 1:
                    job.run_alone(connection, transaction)
                else:
                    job.run(connection)
                if not transaction.is_active and not connection.invalidated:
                    self._commit_without(job, jobs)
                    return
            sealed = None if self._leadership is None else self._leadership.seal(connection)
            transaction.commit()
        except Exception as error:
            log.error("commit failed", exc_info=error, extra={"action": "commit_failed", "jobs": len(jobs)})
            self._throw_connection_away(error)
            if sealed is not None:
                self._doubt = _Doubt(jobs, sealed, error)
                return
            for job in jobs:
                job.error = unavailable(error)
        self.commits += 1
        self._answer(jobs)
        if self.commits % CHECKPOINT_EVERY == 0:
            with contextlib.suppress(RuntimeError):  # closed meanwhile; the last connection does it then
                self._readers.submit(self._checkpoint)

    def _checkpoint(self) -> None:
        try:
            checkpoint(self._reading)
        except Exception as error:  # nothing hangs on it: the writer does it later, within a commit
            log.warning("a checkpoint failed", exc_info=error, extra={"action": "checkpoint_failed"})

    def _commit_without(self, spoiler: Write[Any], jobs: list[Write[Any]]) -> None:
        self._answer([spoiler])
        others = [job for job in jobs if job is not spoiler]
        for job in others:
            job.begin_anew()
        if others:
            self._commit(others)

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect() if self._leadership is None else self._leadership.connect()
            self._settle_doubt(self._connection)
        return self._connection

    def _look_after_connection(self) -> None:
        """While nobody writes: find out whether we still lead, come back where the server was away, and answer those
        whose commit broke off."""
        try:
            connection = self._connected()
            with connection.begin():
                connection.exec_driver_sql("SELECT 1")
        except Exception as error:
            if not self._is_out_of_reach:  # once, however often it is tried
                log.error("the database is out of reach", exc_info=error, extra={"action": "database_away"})
            self._is_out_of_reach = True
            self._throw_connection_away(error)
        else:
            self._is_out_of_reach = False

    def _settle_doubt(self, connection: Connection) -> None:
        if self._doubt is None or self._leadership is None:
            return
        jobs, error = self._doubt.jobs, self._doubt.error
        was_kept = self._leadership.was_kept(connection, self._doubt.sealed)
        self._doubt = None
        if was_kept:
            self._answer(jobs)
        else:
            self._refuse(jobs, unavailable(error))

    def _refuse(self, jobs: list[Write[Any]], error: Unavailable) -> None:
        for job in jobs:
            job.error = error
        self._answer(jobs)

    def _throw_connection_away(self, error: Exception) -> None:
        """After a failure nobody knows what state it is in."""
        if isinstance(error, Deposed) and self._loop is not None:
            log.error("another daemon leads on this database", extra={"action": "deposed"})
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self.deposed.set)
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.invalidate()
                connection.close()

    def _answer(self, jobs: list[Write[Any]]) -> None:
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._deliver, jobs)

    def _deliver(self, jobs: list[Write[Any]]) -> None:
        made_known = Changes()
        for job in jobs:
            if job.error is None:
                made_known.include(job.changes)
            elif isinstance(job.error, Unavailable):
                log.error("a write failed", exc_info=job.error.__cause__, extra={"action": "write_failed"})
            job.settle(job.result if job.error is None else job.error)
        if made_known != Changes():
            for listener in self._listeners:
                listener(made_known)


def _settle(future: "asyncio.Future[T]", outcome: T | Exception) -> None:
    if future.done():  # given up by its caller
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
