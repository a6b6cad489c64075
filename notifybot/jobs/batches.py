"""Process due rows: many per transaction, and one by one to isolate a poison row."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlmodel import Session

from notifybot.health import job_failures
from notifybot.runtime import Runtime
from notifybot.storage.due import Due, DueRow
from notifybot.system.logs import reason_of

BATCH_ROWS = 100
"""Small enough to let callers in between batches."""
SHRINK_FACTOR = 10
"""A batch shrinks by this after a failure, and doubles after each success."""
PUT_OFF = timedelta(minutes=10)
MAX_PUT_OFF = 50
"""Per run. If more rows fail, the rows are hardly to blame, and the run fails."""
log = logging.getLogger(__name__)


class BatchWork(Protocol):
    """Process at most `limit` due rows, the longest overdue first, by `due.overdue`; return how many."""

    def __call__(self, session: Session, *, now: datetime, limit: int) -> int: ...


class RowUnchanged(Exception):
    """A row was processed and is still due: it would be retried forever."""


class PoisonRow(Exception):
    """The work failed with this row first in its batch; the cause says why."""

    def __init__(self, row: DueRow) -> None:
        super().__init__(row.key)
        self.row = row


async def process_due(runtime: Runtime, job: str, due: Due, work: BatchWork) -> int:
    """Process all rows that were due when the run started; return how many.

    A row that makes the work fail, or that stays due, is put off by PUT_OFF and does not block the others. Raises
    errors that are not a row's fault: an unusable database, or a failure of more than MAX_PUT_OFF rows.
    """
    total, limit, put_offs_left = 0, BATCH_ROWS, MAX_PUT_OFF
    while True:
        now = runtime.job_status.running.get(job) or runtime.clock.now()  # it follows a step of the clock
        try:
            done = await runtime.database.write(_Batch(due, work, now, limit))
        except PoisonRow as poison:
            if put_offs_left == 0 or runtime.database.is_down(poison):
                raise _cause(poison) from poison
            if limit == 1:
                await put_off(runtime, job, due, poison, now=now)
                put_offs_left -= 1
            limit = max(1, limit // SHRINK_FACTOR)
        else:
            if done is None:
                return total
            total, limit = total + done, min(2 * limit, BATCH_ROWS)


@dataclass(frozen=True)
class _Batch:
    """One transaction. Returns how many rows it processed, or None if none is due."""

    due: Due
    work: BatchWork
    now: datetime
    limit: int

    def __call__(self, session: Session) -> int | None:
        first = self.due.longest_overdue(session, now=self.now)
        if first is None:
            return None
        try:
            done = self.work(session, now=self.now, limit=self.limit)
            session.flush()
        except Exception as error:
            raise PoisonRow(first) from error
        if self.due.longest_overdue(session, now=self.now) == first:
            raise PoisonRow(first) from RowUnchanged(f"{first.key} is still due")
        return done


async def put_off(runtime: Runtime, job: str, due: Due, poison: PoisonRow, *, now: datetime) -> None:
    """Postpone the row and record it, unless someone else has moved it."""
    row, cause, until = poison.row, _cause(poison), now + PUT_OFF
    name, reason = f"{due.table.name} {row.key}", reason_of(cause)

    def move(session: Session) -> bool:
        is_moved = due.postpone(session, row, until=until)
        if is_moved:
            job_failures.note_put_off(session, job, name, reason, now=now, until=until)
        return is_moved

    if await runtime.database.write(move):
        facts = {"action": "put_off", "job": job, "table": due.table.name, "row": row.key}
        log.error("a row cannot be processed and was put off", exc_info=cause, extra=facts)
        runtime.job_status.put_off[job] = f"cannot process a row ({name}): {reason}"


def _cause(poison: PoisonRow) -> BaseException:
    assert poison.__cause__ is not None
    return poison.__cause__
