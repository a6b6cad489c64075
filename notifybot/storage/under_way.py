"""Work that can end the process (memory, a bug in a parser): marked while it is under way, given up after MAX_DEATHS.

After a death, work that was marked is suspected. A single suspect gets the blame. Of several, none does: each runs
alone from then on, while other marked work waits, so the next death tells which one it was. Work that finishes is
cleared. So a kill from outside blames nothing that can finish: it would have to hit the same work alone three times in
a row.

Small work is not marked and never waits.
"""

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial

from sqlalchemy import delete
from sqlmodel import Session, col, select

from notifybot import __version__
from notifybot.errors import NotifybotError, Unavailable
from notifybot.model.deaths import Death
from notifybot.storage.database import Database
from notifybot.storage.statements import affected
from notifybot.system.marks import Marks

MAX_DEATHS = 3
ALONE_WITHIN_S = 10.0
"""What waits longer to be alone, or for what is, goes on beside it: a death then blames neither."""
KEPT_FOR = timedelta(days=30)
log = logging.getLogger(__name__)


class WorkKind(StrEnum):
    TEXT = "text"
    """Parsing and laying out a long text, for any message that says it."""
    TEMPLATE = "template"
    UPLOAD = "upload"
    """Looking into a stored file."""
    UPDATE = "update"
    """Handling an update from Telegram."""
    JOB = "job"


KINDS = frozenset(map(str, WorkKind))
_DURING = {
    WorkKind.TEXT: "preparing this message",
    WorkKind.TEMPLATE: "filling in this template with this data",
    WorkKind.UPLOAD: "looking into this file",
    WorkKind.UPDATE: "handling this update",
    WorkKind.JOB: "running this job",
}
_WARNINGS = {
    WorkKind.TEXT: "preparing a message. It was given up; an alert goes out as plain text.",
    WorkKind.TEMPLATE: "filling in a template. That template with that data is refused.",
    WorkKind.UPLOAD: "looking into a file. That file is refused.",
    WorkKind.UPDATE: "handling an update from Telegram. That update is parked.",
}
_TIMES = {1: "once", 2: "twice", 3: "three times"}


@dataclass(frozen=True)
class Work:
    """One piece of work; `key` has at most 100 characters of ASCII."""

    kind: WorkKind
    key: str


def text_work(content: str, parse_mode: str | None) -> Work:
    """Return the work on a text. Its key is what it says: sent again, it is the same work."""
    return Work(WorkKind.TEXT, digest(parse_mode or "", content))


def digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()


class DiedBefore(NotifybotError):
    """The process died MAX_DEATHS times during this work."""

    title = "This ended notifybot before"

    def __init__(self, work: Work, deaths: int) -> None:
        super().__init__(
            f"notifybot died {_TIMES.get(deaths, f'{deaths} times')} while {_DURING[work.kind]}.",
            hint="Change it, or send less at once. The log says when notifybot died; please report it.",
        )


class UnderWay:
    """The marked work of this process, and the deaths of earlier ones."""

    def __init__(self, marks: Marks, database: Database) -> None:
        self._marks = marks
        self._database = database
        self._deaths: dict[Work, int] = {}
        self._busy = 0
        """Marked work under way."""
        self._suspects = 0
        """Suspects under way, or waiting to be alone."""
        self._freed = asyncio.Event()

    async def take_over(self, *, now: datetime) -> None:
        """Count the death of the last process, if it died, and begin afresh. Call once this one leads."""
        suspects = tuple(dict.fromkeys(_works(self._marks.left)))
        note = partial(note_deaths, suspects=suspects, process=self._marks.process, now=now)
        self._deaths = await self._database.write(note)
        self._marks.begin()
        for work in suspects:
            facts = {"action": "died_during", "kind": str(work.kind), "key": work.key, "deaths": self.deaths_of(work)}
            log.warning("the last process died while this was under way", extra=facts)

    def deaths_of(self, work: Work) -> int:
        return self._deaths.get(work, 0)

    @contextlib.asynccontextmanager
    async def working_on(self, work: Work) -> AsyncIterator[None]:
        """Mark work while it is under way. Raises DiedBefore instead of beginning what ended MAX_DEATHS processes."""
        if (deaths := self.deaths_of(work)) >= MAX_DEATHS:
            raise DiedBefore(work, deaths)
        async with self.marked(work):
            yield

    @contextlib.asynccontextmanager
    async def marked(self, work: Work) -> AsyncIterator[None]:
        """Mark work that is never given up. Marked work must not wait for other marked work."""
        async with self._turn(is_suspect=work in self._deaths):
            slot, is_over = self._marks.set(f"{work.kind} {work.key}"), True
            try:
                yield
            except asyncio.CancelledError:
                is_over = False
                raise
            finally:
                self._marks.clear(slot)
                if is_over and work in self._deaths:
                    await self.forgive(work)

    async def forgive(self, work: Work) -> None:
        """Forget the deaths during this work: it has finished, or somebody wants it tried again."""
        if self._deaths.pop(work, None) is not None:
            with contextlib.suppress(Unavailable):  # the row is only worth something if it dies again
                await self._database.write(partial(forget, work=work))

    def warnings(self) -> list[str]:
        """Return a sentence for each kind of work that was given up."""
        found = [work.kind for work, deaths in self._deaths.items() if deaths >= MAX_DEATHS]
        return [
            f"notifybot died three times while {words}" + (f" ({count} of these.)" if count > 1 else "")
            for kind, words in _WARNINGS.items()
            if (count := found.count(kind))
        ]

    def close(self) -> None:
        self._marks.close()

    @contextlib.asynccontextmanager
    async def _turn(self, *, is_suspect: bool) -> AsyncIterator[None]:
        """Let a suspect be the only marked work under way."""
        self._suspects += is_suspect
        try:
            await self._wait(is_suspect=is_suspect)
            self._busy += 1
            try:
                yield
            finally:
                self._busy -= 1
        finally:
            self._suspects -= is_suspect
            self._freed.set()

    async def _wait(self, *, is_suspect: bool) -> None:
        if not self._must_wait(is_suspect=is_suspect):
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ALONE_WITHIN_S):
                while self._must_wait(is_suspect=is_suspect):
                    self._freed.clear()
                    await self._freed.wait()

    def _must_wait(self, *, is_suspect: bool) -> bool:
        return bool(self._busy if is_suspect else self._suspects)


def _works(marks: Iterable[str]) -> Iterable[Work]:
    for mark in marks:
        kind, _, key = mark.partition(" ")
        if kind in KINDS and key:
            yield Work(WorkKind(kind), key)


def note_deaths(session: Session, suspects: Sequence[Work], process: str, *, now: datetime) -> dict[Work, int]:
    """Count the death of a process, once; return all counts. Only a suspect that was alone is blamed."""
    affected(session, delete(Death).where(col(Death.version) != __version__))
    if suspects:
        was_cleared = (col(Death.count) == 0, col(Death.process) != process)
        affected(session, delete(Death).where(*was_cleared))
    for work in suspects:
        row = session.get(Death, (work.kind, work.key))
        if row is None:
            row = Death(kind=work.kind, key=work.key, process="", version=__version__, last_at=now)
        if row.process != process:
            row.count += len(suspects) == 1
            row.process, row.last_at = process, now
            session.add(row)
    session.flush()
    return {Work(WorkKind(row.kind), row.key): row.count for row in session.exec(select(Death))}


def forget(session: Session, work: Work) -> None:
    affected(session, delete(Death).where(col(Death.kind) == work.kind, col(Death.key) == work.key))


def forget_old(session: Session, *, now: datetime) -> int:
    """Delete counts that have not grown for KEPT_FOR; return how many."""
    return affected(session, delete(Death).where(col(Death.last_at) < now - KEPT_FOR))
