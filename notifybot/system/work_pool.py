"""Threads for one kind of work, so that no other kind waits for it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from typing import TypeVar

WORKERS = 2
MAX_CHARACTERS = 1_500_000
"""Of texts that are worked on at a time; rendering takes some 50 bytes for each."""

T = TypeVar("T")


class WorkPool:
    """Threads for long texts, one each. At most `max_characters` are under way, or one text; the others wait."""

    def __init__(self, name: str, *, workers: int = WORKERS, max_characters: int = MAX_CHARACTERS) -> None:
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._workers = workers
        self._max_characters = max_characters
        self._texts = 0
        self._under_way = 0
        self._next = asyncio.Lock()
        """Held by the first of those that wait."""
        self._freed = asyncio.Event()

    async def run(
        self, work: Callable[[], T], characters: int, marked: AbstractAsyncContextManager[None] | None = None
    ) -> T:
        """Do the work on a thread, within `marked`, once there is room. If the caller is cancelled, the thread goes on,
        and counts until it is done."""
        async with self._next:
            while self._must_wait(characters):
                self._freed.clear()
                await self._freed.wait()
            self._texts, self._under_way = self._texts + 1, self._under_way + characters
        doing: asyncio.Future[T] | None = None
        try:
            async with marked or nullcontext():
                doing = asyncio.get_running_loop().run_in_executor(self._threads, work)
                doing.add_done_callback(partial(self._free, characters))
                return await asyncio.shield(doing)
        finally:
            if doing is None:
                self._free(characters)

    def _must_wait(self, characters: int) -> bool:
        is_full = self._under_way + characters > self._max_characters
        return self._texts >= self._workers or (self._under_way > 0 and is_full)

    def _free(self, characters: int, done: "asyncio.Future[T] | None" = None) -> None:
        self._texts, self._under_way = self._texts - 1, self._under_way - characters
        self._freed.set()
        if done is not None and not done.cancelled():
            done.exception()  # seen, even if the caller is gone

    def close(self) -> None:
        """Stop the threads, and cancel what has not begun."""
        self._threads.shutdown(wait=False, cancel_futures=True)
