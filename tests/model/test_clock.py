"""Each stored time either moves with a step of the clock or says why not."""

from collections import Counter

from sqlalchemy import Table
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import UTCDateTime

import notifybot.model.chats
import notifybot.model.deaths
import notifybot.model.messages
import notifybot.model.people
import notifybot.model.schedules  # noqa: F401
from notifybot.model.clock import MOVING, STAYING


def time_columns() -> set[str]:
    tables: list[Table] = list(SQLModel.metadata.tables.values())
    return {str(column) for table in tables for column in table.c if isinstance(column.type, UTCDateTime)}


def test_every_time_column_is_classified() -> None:
    moving = {f"{each.table}.{name}" for each in MOVING for name in each.columns}
    staying = {f"{table}.{name}" for table, columns in STAYING.items() for name in columns}
    assert moving | staying == time_columns()


def test_a_column_moves_in_some_rows_and_stays_in_others_only_under_a_condition() -> None:
    for each in MOVING:
        for name in each.columns:
            assert name not in STAYING.get(each.table, {}) or each.condition != "1 = 1", f"{each.table}.{name}"


def test_a_column_that_moves_under_two_conditions_is_named_twice_only_where_they_exclude_each_other() -> None:
    times = Counter(f"{each.table}.{name}" for each in MOVING for name in each.columns)
    twice = {name for name, count in times.items() if count > 1}
    assert twice == {f"messages.{name}" for name in ("send_at", "release_at", "escalate_at", "close_at", "remind_at")}
