"""Refusals on PostgreSQL: one message that breaks its batch, and everything while a table is locked."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from notifybot.storage import settings
from tests.support.databases import PostgresStore
from tests.support.door import URL_FILE, Door, assert_problem, door, open_folder


@pytest.fixture
def folder(store: PostgresStore) -> Iterator[Path]:
    with open_folder() as made:
        (made / URL_FILE).write_text(store.url)
        yield made


@contextlib.asynccontextmanager
async def locked(store: PostgresStore) -> AsyncIterator[None]:
    """Lock a table, like an operator's manual migration."""
    with store.server.connected(store.name) as other, other.transaction():
        other.execute("LOCK TABLE messages")
        yield


async def test_one_message_that_breaks_its_batch_is_refused_alone(folder: Path, store: PostgresStore) -> None:
    async with door(folder) as opened:
        with store.refuse("INSERT ON messages", only="NEW.content = 'poison'"):
            texts = ["fine", "poison", "fine", "fine", "poison", "fine"] * 5
            answers = await asyncio.gather(*(opened.ingest(content=said) for said in texts))
        assert [answer.status for answer in answers] == [503 if said == "poison" else 202 for said in texts]
        assert (await opened.kept())["messages"] == texts.count("fine")


async def test_while_a_table_is_locked_callers_get_503_until_it_is_free(
    folder: Path, store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "LOCKED_WITHIN_S", 0.05)
    async with door(folder) as opened:
        async with locked(store):
            for answer in await asyncio.gather(*(opened.ingest(client_id="during") for _ in range(5))):
                found = assert_problem(answer, 503)
                assert answer.headers["retry-after"] == "1"
                assert "nothing was accepted" in found["detail"]
        await accepted(opened)
        assert (await opened.kept())["messages"] == 1


async def accepted(opened: Door) -> None:
    again = await opened.ingest(client_id="during")
    assert (again.status, again.json["duplicate"]) == (202, False)
