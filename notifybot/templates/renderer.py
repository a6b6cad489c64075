"""Renders templates one at a time on a thread of its own, with a bounded queue."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from notifybot.errors import Unavailable
from notifybot.templates import Rendered

MAX_QUEUED = 32
WITHIN_S = 10.0
"""A rendering that takes all its steps takes about 0.2 s."""


class Renderer:
    """Keeps slow templates off the threads that others share."""

    def __init__(self, render: Callable[[str, Mapping[str, object]], Rendered], *, within_s: float = WITHIN_S) -> None:
        """`render`: as Templates.render."""
        self._render = render
        self._within_s = within_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="templates")
        self._queued = 0

    async def render(self, name: str, data: Mapping[str, object]) -> Rendered:
        """As Templates.render; raises Unavailable too, for a full queue or a long wait."""
        if self._queued >= MAX_QUEUED:
            raise _unavailable("Too many messages are waiting for their templates.")
        self._queued += 1
        try:
            async with asyncio.timeout(self._within_s):
                return await asyncio.get_running_loop().run_in_executor(self._thread, self._render, name, data)
        except TimeoutError:
            raise _unavailable(f"The template took longer than {self._within_s:g} seconds.") from None
        finally:
            self._queued -= 1

    def close(self) -> None:
        """Stop the thread, and cancel what is queued."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _unavailable(detail: str) -> Unavailable:
    return Unavailable(detail, hint="Send the message again in a moment.")
