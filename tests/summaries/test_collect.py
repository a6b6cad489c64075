"""Summaries read only the rows of their period, not the whole history."""

from datetime import timedelta
from functools import partial

import pytest

from notifybot.storage.database import Database
from notifybot.summaries import collect, plan
from notifybot.summaries.facts import Period
from tests.storage.test_query_plans import NOW, explain, fill

pytestmark = pytest.mark.sqlite_only(reason="reads the plans of SQLite")
DAY = Period(NOW - timedelta(hours=12), NOW + timedelta(hours=12))


@pytest.mark.parametrize("readers", [None, ["anna", "bob"]], ids=["everything", "people"])
async def test_facts_are_read_through_indexes(database: Database, readers: list[str] | None) -> None:
    await database.write(fill)
    asked = await explain(database, partial(collect.collect, readers=readers, period=DAY, with_arrivals=True))
    assert asked.whole_tables() == {}
    for index in ("messages_sent_later", "messages_answered", "messages_open"):
        assert asked.uses(index), asked.plans


async def test_due_summaries_are_read_through_an_index(database: Database) -> None:
    asked = await explain(database, partial(plan.due, now=NOW, limit=50))
    assert asked.whole_tables() == {}
    assert asked.uses("summary_plans_due"), asked.plans
