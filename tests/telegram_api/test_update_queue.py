"""The queue between Telegram and the handlers: an update is on disk once `put` returns, and is handled once."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import telegram
from sqlalchemy import text
from sqlmodel import Session

from notifybot.storage.database import Database
from notifybot.telegram_api import update_queue, update_store
from notifybot.telegram_api.update_queue import DurableQueue
from notifybot.times.clock import Clock
from tests.support.databases import Store

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def update(number: int) -> telegram.Update:
    user = telegram.User(42, "Anna", is_bot=False)
    query = telegram.CallbackQuery(str(number), user, "chat", data=f"ack:{number}")
    return telegram.Update(number, callback_query=query)


@pytest.fixture
async def queue(database: Database) -> AsyncIterator[DurableQueue]:
    yield DurableQueue(database, Clock())


def stored(store: Store) -> list[int]:
    """Read the stored updates beside the queue."""
    return [row[0] for row in store.rows("SELECT update_id FROM inbox ORDER BY update_id")]


async def test_an_update_is_on_disk_once_put_returns(queue: DurableQueue, store: Store) -> None:
    await queue.put(update(7))
    assert stored(store) == [7]
    assert queue.get_nowait() == update(7)


async def test_updates_keep_their_order(queue: DurableQueue) -> None:
    for number in (3, 1, 2):
        await queue.put(update(number))
    assert [queue.get_nowait() for _ in range(3)] == [update(3), update(1), update(2)]


async def test_a_repeated_update_is_not_passed_on_again(queue: DurableQueue, store: Store) -> None:
    for _ in range(3):
        await queue.put(update(7))
    assert queue.qsize() == 1
    assert stored(store) == [7]


async def test_an_update_that_was_handled_is_still_known(queue: DurableQueue, database: Database) -> None:
    await queue.put(update(7))
    queue.get_nowait()
    assert await database.write(lambda session: update_store.mark_handled(session, 7, now=NOW))
    await queue.put(update(7))
    assert queue.empty()


async def test_a_stored_update_is_passed_on(queue: DurableQueue, store: Store) -> None:
    await queue.put_stored(update(7))
    assert queue.get_nowait() == update(7)
    assert stored(store) == []


async def test_the_librarys_stop_sentinel_is_passed_on_and_not_stored(queue: DurableQueue, store: Store) -> None:
    stop = object()
    await queue.put(stop)
    assert queue.get_nowait() is stop
    assert stored(store) == []


async def test_while_the_disk_refuses_put_waits_and_does_not_raise(
    queue: DurableQueue, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(update_queue, "RETRY_EVERY", NOW - NOW)
    with store.refuse("INSERT ON inbox"):
        putting = asyncio.create_task(queue.put(update(7)))
        while "an update could not be stored" not in caplog.text:
            await asyncio.wait([putting], timeout=0.01)
        assert not putting.done()
        assert queue.empty()
    await asyncio.wait_for(putting, 10)
    assert stored(store) == [7]
    assert queue.get_nowait() == update(7)


async def test_unhandled_updates_are_kept_for_the_next_start(queue: DurableQueue, database: Database) -> None:
    for number in (3, 1, 2, 4):
        await queue.put(update(number))
    await database.write(lambda session: update_store.mark_handled(session, 2, now=NOW))
    payloads = await database.read(update_store.waiting)
    assert [telegram.Update.de_json(json.loads(payload), None) for _, payload in payloads] == [
        update(1),
        update(3),
        update(4),
    ]


async def test_the_third_failure_parks_an_update(queue: DurableQueue, database: Database) -> None:
    await queue.put(update(7))

    def fail(session: Session) -> bool:
        return update_store.note_failure(session, 7, "boom")

    assert [await database.write(fail) for _ in range(3)] == [True, True, False]
    assert list(await database.read(update_store.waiting)) == []
    kept = await database.read(lambda session: session.execute(text("SELECT attempts, error FROM inbox")).one())
    assert tuple(kept) == (3, "boom")


async def test_an_update_is_handled_once(queue: DurableQueue, database: Database) -> None:
    await queue.put(update(7))

    def handle(session: Session) -> bool:
        return update_store.mark_handled(session, 7, now=NOW)

    assert [await database.write(handle) for _ in range(3)] == [True, False, False]
