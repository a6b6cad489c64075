"""Writes that fail in the database: callers get a 503 to retry, and later everything works again."""

import asyncio
import contextlib
import resource
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from notifybot.routes import health
from notifybot.storage import settings
from tests.support.door import Answer, assert_problem, door

pytestmark = pytest.mark.sqlite_only(reason="breaks the file; tests/postgres breaks the server")


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "LOCKED_WITHIN_S", 0.05)


@pytest.fixture(autouse=True)
def quiet_log() -> None:
    """Allow log lines: these failures are logged."""


def assert_come_again(answer: Answer) -> None:
    found = assert_problem(answer, 503)
    assert answer.headers["retry-after"] == "1"
    assert "nothing was accepted" in found["detail"]
    assert "hint" in found


@contextlib.contextmanager
def refusing_rows(folder: Path) -> Iterator[None]:
    """Make inserts of messages fail."""
    with another_program(folder) as other:
        other.execute("CREATE TRIGGER refuse BEFORE INSERT ON messages BEGIN SELECT RAISE(ABORT, 'no'); END")
        yield
        other.execute("DROP TRIGGER refuse")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a write lock like another program that does not finish."""
    with another_program(folder) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextlib.contextmanager
def full(_: Path) -> Iterator[None]:
    """Make all writes to files of this process fail, like a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def another_program(folder: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(folder / "data/notifybot.sqlite3", isolation_level=None)) as other:
        yield other


TROUBLES = {"full": full, "locked": locked, "refusing": refusing_rows}
every_trouble = pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
no_write_at_all = pytest.mark.parametrize("trouble", [full, locked])
Trouble = Callable[[Path], contextlib.AbstractContextManager[None]]


@every_trouble
async def test_nothing_is_stored_and_requests_succeed_afterwards(folder: Path, trouble: Trouble) -> None:
    async with door(folder) as opened:
        assert (await opened.ingest(client_id="before")).status == 202
        with trouble(folder):
            before = await opened.kept()
            answers = [await opened.ingest(client_id="during") for _ in range(2)]
            answers += await asyncio.gather(*(opened.ingest() for _ in range(5)))
            for answer in answers:
                assert_come_again(answer)
            assert await opened.kept() == before
        again = await opened.ingest(client_id="during")
        assert (again.status, again.json["duplicate"]) == (202, False)
        assert (await opened.kept())["messages"] == before["messages"] + 1


@no_write_at_all
async def test_changes_to_a_message_are_refused(folder: Path, trouble: Trouble) -> None:
    async with door(folder) as opened:
        message_id = (await opened.ingest()).json["id"]
        with trouble(folder):
            for verb in ("acknowledge", "close", "cancel"):
                assert_come_again(await opened.ask("POST", f"/api/messages/{message_id}/{verb}"))
            assert_come_again(await opened.ask("POST", "/subscribe-user", {"chat_id": 77, "chat_name": "anna"}))
            assert (await opened.ask("GET", f"/api/messages/{message_id}")).json["status"] == "initiated"
            assert (await opened.ask("GET", "/subscribed-users")).body == b"[]"


@every_trouble
async def test_accepted_messages_can_still_be_read(folder: Path, trouble: Trouble) -> None:
    async with door(folder) as opened:
        message_id = (await opened.ingest()).json["id"]
        with trouble(folder):
            assert (await opened.ask("GET", f"/api/messages/{message_id}")).status == 200
            assert (await opened.ask("GET", "/api/messages")).status == 200


@no_write_at_all
async def test_health_says_that_nothing_can_be_accepted(folder: Path, trouble: Trouble) -> None:
    async with door(folder) as opened:
        assert (await opened.ask("GET", "/health")).status == 200
        with trouble(folder):
            answer = await opened.ask("GET", "/health")
            assert (answer.status, answer.json["status"], answer.json["database"]) == (503, "down", "failed")
            assert "The database is unusable; see the log." in answer.json["warnings"]
        assert (await opened.ask("GET", "/health")).status == 200


async def test_health_does_not_wait_for_a_database_that_hangs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "DATABASE_WITHIN_S", 0.1)
    monkeypatch.setattr(settings, "LOCKED_WITHIN_S", 20)
    async with door(folder) as opened:
        with locked(folder):
            answer = await opened.ask("GET", "/health")
        assert (answer.status, answer.json["database"]) == (503, "failed")


async def test_an_unreadable_database_is_reported_as_unavailable(folder: Path) -> None:
    async with door(folder) as opened:
        message_id = (await opened.ingest()).json["id"]
        with another_program(folder) as other:
            other.execute("ALTER TABLE messages RENAME TO hidden")
            for path in ("/api/messages", f"/api/messages/{message_id}"):
                assert_problem(await opened.ask("GET", path), 503)
            assert (await opened.ask("GET", "/health")).status == 503
            other.execute("ALTER TABLE hidden RENAME TO messages")
        assert (await opened.ask("GET", f"/api/messages/{message_id}")).status == 200


async def test_one_message_that_breaks_its_batch_is_refused_alone(folder: Path) -> None:
    async with door(folder) as opened:
        with another_program(folder) as other:
            other.execute(
                "CREATE TRIGGER refuse BEFORE INSERT ON messages WHEN new.content = 'poison' "
                "BEGIN SELECT RAISE(ABORT, 'no'); END"
            )
        texts = ["fine", "poison", "fine", "fine", "poison", "fine"] * 5
        answers = await asyncio.gather(*(opened.ingest(content=said) for said in texts))
        assert [answer.status for answer in answers] == [503 if said == "poison" else 202 for said in texts]
        assert (await opened.kept())["messages"] == 20


async def test_while_the_database_is_locked_each_batch_waits_for_it_once(folder: Path) -> None:
    """Its callers do not wait one by one: with the usual 30 s each, that would take hours."""
    async with door(folder) as opened:
        before = opened.daemon.runtime.database.commits
        with locked(folder):
            answers = await asyncio.gather(*(opened.ingest() for _ in range(50)))
        for answer in answers:
            assert_come_again(answer)
        assert opened.daemon.runtime.database.commits - before < 25
