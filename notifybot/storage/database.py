"""The database as the daemon sees it: one writer whose callers share commits, and readers alongside it."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import make_url
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from notifybot.errors import Unavailable
from notifybot.storage.engines import engine_for
from notifybot.storage.leadership import Leadership
from notifybot.storage.same_file import FileReplaced, SameFile
from notifybot.storage.settings import READERS
from notifybot.storage.sqlite import checkpoint, sqlite_path
from notifybot.storage.writer import LATER, Changes, Reply, Write, is_database_error
from notifybot.storage.writer_thread import WriterThread, Writes
from notifybot.system.kept_files import KeptFile

T = TypeVar("T")
log = logging.getLogger(__name__)

QUIET_TURNS = 3
"""Event loop iterations without a new write before the batch goes to the writer thread. A readable request asks for its
write within as many; an iteration takes about 10 µs."""
MAX_ARRIVALS = 128
"""Writes that go to the writer thread without waiting for more."""
CHECKPOINT_EVERY = 25
"""Commits: a tenth of what fills the write-ahead log."""
CHECKPOINT_AGAIN_S = 1.0
"""Interval of attempts while a reader holds up a checkpoint."""


class Database:
    """Writes run in one thread that shares a commit among all waiting callers; reads never block it.

    Work is a plain function of a session. It must not use the network, and sees the effect of all earlier work.

    Writes are handed over once no more are arriving. While both threads are busy, each passes the interpreter lock to
    the other at every system call, and both take nearly twice as long; and an early commit is shared by fewer callers.

    `leadership`: on PostgreSQL, the value that `hold_database` yields. Without it nothing keeps other writers away.
    """

    def __init__(self, url: str, leadership: Leadership | None = None) -> None:
        self._leadership = leadership
        self._engine = engine_for(make_url(url), read_only=False) if leadership is None else leadership.engine
        self._reading = engine_for(make_url(url), read_only=True)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="database-reader")
        path = sqlite_path(url)
        self._same_file = None if path is None else SameFile(path)
        self._writer = WriterThread(
            self._engine,
            leadership,
            self._same_file,
            reply=self._reply,
            on_commit=self._note_commit,
            on_deposed=lambda: self._call_soon(self.deposed.set),
        )
        self._arriving: list[Write[Any]] = []
        self._arrivals = 0
        self._listeners: list[Callable[[Changes], None]] = []
        self._claims: Callable[[], Write[Any] | None] = _no_claim
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False
        self._again: asyncio.TimerHandle | None = None
        """Next attempt at a checkpoint that a reader held up."""
        self.deposed = asyncio.Event()
        """Set once another daemon leads on this database and nothing can be written any more."""
        self.commits = 0

    def start(self) -> None:
        """Start the writer. It replies on the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._writer.start()

    def after_commit(self, listener: Callable[[Changes], None]) -> None:
        """Call `listener` on the event loop after every commit that changed something."""
        self._listeners.append(listener)

    def claim_along(self, claims: Callable[[], Write[Any] | None]) -> None:
        """Ask `claims`, whenever writes go to the writer, for a write that claims what they make due: one transaction
        then does what would take two."""
        self._claims = claims

    async def lead(self, work: Callable[[Session], int]) -> int:
        """Run the work that begins a term and returns its number. From then on all commits belong to that term."""
        term = await self.write(work)
        if self._leadership is not None:
            self._leadership.begin_term(term)
        return term

    async def write(self, work: Callable[[Session], T]) -> T:
        """Run `work` in the next transaction; return after its commit.

        Raises the exception that `work` raised (its changes are rolled back), or Unavailable if the commit failed.
        """
        return await self.start_write(work)

    def start_write(self, work: Callable[[Session], T]) -> "asyncio.Future[T]":
        """Like `write`, but hand the work over at once: writes run in the order in which they were handed over."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.submit(work, partial(_resolve, future))
        return future

    def submit(self, work: Callable[[Session], T], reply: Reply[T]) -> None:
        """Like `write`, but call `reply` on the event loop with the result or the error. Needs no task."""
        if self._is_closed:
            hint = "Try again in a moment."
            reply(Unavailable("The daemon is stopping; nothing was accepted.", hint=hint))
        else:
            self._arriving.append(Write(work, reply))
            self.note_arrival()
            if len(self._arriving) == 1:
                self._gather(0, 0)

    def note_arrival(self) -> None:
        """Let the writer wait a moment longer, since a caller just arrived."""
        self._arrivals += 1

    def _gather(self, seen: int, quiet_turns: int) -> None:
        """Hand over after QUIET_TURNS without an arrival, or at MAX_ARRIVALS."""
        quiet_turns = quiet_turns + 1 if self._arrivals == seen else 0
        if quiet_turns == QUIET_TURNS or self._arrivals >= MAX_ARRIVALS:
            self._hand_over()
        else:
            asyncio.get_running_loop().call_soon(self._gather, self._arrivals, quiet_turns)

    def _hand_over(self) -> None:
        if self._arriving:
            claim = self._claims()
            self._writer.put(self._arriving if claim is None else [*self._arriving, claim])
        self._arriving, self._arrivals = [], 0

    def is_down(self, error: Exception) -> bool:
        """Return True if `error`, raised by a write, would meet any other write too: locked, full, out of reach."""
        return isinstance(
            error.__cause__, FileReplaced | OperationalError | self._engine.dialect.loaded_dbapi.OperationalError
        )

    async def read(self, work: Callable[[Session], T]) -> T:
        """Run `work` on a read-only connection, alongside the writer.

        Raises the exception that `work` raised, or Unavailable if the database could not be read.
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

    def kept_file(self) -> KeptFile | None:
        """Return SQLite's file, which is rescued once it is gone; None on PostgreSQL. Call after a commit."""
        same_file = self._same_file
        if same_file is None:
            return None

        async def rescue() -> str | None:
            with contextlib.suppress(Unavailable):
                await self.write(lambda _: None)  # the writer notices, and rescues what it has open
            return same_file.advice()

        return KeptFile("database", same_file.path, rescue, same_file.identity, same_file.is_same)

    async def close(self) -> None:
        """Finish all writes that wait, then close every connection."""
        self._is_closed = True
        if self._again is not None:
            self._again.cancel()
        self._hand_over()
        await asyncio.to_thread(self._writer.close)
        self._readers.shutdown()
        self._engine.dispose()
        self._reading.dispose()

    def _note_commit(self) -> None:
        self.commits += 1
        if self.commits % CHECKPOINT_EVERY == 0:
            self._start_checkpoint()

    def _start_checkpoint(self) -> None:
        with contextlib.suppress(RuntimeError):  # closed meanwhile: the last connection does it
            self._readers.submit(self._checkpoint)

    def _checkpoint(self) -> None:
        """Try again later if a long reader, such as a backup, is in the way: there may be no commit after it."""
        try:
            if not checkpoint(self._reading):
                self._call_soon(self._checkpoint_again)
        except Exception as error:  # harmless: the writer does it later, within a commit
            log.warning("a checkpoint failed", exc_info=error, extra={"action": "checkpoint_failed"})

    def _checkpoint_again(self) -> None:
        if self._again is None and not self._is_closed:
            assert self._loop is not None
            self._again = self._loop.call_later(CHECKPOINT_AGAIN_S, self._take_up_checkpoint)

    def _take_up_checkpoint(self) -> None:
        self._again = None
        self._start_checkpoint()

    def _call_soon(self, call: Callable[..., object], *arguments: object) -> None:
        """Call something on the event loop, from the writer thread."""
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is waiting
            self._loop.call_soon_threadsafe(call, *arguments)

    def _reply(self, writes: Writes) -> None:
        self._call_soon(self._deliver, writes)

    def _deliver(self, writes: Writes) -> None:
        committed = Changes()
        for write in writes:
            if write.error is None:
                committed.include(write.changes)
            elif isinstance(write.error, Unavailable):
                log.error("a write failed", exc_info=write.error.__cause__, extra={"action": "write_failed"})
            write.reply(write.result if write.error is None else write.error)
        if committed != Changes():
            for listener in self._listeners:
                listener(committed)


def _no_claim() -> None:
    return None


def _resolve(future: "asyncio.Future[T]", outcome: T | Exception) -> None:
    if future.done():  # the caller gave up
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
