"""Uploads take turns: few at work at once, and nobody waits for a slow line."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from notifybot.files.upload_slots import MAX_ACTIVE, SLOW_AFTER_S, UploadSlots

WITHIN_S = 20.0


async def quick() -> bytes:
    return b"piece"


async def stored(turns: UploadSlots) -> bytes:
    async with turns.upload().piece(quick, within_s=WITHIN_S) as piece:
        return piece


async def test_no_more_than_some_are_at_work_at_once() -> None:
    turns = UploadSlots()
    async with AsyncExitStack() as busy:
        for _ in range(MAX_ACTIVE):
            await busy.enter_async_context(turns.upload().piece(quick, within_s=WITHIN_S))
        waiting = asyncio.create_task(stored(turns))
        await asyncio.sleep(0)
        assert not waiting.done()
    assert await waiting == b"piece"


async def test_nobody_waits_for_slow_lines() -> None:
    turns, comes = UploadSlots(), asyncio.Event()

    async def slow() -> bytes:
        await comes.wait()
        return b"late"

    async def dripping() -> bytes:
        async with turns.upload().piece(slow, within_s=WITHIN_S) as piece:
            return piece

    dripped = [asyncio.create_task(dripping()) for _ in range(5 * MAX_ACTIVE)]
    async with asyncio.timeout(WITHIN_S):
        assert await stored(turns) == b"piece"
    comes.set()
    assert await asyncio.gather(*dripped) == [b"late"] * len(dripped)


async def test_a_slow_line_takes_no_turn_before_it_is_quick() -> None:
    turns = UploadSlots()
    line = turns.upload()

    async def slow() -> bytes:
        await asyncio.sleep(2 * SLOW_AFTER_S)
        return b"late"

    async with line.piece(slow, within_s=WITHIN_S), AsyncExitStack() as busy:
        for _ in range(MAX_ACTIVE):
            await busy.enter_async_context(turns.upload().piece(quick, within_s=WITHIN_S))
        async with line.piece(quick, within_s=WITHIN_S) as piece:
            assert piece == b"piece"
        waiting = asyncio.create_task(line.piece(quick, within_s=WITHIN_S).__aenter__())
        await asyncio.sleep(0)
        assert not waiting.done()
    assert await waiting == b"piece"


async def test_a_turn_comes_back_whatever_happens() -> None:
    turns, never = UploadSlots(), asyncio.Event()

    async def broken() -> bytes:
        raise ConnectionResetError

    async def hanging() -> bytes:
        await never.wait()
        return b""

    for _ in range(2 * MAX_ACTIVE):
        with pytest.raises(ConnectionResetError):
            async with turns.upload().piece(broken, within_s=WITHIN_S):
                pass
        with pytest.raises(TimeoutError):
            async with turns.upload().piece(hanging, within_s=0):
                pass
        given_up = asyncio.create_task(turns.upload().piece(hanging, within_s=WITHIN_S).__aenter__())
        await asyncio.sleep(0)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
    assert await stored(turns) == b"piece"
