"""Fills templates in beside everything else: one after the other, and no more wait for it than soon have their turn."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from notifybot.errors import Unavailable
from notifybot.templates import Rendered

MOST_AT_ONCE = 32
WITHIN_S = 10.0
"""A rendering that takes all its steps takes a few tenths of a second."""


class Renderer:
    """One thread of its own: whatever templates cost, the common threads are left to others."""

    def __init__(self, render: Callable[[str, Mapping[str, object]], Rendered], *, within_s: float = WITHIN_S) -> None:
        """`render`: as Templates.render."""
        self._render = render
        self._within_s = within_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="templates")
        self._asked = 0

    async def render(self, name: str, data: Mapping[str, object]) -> Rendered:
        """What Templates.render makes and raises; Unavailable where too many wait, or this one waited too long."""
        if self._asked >= MOST_AT_ONCE:
            raise _unavailable("Too many messages wait for their templates to be filled in.")
        self._asked += 1
        try:
            async with asyncio.timeout(self._within_s):
                return await asyncio.get_running_loop().run_in_executor(self._thread, self._render, name, data)
        except TimeoutError:
            raise _unavailable(f"The template was not filled in within {self._within_s:g} seconds.") from None
        finally:
            self._asked -= 1

    def close(self) -> None:
        """Let go of the thread; what still waits for it is given up."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _unavailable(detail: str) -> Unavailable:
    return Unavailable(detail, hint="Send the message again in a moment.")
