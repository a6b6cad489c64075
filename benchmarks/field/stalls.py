"""Stalls of this process caused by the machine, which a benchmark must not blame on the daemon."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

LOOK_S = 0.005


@asynccontextmanager
async def held_up() -> AsyncIterator[list[float]]:
    """Collect the delay of each wake-up, in ms. Calls that arrive during a stall seem to arrive at once."""
    stalls = [0.0]

    async def look() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(LOOK_S)
            stalls.append(1000 * (time.perf_counter() - before - LOOK_S))

    looking = asyncio.create_task(look())
    try:
        yield stalls
    finally:
        looking.cancel()
