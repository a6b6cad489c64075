"""Leadership on PostgreSQL: one daemon leads, others are refused, and a broken connection is replaced or deposed."""

import asyncio
import contextlib
from collections.abc import Iterator

import pytest

from notifybot.errors import StartRefused, Unavailable
from notifybot.storage import writer_thread
from notifybot.storage.database import Database
from notifybot.storage.engines import hold_database
from notifybot.storage.leadership import LEADER_LOCK, own_name
from tests.postgres.leader import NOW, WITHIN_S, Gate, adding, end_sessions, leading, names
from tests.postgres.proxy import Cut, Proxy, between
from tests.postgres.server import LOOK_AGAIN_S
from tests.support.databases import PostgresStore


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_thread, "CHECK_LEADERSHIP_EVERY_S", 0.1)
    monkeypatch.setattr(writer_thread, "CHECK_LEADERSHIP_EVERY_WHILE_BROKEN_S", 0.05)


@pytest.fixture
def proxy(store: PostgresStore) -> Iterator[Proxy]:
    with between(store.server.folder) as made:
        yield made


def through(proxy: Proxy, store: PostgresStore) -> str:
    return f"postgresql://notifybot@/{store.name}?host={proxy.folder}"


async def keeps(database: Database, name: str) -> str:
    """Retry a write until it is committed, like a caller that gets 503."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            with contextlib.suppress(Unavailable):
                return await database.write(adding(name))


async def test_a_second_daemon_is_refused_and_names_the_leader(store: PostgresStore) -> None:
    async with leading(store.url):
        with pytest.raises(StartRefused) as refused, hold_database(store.url):
            pass
    assert own_name() in refused.value.detail
    assert refused.value.hint
    async with leading(store.url) as following:
        assert await following.write(adding("a")) == "a"


async def test_a_broken_connection_is_replaced_and_leads_on(store: PostgresStore) -> None:
    async with leading(store.url) as database:
        end_sessions(store)
        await keeps(database, "a")
        with pytest.raises(StartRefused), hold_database(store.url):
            pass
        assert not database.deposed.is_set()
    assert names(store) == ["a"]


async def test_an_idle_daemon_takes_its_lock_back_by_itself(store: PostgresStore) -> None:
    async with leading(store.url):
        before = lock_holder(store)
        end_sessions(store)
        after = await asyncio.to_thread(next_lock_holder, store)
        assert after not in (None, before)


def next_lock_holder(store: PostgresStore) -> object:
    """Wait until another session holds the lock."""
    with store.server.connected(store.name) as connection:
        for _ in range(round(WITHIN_S / LOOK_AGAIN_S)):
            if (found := lock_holder(store)) is not None:
                return found
            connection.execute("SELECT pg_sleep(%s)", [LOOK_AGAIN_S])
    raise AssertionError("nobody took the lock")


def lock_holder(store: PostgresStore) -> object:
    held = store.rows("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1")
    return held[0][0] if held else None


async def test_a_daemon_deposed_while_cut_off_writes_nothing_more(store: PostgresStore) -> None:
    async with leading(store.url) as first:
        gate = Gate(first)
        await gate.is_held.wait()
        end_sessions(store)
        async with leading(store.url) as second:
            gate.open()
            with pytest.raises(Unavailable):
                await gate.task
            await asyncio.wait_for(first.deposed.wait(), WITHIN_S)
            with pytest.raises(Unavailable):
                await first.write(adding("late"))
            assert await second.write(adding("second")) == "second"
            assert not second.deposed.is_set()
    assert names(store) == ["second"]


async def test_an_idle_daemon_notices_that_it_is_deposed(store: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_thread, "CHECK_LEADERSHIP_EVERY_S", 1.0)
    async with leading(store.url) as first:
        await first.write(adding("first"))  # the next check is only after a second
        end_sessions(store)
        with hold_database(store.url):
            store.rows("UPDATE bot SET term = term + 1")
            await asyncio.wait_for(first.deposed.wait(), WITHIN_S)


async def test_a_daemon_of_an_old_term_cannot_commit_even_with_the_lock(store: PostgresStore) -> None:
    async with leading(store.url) as database:
        assert await database.write(adding("a")) == "a"
        store.rows("UPDATE bot SET term = term + 1")
        with pytest.raises(Unavailable):
            await database.write(adding("b"))
        await asyncio.wait_for(database.deposed.wait(), WITHIN_S)
    assert names(store) == ["a"]


async def test_while_another_session_holds_the_lock_writes_fail_without_deposing(store: PostgresStore) -> None:
    async with leading(store.url) as database:
        gate = Gate(database)
        await gate.is_held.wait()
        end_sessions(store)
        with store.server.connected(store.name) as other:
            other.execute("SELECT pg_advisory_lock(%s)", [LEADER_LOCK])
            gate.open()
            with pytest.raises(Unavailable):
                await gate.task
            with pytest.raises(Unavailable):
                await database.write(adding("a"))
            assert not database.deposed.is_set()
        await keeps(database, "b")
    assert names(store) == ["b"]


async def test_a_commit_with_a_lost_response_is_answered_later(store: PostgresStore, proxy: Proxy) -> None:
    async with leading(through(proxy, store)) as database:
        proxy.cut_at_commit(Cut.AFTER)
        assert await database.write(adding("a")) == "a"
        assert proxy.has_cut
        assert names(store) == ["a"]
        assert await database.write(adding("b")) == "b"


@pytest.mark.parametrize("cut", [Cut.BEFORE, Cut.UNNOTICED])
async def test_a_commit_that_never_arrived_is_reported_as_failed(store: PostgresStore, proxy: Proxy, cut: Cut) -> None:
    """This holds even if the server still keeps the lock for the old connection."""
    async with leading(through(proxy, store)) as database:
        proxy.cut_at_commit(cut)
        with pytest.raises(Unavailable):
            await database.write(adding("a"))
        assert proxy.has_cut
        await keeps(database, "b")
        assert not database.deposed.is_set()
    assert names(store) == ["b"]


async def test_an_unknown_outcome_is_reported_when_the_daemon_stops(store: PostgresStore, proxy: Proxy) -> None:
    async with leading(through(proxy, store)) as database:
        proxy.cut_at_commit(Cut.BEFORE)
        proxy.close()
        writing = asyncio.create_task(database.write(adding("a")))
        await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="may have been accepted"):
        await writing


async def test_work_that_writes_nothing_is_not_sealed(store: PostgresStore) -> None:
    async with leading(store.url) as database:
        before = store.rows("SELECT batch FROM bot")
        assert await database.write(lambda _: NOW) == NOW
        assert store.rows("SELECT batch FROM bot") == before
