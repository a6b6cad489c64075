"""Leadership on PostgreSQL: an advisory lock on the connection that writes, and a fence in each of its commits."""

import logging
import os
import socket
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from notifybot.errors import StartRefused

LEADER_LOCK = 7_046_029_254_386_353_132
"""Key of the advisory lock that the leading daemon holds."""
FREED_WITHIN = "3s"
"""Time to wait for the lock of a daemon that was just killed: the server frees it once it notices the closed
connection, or has finished its last statement."""
LOCK_REFUSED = "55P03"
"""SQLSTATE lock_not_available."""
log = logging.getLogger(__name__)

_TAKE = text("SELECT pg_advisory_lock(:key)")
_WITHIN = text("SELECT set_config('lock_timeout', :within, true)")
_MYSELF = text("SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()")
_HOLDER = text("""
    SELECT pid, backend_start, application_name
      FROM pg_locks JOIN pg_stat_activity USING (pid)
     WHERE locktype = 'advisory' AND granted AND objsubid = 1
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND classid::bigint << 32 | objid::bigint = :key
""")
_END_SESSION = text("SELECT pg_terminate_backend(:pid)")
_TERM_AND_BATCH = text("SELECT term, batch FROM bot")
_SEAL = text("""
    UPDATE bot SET batch = :batch
     WHERE term = :term AND pg_current_xact_id_if_assigned() IS NOT NULL
""")
_HAS_WRITTEN = text("SELECT pg_current_xact_id_if_assigned() IS NOT NULL")


class Deposed(Exception):
    """Another daemon leads now, so this one must not write any more."""


class HeldElsewhere(Exception):
    """Another session holds the lock but has not begun a term: it may be about to lead, or not."""


@dataclass(frozen=True)
class _Session:
    """A connection as the server identifies it. Process ids are reused, so the start time is part of it."""

    pid: int
    started_at: object


class Leadership:
    """Held from the first `connect` on, by the one connection that writes.

    If that connection breaks, the server frees the lock and rolls back, and `connect` finds out whether we still lead.

    From `begin_term` on, every commit that wrote something stores its term and number. So a daemon whose term is over
    cannot commit, no matter who holds the lock, and after a lost reply `was_committed` can tell the outcome.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._term: int | None = None
        self._batch = 0
        self._session: _Session | None = None
        self._waiting: Connection | None = None

    def hold(self) -> None:
        """Take the lock for the first time. Raises StartRefused while another daemon holds it."""
        self._waiting = self.connect()

    def begin_term(self, term: int) -> None:
        """Allow commits only in this term from now on."""
        self._term = term

    def connect(self) -> Connection:
        """Return a connection that holds the lock.

        Raises Deposed if another daemon leads now, HeldElsewhere if one may be about to, StartRefused if one leads and
        our term has not begun, and SQLAlchemy's errors.
        """
        if self._waiting is not None:
            connection, self._waiting = self._waiting, None
            return connection
        connection = self.engine.connect()
        try:
            with connection.begin():
                self._take_lock(connection)
            with connection.begin():
                self._check_term(connection)
                self._session = _Session(*connection.execute(_MYSELF).one())
        except BaseException:
            connection.invalidate()
            connection.close()
            raise
        return connection

    def seal(self, connection: Connection) -> int | None:
        """Store term and number in a transaction, last thing before its commit.

        Returns the number; None if the transaction wrote nothing, or no term has begun. Raises Deposed.
        """
        if self._term is None:
            return None
        self._batch += 1
        if connection.execute(_SEAL, {"batch": self._batch, "term": self._term}).rowcount:
            return self._batch
        if connection.execute(_HAS_WRITTEN).scalar():
            raise Deposed
        return None

    def was_committed(self, connection: Connection, batch: int) -> bool:
        """Return True if the transaction with this number was the last one committed."""
        with connection.begin():
            committed: int = connection.execute(_TERM_AND_BATCH).one().batch
        return committed == batch

    def release(self) -> None:
        """Close all connections; the server then frees the lock."""
        if self._waiting is not None:
            self._waiting.close()
        self.engine.dispose()

    def _take_lock(self, connection: Connection) -> None:
        if self._lock_is_free(connection):
            return
        holder = connection.execute(_HOLDER, {"key": LEADER_LOCK}).first()
        if holder is not None and _Session(holder.pid, holder.backend_start) == self._session:
            # Our own previous connection; the server has not noticed its end yet.
            connection.execute(_END_SESSION, {"pid": holder.pid})
            if self._lock_is_free(connection):
                return
        self._check_term(connection)
        if self._term is not None:
            raise HeldElsewhere
        who = "" if holder is None or not holder.application_name else f" ({holder.application_name})"
        raise StartRefused(
            f"Another daemon{who} leads on this database.",
            hint="Stop the other daemon first, or give this one its own database and socket.",
        )

    def _lock_is_free(self, connection: Connection) -> bool:
        """Try to take the lock, waiting for at most FREED_WITHIN."""
        try:
            with connection.begin_nested():
                connection.execute(_WITHIN, {"within": FREED_WITHIN})
                connection.execute(_TAKE, {"key": LEADER_LOCK})
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) != LOCK_REFUSED:
                raise
            return False
        return True

    def _check_term(self, connection: Connection) -> None:
        if self._term is not None and connection.execute(_TERM_AND_BATCH).one().term != self._term:
            raise Deposed


def own_name() -> str:
    """Return the application name of our sessions, which tells others who leads: at most 63 bytes of ASCII."""
    host = socket.gethostname().encode("ascii", "replace").decode()
    return f"process {os.getpid()} on {host}"[:63]
