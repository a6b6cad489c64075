"""Baselines of the benchmarks: they fill the same tables as the daemon."""

from pathlib import Path

import pytest

from benchmarks.load.filling import furnish
from benchmarks.load.plain_stores import Kind, new_store
from tests.support.databases import SqliteTemplate


@pytest.mark.parametrize("kind", [Kind.SQL, Kind.ORM])
async def test_a_baseline_stores_an_alert(kind: Kind, sqlite_template: SqliteTemplate, tmp_path: Path) -> None:
    database = sqlite_template.copy(tmp_path)
    furnish(database.url, ["-100"])

    with new_store(kind, database.url) as store:
        await store.keep("-100", "Disk full")

    assert database.rows("SELECT content, chat_id FROM messages, posts") == [("Disk full", "-100")]
