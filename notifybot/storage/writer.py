"""A unit of work for the writer thread: its session, its changes, and the reply to its caller."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from sqlalchemy import Connection, Dialect, RootTransaction
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from notifybot.errors import Unavailable
from notifybot.model.enums import Deadline

T = TypeVar("T")
Settle = Callable[[T | Exception], None]
"""Called on the event loop with what a work returned, or with what it raised."""
LATER = "Try again in a moment. If it goes on, look at the disk space and at the daemon's log."


@dataclass
class Changes:
    """What a transaction makes known, after its commit, to those who wait for it. Core functions fill it in."""

    messages: set[str] = field(default_factory=set)
    """Whose state or deliveries changed."""
    is_work_due: bool = False
    """A post may be due: the dispatcher looks."""
    deadlines: dict[Deadline, datetime] = field(default_factory=dict)
    """The earliest new one of each kind: its job looks."""

    def note_deadline(self, of: Deadline, moment: datetime | None) -> None:
        if moment is not None and (of not in self.deadlines or moment < self.deadlines[of]):
            self.deadlines[of] = moment

    def include(self, other: "Changes") -> None:
        self.messages |= other.messages
        self.is_work_due |= other.is_work_due
        for of, moment in other.deadlines.items():
            self.note_deadline(of, moment)


def changes(session: Session) -> Changes:
    """The notes of the transaction that `session` belongs to."""
    noted: Changes = session.info.setdefault("changes", Changes())
    return noted


@dataclass
class Write(Generic[T]):
    """One work and whoever waits for it; `settle` hears of its end."""

    work: Callable[[Session], T]
    settle: Settle[T]
    result: T | None = None
    error: Exception | None = None
    changes: Changes = field(default_factory=Changes)

    def run_alone(self, connection: Connection, transaction: RootTransaction) -> None:
        """Do the work in a transaction that nobody shares: a refusal takes back all of it."""
        self._work(connection)
        if self.error is not None and transaction.is_active:
            transaction.rollback()

    def run(self, connection: Connection) -> None:
        """Do the work in a savepoint of its own, so that a refusal takes back this job alone."""
        driver = connection.connection.cursor()  # SQLAlchemy's own savepoints cost ten times as much
        driver.execute("SAVEPOINT work")
        self._work(connection)
        if self.error is not None:
            if not connection.in_transaction():
                return  # a flush that fails rolls back everything, not only its own work
            driver.execute("ROLLBACK TO SAVEPOINT work")
        driver.execute("RELEASE SAVEPOINT work")

    def _work(self, connection: Connection) -> None:
        # In this mode closing the session leaves transaction and savepoint alone.
        with Session(connection, join_transaction_mode="rollback_only", expire_on_commit=False) as session:
            try:
                self.result = self.work(session)
                session.flush()
                self.changes = changes(session)
            except Exception as error:  # noqa: BLE001 - handed to the caller, who waits for it
                self.error = unavailable(error) if is_database_error(error, connection.dialect) else error

    def begin_anew(self) -> None:
        """Forget what `run` did: its transaction was rolled back for the sake of another job."""
        self.result, self.error, self.changes = None, None, Changes()


def is_database_error(error: BaseException, dialect: Dialect) -> bool:
    """Return whether the database failed, not the work: SQLAlchemy's error or the driver's own."""
    return isinstance(error, SQLAlchemyError | dialect.loaded_dbapi.Error)


def unavailable(error: BaseException) -> Unavailable:
    refusal = Unavailable(
        "The database could not keep this; nothing was accepted.",
        hint=LATER,
    )
    refusal.__cause__ = error
    return refusal


def outcome_unknown(error: BaseException) -> Unavailable:
    refusal = Unavailable(
        "The database broke off while this was being kept, and did not come back: it may have been accepted.",
        hint="Look for it in GET /api/messages, or repeat the request with the client_id that it had.",
    )
    refusal.__cause__ = error
    return refusal
