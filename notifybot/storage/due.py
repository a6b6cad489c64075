"""Due rows of a job: find them, find the next due time, postpone a poison row."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from sqlalchemy import Column, Integer, Select, Table, bindparam, func, select, text, update
from sqlmodel import Session

from notifybot.storage.statements import affected, fetch


class DueRow(NamedTuple):
    """Key of a due row, and the time it became due."""

    key: str
    at: datetime


@dataclass(frozen=True)
class Due:
    """Rows that one job processes: those of `table` that meet `condition`, once the time in their column `at` has come.

    A partial index on `at` has the same condition. `key` is the primary key, a text.
    """

    table: Table
    at: str
    condition: str
    key: str = "id"

    @property
    def _at(self) -> Column[datetime]:
        return self.table.c[self.at]

    @cached_property
    def overdue(self) -> Select[tuple[str]]:
        """Query for the keys of due rows, the longest overdue first. Its parameters are `moment` and `limit`."""
        moment = bindparam("moment", type_=self._at.type)
        is_due = (text(self.condition), self._at <= moment)
        limit = bindparam("limit", type_=Integer())
        return select(self.table.c[self.key]).where(*is_due).order_by(self._at).limit(limit)

    @cached_property
    def _longest_overdue(self) -> Select[Any]:
        return self.overdue.with_only_columns(self.table.c[self.key].label("key"), self._at.label("at"))

    @cached_property
    def _earliest(self) -> Select[Any]:
        return select(func.min(self._at, type_=self._at.type).label("at")).where(text(self.condition))

    def longest_overdue(self, session: Session, *, now: datetime) -> DueRow | None:
        """Return the row that is overdue longest, which a job takes first."""
        found = fetch(session, self._longest_overdue, moment=now, limit=1)
        return DueRow(found[0].key, found[0].at) if found else None

    def next_at(self, session: Session) -> datetime | None:
        """Return the earliest due time, even if it is past."""
        earliest: datetime | None = fetch(session, self._earliest)[0].at
        return earliest

    def postpone(self, session: Session, row: DueRow, *, until: datetime) -> bool:
        """Move the due time of one row; return False if the row changed meanwhile."""
        is_same = (self.table.c[self.key] == row.key, self._at == row.at, text(self.condition))
        return affected(session, update(self.table).where(*is_same).values({self.at: until})) == 1
