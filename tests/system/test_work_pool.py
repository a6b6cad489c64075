"""Long texts are worked on a few at a time, on threads that do nothing else."""

import asyncio
import threading
from functools import partial

import pytest

from notifybot.system.work_pool import WorkPool


class Gate:
    """Work that waits on its thread until it is let go, and what is under way."""

    def __init__(self) -> None:
        self.under_way: list[str] = []
        self.begun = threading.Semaphore(0)
        self._go = {name: threading.Event() for name in "abcd"}

    def work(self, name: str) -> str:
        self.under_way.append(name)
        self.begun.release()
        assert self._go[name].wait(10)
        return name

    def let(self, name: str) -> None:
        self._go[name].set()

    async def until_begun(self, count: int = 1) -> None:
        for _ in range(count):
            assert await asyncio.to_thread(self.begun.acquire, timeout=10)


@pytest.mark.parametrize(
    ("sizes", "at_once"),
    [
        ((50, 50), ["a", "b"]),
        ((99, 1), ["a", "b"]),
        ((50, 51), ["a"]),
        ((100, 1), ["a"]),
        ((1000, 1), ["a"]),
        ((1, 1000), ["a"]),
        ((0, 1000), ["a", "b"]),
        ((100, 0), ["a", "b"]),
    ],
)
async def test_texts_are_under_way_up_to_their_limit(sizes: tuple[int, int], at_once: list[str]) -> None:
    pool, gate = WorkPool("test", max_characters=100), Gate()

    doing = [asyncio.create_task(pool.run(partial(gate.work, n), size)) for n, size in zip("ab", sizes, strict=True)]
    await gate.until_begun(len(at_once))
    await asyncio.sleep(0)

    assert sorted(gate.under_way) == at_once
    for name in "ab":
        gate.let(name)
    assert await asyncio.gather(*doing) == ["a", "b"]
    pool.close()


async def test_a_large_text_waits_no_longer_than_those_before_it() -> None:
    pool, gate = WorkPool("test", max_characters=100), Gate()
    doing = [
        asyncio.create_task(pool.run(partial(gate.work, n), size)) for n, size in zip("abc", (60, 60, 10), strict=True)
    ]
    await gate.until_begun()

    gate.let("a")
    await gate.until_begun(2)

    assert gate.under_way[:2] == ["a", "b"]
    for name in "bc":
        gate.let(name)
    await asyncio.gather(*doing)
    pool.close()


async def test_work_of_a_caller_who_is_gone_still_counts() -> None:
    pool, gate = WorkPool("test", max_characters=100), Gate()
    gone = asyncio.create_task(pool.run(lambda: gate.work("a"), 60))
    await gate.until_begun()
    gone.cancel()
    waits = asyncio.create_task(pool.run(lambda: gate.work("b"), 60))
    gives_up = asyncio.create_task(pool.run(lambda: gate.work("c"), 60))
    await asyncio.sleep(0)
    assert gate.under_way == ["a"]

    gives_up.cancel()
    gate.let("a")
    gate.let("b")

    assert await waits == "b"
    assert gate.under_way == ["a", "b"]
    pool.close()


async def test_an_error_is_raised_and_makes_room() -> None:
    pool = WorkPool("test", max_characters=100)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            await pool.run(lambda: 1 // 0, 80)
    pool.close()
