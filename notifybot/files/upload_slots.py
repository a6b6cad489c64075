"""Limit concurrent uploads, so that an alert waits for a few of them and not for hundreds."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

MAX_ACTIVE = 8
SLOW_AFTER_S = 0.05
"""An upload whose chunk takes longer gives its slot back and works without one until it is fast again, so that slow
connections do not block others."""


class UploadSlots:
    """At most MAX_ACTIVE chunks are read and stored at a time.

    Without a limit, each pass of the event loop would handle a chunk of every upload.
    """

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(MAX_ACTIVE)

    def new_slot(self) -> "UploadSlot":
        return UploadSlot(self._free)


class UploadSlot:
    """The slot of one upload."""

    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free = free
        self._is_slow = False

    @contextlib.asynccontextmanager
    async def piece(self, read: Callable[[], Coroutine[Any, Any, bytes]], *, within_s: float) -> AsyncIterator[bytes]:
        """Hold the slot while the block uses the chunk from `read`. Raises TimeoutError, and the errors of `read`."""
        async with contextlib.AsyncExitStack() as slot:
            if not self._is_slow:
                await slot.enter_async_context(self._free)
            reading = asyncio.create_task(read())
            try:
                async with asyncio.timeout(within_s):
                    done, _ = await asyncio.wait({reading}, timeout=SLOW_AFTER_S)
                    self._is_slow = not done
                    if self._is_slow:
                        await slot.aclose()
                    piece = await reading
            finally:
                reading.cancel()
            yield piece
