"""Upload slots, so that an alert waits for a few uploads and not for hundreds."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

MAX_ACTIVE = 8
SLOW_AFTER_S = 0.05
"""Whose piece is longer in coming gives the turn back, and takes none before it is quick: a slow line holds up nobody
else's."""


class UploadSlots:
    """At most MOST_AT_WORK pieces are read and stored at once. Without this each turn of the event loop would bring a
    piece of every upload that there is."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(MAX_ACTIVE)

    def upload(self) -> "UploadSlot":
        return UploadSlot(self._free)


class UploadSlot:
    """One file that comes in pieces."""

    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free = free
        self._is_slow = False

    @contextlib.asynccontextmanager
    async def piece(self, read: Callable[[], Coroutine[Any, Any, bytes]], *, within_s: float) -> AsyncIterator[bytes]:
        """What `read` brings; its turn lasts as long as the block. Raises TimeoutError, and what `read` raises."""
        async with contextlib.AsyncExitStack() as turn:
            if not self._is_slow:
                await turn.enter_async_context(self._free)
            reading = asyncio.create_task(read())
            try:
                async with asyncio.timeout(within_s):
                    done, _ = await asyncio.wait({reading}, timeout=SLOW_AFTER_S)
                    self._is_slow = not done
                    if self._is_slow:
                        await turn.aclose()
                    piece = await reading
            finally:
                reading.cancel()
            yield piece
