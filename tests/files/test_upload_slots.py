"""Upload slots: few uploads are active at once, and slow connections do not block others."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from notifybot.files.upload_slots import MAX_ACTIVE, SLOW_AFTER_S, UploadSlots

WITHIN_S = 20.0


async def quick() -> bytes:
    return b"piece"


async def stored(slots: UploadSlots) -> bytes:
    async with slots.new_slot().piece(quick, within_s=WITHIN_S) as piece:
        return piece


async def test_only_so_many_uploads_are_active_at_once() -> None:
    slots = UploadSlots()
    async with AsyncExitStack() as busy:
        for _ in range(MAX_ACTIVE):
            await busy.enter_async_context(slots.new_slot().piece(quick, within_s=WITHIN_S))
        waiting = asyncio.create_task(stored(slots))
        await asyncio.sleep(0)
        assert not waiting.done()
    assert await waiting == b"piece"


async def test_slow_connections_do_not_delay_others() -> None:
    slots, comes = UploadSlots(), asyncio.Event()

    async def slow() -> bytes:
        await comes.wait()
        return b"late"

    async def dripping() -> bytes:
        async with slots.new_slot().piece(slow, within_s=WITHIN_S) as piece:
            return piece

    dripped = [asyncio.create_task(dripping()) for _ in range(5 * MAX_ACTIVE)]
    async with asyncio.timeout(WITHIN_S):
        assert await stored(slots) == b"piece"
    comes.set()
    assert await asyncio.gather(*dripped) == [b"late"] * len(dripped)


async def test_a_slow_connection_occupies_no_slot_until_it_is_fast() -> None:
    slots = UploadSlots()
    line = slots.new_slot()

    async def slow() -> bytes:
        await asyncio.sleep(2 * SLOW_AFTER_S)
        return b"late"

    async with line.piece(slow, within_s=WITHIN_S), AsyncExitStack() as busy:
        for _ in range(MAX_ACTIVE):
            await busy.enter_async_context(slots.new_slot().piece(quick, within_s=WITHIN_S))
        async with line.piece(quick, within_s=WITHIN_S) as piece:
            assert piece == b"piece"
        waiting = asyncio.create_task(line.piece(quick, within_s=WITHIN_S).__aenter__())
        await asyncio.sleep(0)
        assert not waiting.done()
    assert await waiting == b"piece"


async def test_a_slot_is_always_given_back() -> None:
    slots, never = UploadSlots(), asyncio.Event()

    async def broken() -> bytes:
        raise ConnectionResetError

    async def hanging() -> bytes:
        await never.wait()
        return b""

    for _ in range(2 * MAX_ACTIVE):
        with pytest.raises(ConnectionResetError):
            async with slots.new_slot().piece(broken, within_s=WITHIN_S):
                pass
        with pytest.raises(TimeoutError):
            async with slots.new_slot().piece(hanging, within_s=0):
                pass
        given_up = asyncio.create_task(slots.new_slot().piece(hanging, within_s=WITHIN_S).__aenter__())
        await asyncio.sleep(0)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
    assert await stored(slots) == b"piece"
