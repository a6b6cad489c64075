"""A write: work for the writer thread with its session, its changes and the reply to its caller."""

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
Reply = Callable[[T | Exception], None]
"""Called on the event loop with the result of a work, or with its error."""
LATER = "Try again in a moment. If it happens again, check the disk space and the daemon's log."


@dataclass
class Changes:
    """Changes of a transaction, filled in by core functions and published to listeners after its commit."""

    messages: set[str] = field(default_factory=set)
    """Ids of messages whose state or deliveries changed."""
    is_work_due: bool = False
    """A post may be due: wakes the dispatcher."""
    is_call_over: bool = False
    """The outcome of a call is recorded."""
    is_claimed: bool = False
    """What is due was claimed in the same transaction (`Write.claims`)."""
    deadlines: dict[Deadline, datetime] = field(default_factory=dict)
    """Earliest new deadline of each kind: reschedules its job."""

    def note_deadline(self, of: Deadline, moment: datetime | None) -> None:
        if moment is not None and (of not in self.deadlines or moment < self.deadlines[of]):
            self.deadlines[of] = moment

    def include(self, other: "Changes") -> None:
        self.messages |= other.messages
        self.is_work_due |= other.is_work_due
        self.is_call_over |= other.is_call_over
        self.is_claimed |= other.is_claimed
        for of, moment in other.deadlines.items():
            self.note_deadline(of, moment)


def changes(session: Session) -> Changes:
    """Return the changes of the transaction that `session` belongs to."""
    noted: Changes = session.info.setdefault("changes", Changes())
    return noted


@dataclass
class Write(Generic[T]):
    """Work for the next transaction. `reply` is called with its result or error.

    One that `claims` runs after the others of its transaction, and only if they made something due; else its result is
    None.
    """

    work: Callable[[Session], T]
    reply: Reply[T]
    claims: bool = False
    result: T | None = None
    error: Exception | None = None
    changes: Changes = field(default_factory=Changes)

    def run_in_own_transaction(self, connection: Connection, transaction: RootTransaction) -> None:
        """Run the work as the only one of a transaction, which an error rolls back."""
        self._run(connection)
        if self.error is not None and transaction.is_active:
            transaction.rollback()

    def run_in_savepoint(self, connection: Connection) -> None:
        """Run the work in a savepoint, so that an error rolls back this work alone."""
        driver = connection.connection.cursor()  # SQLAlchemy's own savepoints cost ten times as much
        driver.execute("SAVEPOINT work")
        self._run(connection)
        if self.error is not None:
            if not connection.in_transaction():
                return  # a failed flush rolls back the whole transaction
            driver.execute("ROLLBACK TO SAVEPOINT work")
        driver.execute("RELEASE SAVEPOINT work")

    def _run(self, connection: Connection) -> None:
        # In this mode closing the session leaves transaction and savepoint alone.
        with Session(connection, join_transaction_mode="rollback_only", expire_on_commit=False) as session:
            try:
                self.result = self.work(session)
                session.flush()
                self.changes = changes(session)
            except Exception as error:  # noqa: BLE001 - passed on to the caller
                self.error = unavailable(error) if is_database_error(error, connection.dialect) else error

    def reset(self) -> None:
        """Forget the outcome: the transaction was rolled back because of another write."""
        self.result, self.error, self.changes = None, None, Changes()


def is_database_error(error: BaseException, dialect: Dialect) -> bool:
    """Return True if the database failed, not the work: SQLAlchemy's error or the driver's own."""
    return isinstance(error, SQLAlchemyError | dialect.loaded_dbapi.Error)


def unavailable(error: BaseException) -> Unavailable:
    refusal = Unavailable("The database could not store this; nothing was accepted.", hint=LATER)
    refusal.__cause__ = error
    return refusal


def outcome_unknown(error: BaseException) -> Unavailable:
    refusal = Unavailable(
        "The connection to the database broke during the commit and did not come back: this may have been accepted.",
        hint="Check GET /api/messages, or repeat the request with the same client_id.",
    )
    refusal.__cause__ = error
    return refusal
