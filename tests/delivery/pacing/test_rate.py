"""Telegram's overall rate: used, and never exceeded."""

import asyncio
import threading
from itertools import pairwise

from tests.stories.places import Place
from tests.stories.world import World

OVERALL = 30
TURNS = 10


def sent_at(world: World) -> list[float]:
    return sorted(call.at for call in world.sandbox.calls.of("sendMessage"))


async def test_bulk_sending_uses_telegrams_rate_without_a_429(paced: World, channels: list[Place]) -> None:
    for channel in channels:
        await paced.notice("news", to=channel)

    await paced.passes(seconds=4)

    at = sent_at(paced)
    assert len(at) == len(channels)
    assert paced.refusals("sendMessage") == []
    steady = at[-40:]  # the first calls are made while other messages are still being sent
    # The simulated clock ticks at each reading, and the number of readings differs from run to run: the exact
    # share is measured in real time, by benchmarks/pacing.py.
    assert (len(steady) - 1) / (steady[-1] - steady[0]) >= 0.9 * OVERALL


async def test_calls_are_spaced_out_after_a_slow_commit(slow: World) -> None:
    for number in range(5):
        await slow.notice("news", to=slow.group(f"Group {number}"))
    await slow.is_quiet()
    disk_is_back = threading.Event()
    stuck = asyncio.create_task(slow.runtime.database.write(lambda _: disk_is_back.wait()))
    slow.moves(milliseconds=260)
    for _ in range(TURNS):
        await asyncio.sleep(0)  # the next call is claimed now, and its commit waits
    slow.moves(seconds=1)
    disk_is_back.set()
    await stuck

    await slow.passes(seconds=2)

    at = sent_at(slow)
    assert len(at) == 5
    assert min(later - earlier for earlier, later in pairwise(at)) >= 0.1
