"""The writer: callers share commits, and each gets its own outcome."""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import Session

from notifybot.errors import Conflict, Unavailable
from notifybot.model.enums import Deadline
from notifybot.storage.database import CHECKPOINT_EVERY, Database
from notifybot.storage.sqlite import sqlite_path
from notifybot.storage.writer import Changes, Write, changes
from tests.support.databases import Store

pytestmark = pytest.mark.both_databases

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
EARLIER = NOW - DAY
Work = Callable[[Session], str]
ADD = text("INSERT INTO chats (id, is_new, last_caller) VALUES (:id, true, '')")


COUNT = text("SELECT count(*) FROM chats")


def add(session: Session, name: str) -> str:
    session.execute(ADD, {"id": name})
    return name


def adding(name: str) -> Work:
    return partial(add, name=name)


def count(session: Session) -> str:
    return str(session.execute(COUNT).scalar_one())


def stored(store: Store) -> list[str]:
    """Return the rows that another program sees: only committed ones."""
    return [row[0] for row in store.rows("SELECT id FROM chats ORDER BY id")]


class Busy:
    """Keeps the writer busy until `release`, so that later writes wait for the next commit."""

    def __init__(self, database: Database) -> None:
        self._go = threading.Event()
        self.task = asyncio.create_task(database.write(lambda _: self._go.wait(20)))

    def release(self) -> None:
        self._go.set()


@pytest.fixture
async def busy(database: Database) -> AsyncIterator[Busy]:
    made = Busy(database)
    yield made
    made.release()


async def test_writes_during_a_commit_share_the_next_one(database: Database, busy: Busy, store: Store) -> None:
    await asyncio.sleep(0)
    before = database.commits
    waiting = [asyncio.create_task(database.write(adding(f"{n:03}"))) for n in range(200)]
    await asyncio.sleep(0)
    busy.release()
    assert await asyncio.gather(*waiting) == [f"{n:03}" for n in range(200)]
    assert database.commits - before <= 2  # one that kept the writer busy, and one for all later writes
    assert len(stored(store)) == 200


async def test_a_write_returns_after_its_commit(database: Database, store: Store) -> None:
    async def write(name: str) -> None:
        await database.write(adding(name))
        assert name in stored(store)

    await asyncio.gather(*(write(f"{n}") for n in range(20)))


async def test_a_refusal_rolls_back_its_own_work_only(database: Database, busy: Busy, store: Store) -> None:
    def refuse(session: Session) -> str:
        add(session, "half done")
        raise Conflict("Not like that.")

    def break_down(session: Session) -> str:
        add(session, "half done too")
        raise ZeroDivisionError

    works = [
        adding("a"),
        refuse,
        adding("b"),
        break_down,
        adding("a"),
        adding("c"),
    ]
    waiting = [asyncio.create_task(database.write(work)) for work in works]
    await asyncio.sleep(0)
    busy.release()
    first, refused, second, broken, twice, third = await asyncio.gather(*waiting, return_exceptions=True)
    assert (first, second, third) == ("a", "b", "c")
    assert (type(refused), type(broken), type(twice)) == (Conflict, ZeroDivisionError, Unavailable)
    assert stored(store) == ["a", "b", "c"]


async def test_work_sees_what_earlier_work_wrote(database: Database, busy: Busy) -> None:
    waiting = []
    for number in range(5):
        waiting.append(asyncio.create_task(database.write(adding(f"{number}"))))
        waiting.append(asyncio.create_task(database.write(count)))
    await asyncio.sleep(0)
    busy.release()
    assert [await task for task in waiting][1::2] == ["1", "2", "3", "4", "5"]


async def test_closing_finishes_waiting_writes(store: Store) -> None:
    database = Database(store.url)
    database.start()
    busy = Busy(database)
    waiting = [asyncio.create_task(database.write(adding(f"{n}"))) for n in range(5)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(database.close())
    await asyncio.sleep(0)
    busy.release()
    await closing
    assert await asyncio.gather(*waiting) == ["0", "1", "2", "3", "4"]
    assert stored(store) == ["0", "1", "2", "3", "4"]


async def test_a_write_after_closing_is_refused_at_once(store: Store) -> None:
    database = Database(store.url)
    database.start()
    await database.close()
    with pytest.raises(Unavailable):
        await asyncio.wait_for(database.write(adding("late")), 10)
    assert stored(store) == []


async def test_a_caller_who_gives_up_does_not_affect_any_write(database: Database, busy: Busy, store: Store) -> None:
    given_up = asyncio.create_task(database.write(adding("a")))
    waiting = asyncio.create_task(database.write(adding("b")))
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.sleep(0)
    busy.release()
    assert await waiting == "b"
    assert given_up.cancelled()
    assert stored(store) == ["a", "b"]


async def test_a_reader_sees_committed_rows_and_cannot_write(database: Database, store: Store) -> None:
    await database.write(adding("a"))
    assert await database.read(count) == "1"
    with pytest.raises(Unavailable):
        await database.read(adding("b"))
    assert stored(store) == ["a"]


async def test_a_reader_does_not_wait_for_the_writer(database: Database, busy: Busy) -> None:
    await asyncio.sleep(0)
    found = await asyncio.wait_for(
        database.read(lambda s: s.execute(text("SELECT count(*) FROM chats")).scalar_one()), 10
    )
    assert found == 0
    assert not busy.task.done()


async def test_a_refusal_of_a_reader_reaches_the_caller(database: Database) -> None:
    def refuse(_: Session) -> None:
        raise Conflict("Not like that.")

    with pytest.raises(Conflict):
        await database.read(refuse)


def noting(*messages: str, due: bool = False, deadline: datetime | None = None) -> Changes:
    deadlines = {} if deadline is None else {Deadline.CLOSE: deadline}
    return Changes(messages=set(messages), is_work_due=due, deadlines=deadlines)


async def test_changes_of_a_commit_are_published_once_and_merged(database: Database, busy: Busy) -> None:
    heard: list[Changes] = []
    database.after_commit(heard.append)

    def work(noted: Changes, *, fails: bool = False) -> None:
        def run(session: Session) -> None:
            changes(session).include(noted)
            if fails:
                raise Conflict("Not like that.")

        waiting.append(asyncio.create_task(database.write(run)))

    waiting: list[asyncio.Task[None]] = []
    work(noting("a", "b", deadline=NOW + timedelta(minutes=5)))
    work(noting("b", "c", deadline=NOW))
    work(noting("of one that failed", due=True, deadline=NOW - timedelta(days=1)), fails=True)
    work(noting())
    await asyncio.sleep(0)
    busy.release()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert heard == [noting("a", "b", "c", deadline=NOW)]


async def test_a_commit_that_changed_nothing_wakes_nobody(database: Database) -> None:
    heard: list[Changes] = []
    database.after_commit(heard.append)
    await database.write(adding("a"))
    assert heard == []


async def test_listeners_are_called_once_a_commit_is_on_disk(database: Database, store: Store) -> None:
    heard: list[list[str]] = []
    database.after_commit(lambda _: heard.append(stored(store)))

    def work(session: Session) -> None:
        add(session, "a")
        changes(session).is_work_due = True

    await database.write(work)
    assert heard == [["a"]]


class Claiming:
    """Claims along with other writes: adds a chat, or fails."""

    def __init__(self, database: Database, *, fails: bool = False) -> None:
        self.replies: list[str | Exception | None] = []
        self._fails = fails
        database.claim_along(self._claim)

    def _claim(self) -> Write[str | None]:
        return Write(self._work, self.replies.append, claims=True)

    def _work(self, session: Session) -> str:
        add(session, "claimed")
        if self._fails:
            raise Conflict("Not like that.")
        return "claimed"


def making_due(name: str, *, fails: bool = False) -> Callable[[Session], str]:
    def work(session: Session) -> str:
        changes(session).is_work_due = True
        add(session, name)
        if fails:
            raise Conflict("Not like that.")
        return name

    return work


async def test_what_a_write_makes_due_is_claimed_in_the_same_commit(database: Database, store: Store) -> None:
    claiming = Claiming(database)
    heard: list[Changes] = []
    database.after_commit(heard.append)
    assert await database.write(making_due("a")) == "a"
    assert (claiming.replies, database.commits, stored(store)) == (["claimed"], 1, ["a", "claimed"])
    assert heard == [Changes(is_work_due=True, is_claimed=True)]


async def test_a_commit_that_makes_nothing_due_claims_nothing(database: Database, store: Store) -> None:
    claiming = Claiming(database)
    await database.write(adding("a"))
    assert (claiming.replies, stored(store)) == ([None], ["a"])


async def test_a_claim_that_fails_leaves_the_write_alone(database: Database, store: Store) -> None:
    claiming = Claiming(database, fails=True)
    heard: list[Changes] = []
    database.after_commit(heard.append)
    await database.write(making_due("a"))
    assert [type(reply) for reply in claiming.replies] == [Conflict]
    assert (stored(store), heard) == (["a"], [Changes(is_work_due=True)])


async def test_a_write_that_fails_alone_is_not_claimed(database: Database, store: Store) -> None:
    claiming = Claiming(database)
    with pytest.raises(Conflict):
        await database.write(making_due("a", fails=True))
    await database.write(adding("b"))
    assert stored(store) == ["b"]
    assert claiming.replies == [None, None]


async def test_a_write_that_fails_beside_others_leaves_their_claim(
    database: Database, store: Store, busy: Busy
) -> None:
    claiming = Claiming(database)
    failing = asyncio.create_task(database.write(making_due("a", fails=True)))
    other = asyncio.create_task(database.write(making_due("b")))
    await asyncio.sleep(0)
    busy.release()
    await asyncio.gather(failing, other, return_exceptions=True)
    await database.write(adding("c"))
    assert stored(store) == ["b", "c", "claimed"]
    assert claiming.replies == ["claimed", None]


@pytest.mark.parametrize(
    ("deadlines", "earliest"),
    [([], None), ([None], None), ([NOW], NOW), ([NOW, None], NOW), ([NOW, EARLIER, NOW + DAY], EARLIER)],
)
def test_the_earliest_deadline_counts(deadlines: list[datetime | None], earliest: datetime | None) -> None:
    noted = Changes()
    for deadline in deadlines:
        noted.note_deadline(Deadline.CLOSE, deadline)
    assert noted.deadlines.get(Deadline.CLOSE) == earliest


def test_each_kind_of_deadline_keeps_its_own_earliest() -> None:
    noted = Changes()
    noted.note_deadline(Deadline.CLOSE, NOW)
    noted.note_deadline(Deadline.REMIND, EARLIER)
    assert noted.deadlines == {Deadline.CLOSE: NOW, Deadline.REMIND: EARLIER}


def test_including_changes_merges_every_field() -> None:
    noted = noting("a", deadline=NOW)
    noted.include(noting("b", due=True, deadline=NOW + timedelta(1)))
    assert noted == noting("a", "b", due=True, deadline=NOW)


def _chats_in(path: Path, copy: Path) -> int:
    """Return the rows in the file without its write-ahead log."""
    copy.write_bytes(path.read_bytes())
    with contextlib.closing(sqlite3.connect(copy)) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM chats").fetchone()[0])
        except sqlite3.DatabaseError:  # copied during a checkpoint
            return 0


@pytest.mark.sqlite_only(reason="looks into SQLite's log")
async def test_the_write_ahead_log_is_checkpointed_beside_the_writer(store: Store, tmp_path: Path) -> None:
    database = Database(store.url)
    database.start()
    for number in range(2 * CHECKPOINT_EVERY):
        await database.write(adding(f"{number:03}"))
    path = sqlite_path(store.url)
    assert path is not None
    async with asyncio.timeout(20):
        while _chats_in(path, tmp_path / "alone") < CHECKPOINT_EVERY:
            await database.read(count)
    await database.close()


@pytest.mark.sqlite_only(reason="asks for SQLite's own settings")
async def test_every_commit_survives_a_power_cut(database: Database) -> None:
    def settings(session: Session) -> dict[str, object]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return {name: session.execute(text(f"PRAGMA {name}")).scalar_one() for name in names}

    assert await database.write(settings) == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


@pytest.mark.sqlite_only(reason="PostgreSQL has its own checkpoints")
async def test_the_log_is_copied_once_a_long_reader_is_done(database: Database, store: Store) -> None:
    path = sqlite_path(store.url)
    assert path is not None
    with contextlib.closing(sqlite3.connect(path)) as backup:
        backup.execute("BEGIN")
        backup.execute("SELECT count(*) FROM chats").fetchone()
        for number in range(2 * CHECKPOINT_EVERY):
            await database.write(adding(f"chat {number}"))
        assert not is_copied(path, "chat 49")
        backup.execute("COMMIT")
    async with asyncio.timeout(20):  # nothing writes any more
        while True:
            if is_copied(path, "chat 49"):
                return
            await asyncio.sleep(0.05)


def is_copied(path: Path, name: str) -> bool:
    """Return True if the database file has it, without its write-ahead log."""
    return name.encode() in path.read_bytes()
