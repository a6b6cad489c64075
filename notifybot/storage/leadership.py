"""Who leads on PostgreSQL: an advisory lock on the connection that writes, and a fence in each of its commits."""

import logging
import os
import socket
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from notifybot.errors import StartRefused

LEADER_LOCK = 7_046_029_254_386_353_132
"""The key of the advisory lock that a daemon holds for as long as it leads."""
FREED_WITHIN = "3s"
"""A daemon that was killed has left the lock by then: the server notices its closed connection at once, or ends what
it was doing for it."""
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
    """Another daemon has led since: this one may write no more."""


class HeldElsewhere(Exception):
    """Another session holds the lock, and has begun no term yet: whether it will is not known."""


@dataclass(frozen=True)
class _Session:
    """One connection as the server sees it; process ids come back, so the start belongs to it."""

    pid: int
    started_at: object


class Leadership:
    """Held from the first `connect` on. Only its own connection writes, and that one holds the lock: where it breaks,
    the server frees the lock and takes back what was not committed, and `connect` finds out whether we still lead.

    From `begin_term` on every commit that wrote something carries the term and a number, so that a daemon whose term
    is over cannot commit, whatever became of locks, and so that after a commit whose answer was lost it can be told
    whether it was kept.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._term: int | None = None
        self._batch = 0
        self._session: _Session | None = None
        self._waiting: Connection | None = None

    def hold(self) -> None:
        """Take the lock for the first time. Raises StartRefused while another daemon has it."""
        self._waiting = self.connect()

    def begin_term(self, term: int) -> None:
        """From now on nothing is committed but in this term."""
        self._term = term

    def connect(self) -> Connection:
        """A connection that holds the lock. Raises Deposed where another daemon has led since, HeldElsewhere where one
        may be about to, StartRefused where one leads and we have not begun, and what SQLAlchemy raises."""
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
        """Fence a transaction, last thing before its commit. Returns its number; None where it wrote nothing, or no
        term has begun. Raises Deposed."""
        if self._term is None:
            return None
        self._batch += 1
        if connection.execute(_SEAL, {"batch": self._batch, "term": self._term}).rowcount:
            return self._batch
        if connection.execute(_HAS_WRITTEN).scalar():
            raise Deposed
        return None

    def was_kept(self, connection: Connection, batch: int) -> bool:
        """Whether the last transaction that was sealed is in the database."""
        with connection.begin():
            kept: int = connection.execute(_TERM_AND_BATCH).one().batch
        return kept == batch

    def release(self) -> None:
        """Close what is open; the server frees the lock."""
        if self._waiting is not None:
            self._waiting.close()
        self.engine.dispose()

    def _take_lock(self, connection: Connection) -> None:
        if self._lock_is_free(connection):
            return
        holder = connection.execute(_HOLDER, {"key": LEADER_LOCK}).first()
        if holder is not None and _Session(holder.pid, holder.backend_start) == self._session:
            # Our own connection of before, whose end the server has not noticed yet.
            connection.execute(_END_SESSION, {"pid": holder.pid})
            if self._lock_is_free(connection):
                return
        self._check_term(connection)
        if self._term is not None:
            raise HeldElsewhere
        who = "" if holder is None or not holder.application_name else f" ({holder.application_name})"
        raise StartRefused(
            f"Another daemon{who} leads on this database.",
            hint="Stop the other daemon first, or give this one a database and a socket of its own.",
        )

    def _lock_is_free(self, connection: Connection) -> bool:
        """Take the lock, and wait for it for FREED_WITHIN."""
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
    """How the server names our sessions, and so how another daemon learns who leads; at most 63 bytes of ASCII."""
    host = socket.gethostname().encode("ascii", "replace").decode()
    return f"process {os.getpid()} on {host}"[:63]
