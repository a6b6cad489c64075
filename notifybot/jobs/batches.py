"""How a job works off rows: many in a transaction, and one by one where one of them is in the way of the others."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlmodel import Session

from notifybot.health import job_failures
from notifybot.jobs.failures import reason_of
from notifybot.runtime import Runtime
from notifybot.storage.due import Due, DueRow

BATCH_ROWS = 100
"""Short enough to let callers through."""
SHRINK_FACTOR = 10
"""After a failure a transaction takes so many times fewer rows, and after each success twice as many."""
PUT_OFF = timedelta(minutes=10)
MAX_PUT_OFF = 50
"""In one tick: where more fail, it is hardly the rows' fault, and the tick fails."""
log = logging.getLogger(__name__)


class BatchWork(Protocol):
    """Do at most `most` of what is due, the longest overdue first, by `due.overdue`; return how much that was."""

    def __call__(self, session: Session, *, now: datetime, most: int) -> int: ...


class RowUnchanged(Exception):
    """A row was taken and is as due as before: it would be taken for ever."""


class PoisonRow(Exception):
    """The work failed, and this was its first row; the cause says why."""

    def __init__(self, row: DueRow) -> None:
        super().__init__(row.key)
        self.row = row


async def process_due(runtime: Runtime, job: str, due: Due, work: BatchWork, *, now: datetime) -> int:
    """Do all that is due at `now`; return how much that was.

    A row that makes the work fail, or that the work leaves as it was, is put off by PUT_OFF and holds up no other.
    Raises what any row would meet: a database that keeps nothing, or a fault that MOST_PUT_OFF rows have met.
    """
    total, most, left = 0, BATCH_ROWS, MAX_PUT_OFF
    while True:
        try:
            done = await runtime.database.write(_Batch(due, work, now, most))
        except PoisonRow as spoiled:
            if left == 0 or runtime.database.is_down(spoiled):
                raise _cause(spoiled) from spoiled
            if most == 1:
                await put_off(runtime, job, due, spoiled, now=now)
                left -= 1
            most = max(1, most // SHRINK_FACTOR)
        else:
            if done is None:
                return total
            total, most = total + done, min(2 * most, BATCH_ROWS)


@dataclass(frozen=True)
class _Batch:
    """One transaction's worth: how much was done; None where nothing is due any more."""

    due: Due
    work: BatchWork
    now: datetime
    most: int

    def __call__(self, session: Session) -> int | None:
        first = self.due.longest_overdue(session, now=self.now)
        if first is None:
            return None
        try:
            done = self.work(session, now=self.now, most=self.most)
            session.flush()
        except Exception as error:
            raise PoisonRow(first) from error
        if self.due.longest_overdue(session, now=self.now) == first:
            raise PoisonRow(first) from RowUnchanged(f"{first.key} is as due as before")
        return done


async def put_off(runtime: Runtime, job: str, due: Due, spoiled: PoisonRow, *, now: datetime) -> None:
    """Move the row out of the way of the others, and note it; unless somebody else has moved it."""
    row, cause, until = spoiled.row, _cause(spoiled), now + PUT_OFF
    named, reason = f"{due.table.name} {row.key}", reason_of(cause)

    def move(session: Session) -> bool:
        is_moved = due.postpone(session, row, until=until)
        if is_moved:
            job_failures.note_put_off(session, job, named, reason, now=now, until=until)
        return is_moved

    if await runtime.database.write(move):
        facts = {"action": "put_off", "job": job, "table": due.table.name, "row": row.key}
        log.error("a row cannot be worked on and was put off", exc_info=cause, extra=facts)
        runtime.progress.put_off[job] = f"cannot work on a row ({named}): {reason}"


def _cause(spoiled: PoisonRow) -> BaseException:
    assert spoiled.__cause__ is not None
    return spoiled.__cause__
