"""Writer thread: commits all queued writes in one transaction, and determines the outcome if the connection drops."""

import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, RootTransaction

from notifybot.errors import Unavailable
from notifybot.storage.leadership import Deposed, Leadership
from notifybot.storage.same_file import FileReplaced, SameFile, file_replaced
from notifybot.storage.writer import Write, outcome_unknown, unavailable

log = logging.getLogger(__name__)

Writes = list[Write[Any]]
WRITES_PER_COMMIT = 500
CHECK_LEADERSHIP_EVERY_S = 5.0
CHECK_LEADERSHIP_EVERY_WHILE_BROKEN_S = 0.5
"""An idle writer checks this often whether it still leads, on PostgreSQL only."""


@dataclass(frozen=True)
class _Doubt:
    """A transaction whose connection broke during the commit; see Leadership.was_committed."""

    writes: Writes
    batch: int
    error: Exception


class WriterThread:
    """Owns the one connection that writes.

    `reply`, `on_commit` and `on_deposed` run in the thread: after a transaction with its writes, after a commit, and
    once another daemon leads on this database.
    """

    def __init__(
        self,
        engine: Engine,
        leadership: Leadership | None,
        same_file: SameFile | None,
        *,
        reply: Callable[[Writes], None],
        on_commit: Callable[[], None],
        on_deposed: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._leadership = leadership
        self._same_file = same_file
        self._reply = reply
        self._on_commit = on_commit
        self._on_deposed = on_deposed
        self._queue: queue.SimpleQueue[Writes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="database-writer", daemon=True)
        self._connection: Connection | None = None
        self._doubt: _Doubt | None = None
        self._is_out_of_reach = False

    def start(self) -> None:
        self._thread.start()

    def put(self, writes: Writes) -> None:
        self._queue.put(writes)

    def close(self) -> None:
        """Finish all writes that wait, then end the thread and close its connection."""
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join()
        if self._connection is not None:
            self._connection.close()

    def _run(self) -> None:
        is_open = True
        while is_open:
            writes, is_open = self._take()
            if not writes and self._leadership is not None:
                self._check_connection()
            if writes:
                self._commit(writes)
        if self._doubt is not None:
            self._refuse(self._doubt.writes, outcome_unknown(self._doubt.error))

    def _take(self) -> tuple[Writes, bool]:
        """Wait for writes and take all that are queued, none if it is time to check the connection.

        The second value is False once the thread is to end after these.
        """
        writes: Writes = []
        try:
            queued = self._queue.get(timeout=self._check_within_s())
        except queue.Empty:
            return writes, True
        while queued is not None:
            writes += queued
            if len(writes) >= WRITES_PER_COMMIT or self._queue.empty():
                return writes, True
            queued = self._queue.get()
        return writes, False

    def _check_within_s(self) -> float | None:
        if self._leadership is None:
            return None
        return CHECK_LEADERSHIP_EVERY_S if self._connection is not None else CHECK_LEADERSHIP_EVERY_WHILE_BROKEN_S

    def _commit(self, writes: Writes) -> None:
        """Run the writes in one transaction and reply; later, if it is not known yet whether it was committed.

        Work may run twice: if one write breaks the whole transaction, the others run again without it.
        """
        batch = None
        try:
            if self._same_file is not None:
                self._same_file.check()
            connection = self._connected()
            transaction = connection.begin()
            broken = _run_all(writes, connection, transaction)
            if broken is not None:
                self._commit_without(broken, writes)
                return
            batch = None if self._leadership is None else self._leadership.seal(connection)
            transaction.commit()
            if self._same_file is not None:
                self._same_file.pin()
        except FileReplaced as error:
            if self._same_file is not None:
                self._same_file.rescue(self._connection)
            self._refuse(writes, file_replaced(error))
            return
        except Exception as error:
            log.error("commit failed", exc_info=error, extra={"action": "commit_failed", "writes": len(writes)})
            self._discard_connection(error)
            if batch is not None:
                self._doubt = _Doubt(writes, batch, error)
                return
            for write in writes:
                write.error = unavailable(error)
        self._on_commit()
        self._reply(writes)

    def _commit_without(self, broken: Write[Any], writes: Writes) -> None:
        self._reply([broken])
        others = [write for write in writes if write is not broken]
        for write in others:
            write.reset()
        if others:
            self._commit(others)

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect() if self._leadership is None else self._leadership.connect()
            self._resolve_doubt(self._connection)
        return self._connection

    def _check_connection(self) -> None:
        """While idle: notice that another daemon leads, reconnect to a server that was away, and resolve a doubt."""
        try:
            connection = self._connected()
            with connection.begin():
                connection.exec_driver_sql("SELECT 1")
        except Exception as error:
            if not self._is_out_of_reach:  # log it once
                log.error("the database is out of reach", exc_info=error, extra={"action": "database_away"})
            self._is_out_of_reach = True
            self._discard_connection(error)
        else:
            self._is_out_of_reach = False

    def _resolve_doubt(self, connection: Connection) -> None:
        if self._doubt is None or self._leadership is None:
            return
        doubt = self._doubt
        was_committed = self._leadership.was_committed(connection, doubt.batch)
        self._doubt = None
        if was_committed:
            self._reply(doubt.writes)
        else:
            self._refuse(doubt.writes, unavailable(doubt.error))

    def _refuse(self, writes: Writes, error: Unavailable) -> None:
        for write in writes:
            write.error = error
        self._reply(writes)

    def _discard_connection(self, error: Exception) -> None:
        """Close the connection after a failure, since its state is unknown."""
        if isinstance(error, Deposed):
            log.error("another daemon leads on this database", extra={"action": "deposed"})
            self._on_deposed()
        connection, self._connection = self._connection, None
        if self._same_file is not None:
            self._same_file.unpin_log()
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.invalidate()
                connection.close()


def _run_all(writes: Writes, connection: Connection, transaction: RootTransaction) -> Write[Any] | None:
    """Run the writes of one transaction, the claim last. Returns the write that rolled it back, if one did."""
    asked_for = [write for write in writes if not write.claims]
    for write in asked_for:
        if len(asked_for) == 1:
            write.run_in_own_transaction(connection, transaction)
        else:
            write.run_in_savepoint(connection)
        if not transaction.is_active and not connection.invalidated:
            return write
    if any(write.changes.is_work_due for write in asked_for):
        for claim in (write for write in writes if write.claims):
            claim.run_in_savepoint(connection)
            claim.changes.is_claimed = claim.error is None
            if not transaction.is_active and not connection.invalidated:
                return claim
    return None
