"""What happens while the database can keep nothing: callers are told to come again, and later all is well."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlmodel import Session

from notifybot.routes import about
from tests.door.door import Answer, Door, assert_problem, door


@pytest.fixture(autouse=True)
def quiet_log() -> None:
    """Here the log has something to say."""


def assert_come_again(answer: Answer) -> None:
    found = assert_problem(answer, 503)
    assert answer.headers["retry-after"] == "1"
    assert "nothing was accepted" in found["detail"]
    assert "hint" in found


async def tell_the_writer(opened: Door, pragma: str) -> None:
    """Change a setting of the one connection that writes."""

    def change(session: Session) -> None:
        session.connection().connection.cursor().execute(f"PRAGMA {pragma}")

    await opened.daemon.runtime.database.write(change)


@contextlib.asynccontextmanager
async def refusing_rows(folder: Path) -> AsyncIterator[None]:
    """No message can be inserted."""
    file = folder / "data/notifybot.sqlite3"
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("CREATE TRIGGER refuse BEFORE INSERT ON messages BEGIN SELECT RAISE(ABORT, 'no'); END")
        yield
        other.execute("DROP TRIGGER refuse")


@contextlib.asynccontextmanager
async def full(opened: Door) -> AsyncIterator[None]:
    """The database may not grow, and what room it had is used up."""
    await tell_the_writer(opened, "max_page_count = 1")  # the least it takes is what there is
    for _ in range(1000):
        if (await opened.ingest(content="y" * 20_000)).status == 503:
            break
    yield
    await tell_the_writer(opened, "max_page_count = 1000000")


@contextlib.asynccontextmanager
async def locked(opened: Door, folder: Path) -> AsyncIterator[None]:
    """Another program writes, and does not stop."""
    await tell_the_writer(opened, "busy_timeout = 50")
    with contextlib.closing(sqlite3.connect(folder / "data/notifybot.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextlib.asynccontextmanager
async def trouble(kind: str, opened: Door, folder: Path) -> AsyncIterator[None]:
    found = {
        "full": full(opened),
        "locked": locked(opened, folder),
        "refusing": refusing_rows(folder),
    }
    async with found[kind]:
        yield


KINDS = ["full", "locked", "refusing"]


@pytest.mark.parametrize("kind", KINDS)
async def test_nothing_is_kept_and_later_all_is_well(folder: Path, kind: str) -> None:
    async with door(folder) as opened:
        assert (await opened.ingest(client_id="before")).status == 202
        async with trouble(kind, opened, folder):
            before = await opened.kept()
            answers = [await opened.ingest(content="y" * 20_000, client_id="during") for _ in range(2)]
            answers += await asyncio.gather(*(opened.ingest(content="y" * 20_000) for _ in range(5)))
            for answer in answers:
                assert_come_again(answer)
            assert await opened.kept() == before
        again = await opened.ingest(content="y" * 20_000, client_id="during")
        assert (again.status, again.json["duplicate"]) == (202, False)
        assert (await opened.kept())["messages"] == before["messages"] + 1


@pytest.mark.parametrize("kind", ["full", "locked"])
async def test_what_changes_a_message_is_refused_too(folder: Path, kind: str) -> None:
    async with door(folder) as opened:
        message_id = (await opened.ingest()).json["id"]
        async with trouble(kind, opened, folder):
            for verb in ("acknowledge", "close", "cancel"):
                answer = await opened.ask("POST", f"/api/messages/{message_id}/{verb}")
                if kind != "full":  # a full database can still change rows in place
                    assert_come_again(answer)
            if kind != "full":
                assert (await opened.ask("GET", f"/api/messages/{message_id}")).json["status"] == "initiated"
                body = {"chat_id": 77, "chat_name": "anna"}
                assert_come_again(await opened.ask("POST", "/subscribe-user", body))


@pytest.mark.parametrize("kind", KINDS)
async def test_what_was_accepted_can_still_be_read(folder: Path, kind: str) -> None:
    async with door(folder) as opened:
        message_id = (await opened.ingest()).json["id"]
        async with trouble(kind, opened, folder):
            assert (await opened.ask("GET", f"/api/messages/{message_id}")).status == 200
            assert (await opened.ask("GET", "/api/messages")).status == 200


async def test_health_says_that_nothing_can_be_accepted(folder: Path) -> None:
    async with door(folder) as opened:
        assert (await opened.ask("GET", "/health")).status == 200
        async with locked(opened, folder):
            answer = await opened.ask("GET", "/health")
            assert (answer.status, answer.json["status"], answer.json["database"]) == (503, "down", "failed")
            assert "The database cannot be used; the log says why." in answer.json["warnings"]
        assert (await opened.ask("GET", "/health")).status == 200


async def test_health_does_not_wait_for_a_database_that_hangs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(about, "DATABASE_WITHIN_S", 0.1)
    async with door(folder) as opened:
        with contextlib.closing(sqlite3.connect(folder / "data/notifybot.sqlite3", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            answer = await opened.ask("GET", "/health")
            other.execute("ROLLBACK")
        assert (answer.status, answer.json["database"]) == (503, "failed")


async def test_a_database_that_cannot_be_read_is_said_to_be_unavailable(folder: Path) -> None:
    async with door(folder) as opened:
        message_id = (await opened.ingest()).json["id"]
        with contextlib.closing(sqlite3.connect(folder / "data/notifybot.sqlite3", isolation_level=None)) as other:
            other.execute("ALTER TABLE messages RENAME TO hidden")
            for path in ("/api/messages", f"/api/messages/{message_id}"):
                assert_problem(await opened.ask("GET", path), 503)
            assert (await opened.ask("GET", "/health")).status == 503
            other.execute("ALTER TABLE hidden RENAME TO messages")
        assert (await opened.ask("GET", f"/api/messages/{message_id}")).status == 200


async def test_one_message_that_breaks_its_batch_is_refused_alone(folder: Path) -> None:
    async with door(folder) as opened:
        with contextlib.closing(sqlite3.connect(folder / "data/notifybot.sqlite3", isolation_level=None)) as other:
            other.execute(
                "CREATE TRIGGER refuse BEFORE INSERT ON messages WHEN new.content = 'poison' "
                "BEGIN SELECT RAISE(ABORT, 'no'); END"
            )
        texts = ["fine", "poison", "fine", "fine", "poison", "fine"] * 5
        answers = await asyncio.gather(*(opened.ingest(content=said) for said in texts))
        assert [answer.status for answer in answers] == [503 if said == "poison" else 202 for said in texts]
        assert (await opened.kept())["messages"] == 20


async def test_while_the_database_is_locked_each_batch_waits_for_it_once(folder: Path) -> None:
    """Not each caller of it in turn: with the usual patience of 30 s that would be hours."""
    async with door(folder) as opened, locked(opened, folder):
        before = opened.daemon.runtime.database.commits
        answers = await asyncio.gather(*(opened.ingest() for _ in range(50)))
        for answer in answers:
            assert_come_again(answer)
        assert opened.daemon.runtime.database.commits - before < 25
