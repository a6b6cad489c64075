"""A server restart under a running daemon: callers retry, nothing is lost, the daemon keeps running."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from notifybot.times.clock import Clock
from tests.postgres.server import MISSING, Server, find_binaries, serving
from tests.stories.places import Place
from tests.stories.world import World
from tests.support.databases import PostgresTemplate, new_template

CALLERS = 4
RESTARTS = 3
BETWEEN_RESTARTS = 12
"""Messages accepted between two restarts."""


@pytest.fixture(scope="module")
def fragile() -> Iterator[Server]:
    """A server that tests may stop."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip(MISSING)
    with serving(binaries) as server:
        yield server


@pytest.fixture
async def world(fragile: Server, tmp_path: Path) -> AsyncIterator[World]:
    """A world whose daemon runs in real time, since it waits a second after each failure."""
    template = new_template("postgresql", tmp_path, fragile)
    assert isinstance(template, PostgresTemplate)
    async with World(tmp_path, template) as world:
        await world.starts(Clock())
        yield world


class Callers:
    """Send notices one after the other, each once; refused ones are not retried."""

    def __init__(self, world: World, to: Place) -> None:
        self._world = world
        self._to = to
        self.accepted: list[str] = []
        self.refused: list[str] = []
        self._tasks = [asyncio.create_task(self._call(number)) for number in range(CALLERS)]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def reach(self, accepted: int) -> None:
        await self._world.sees(lambda: len(self.accepted) >= accepted, f"{accepted} notices are accepted")

    async def _call(self, caller: int) -> None:
        number = 0
        while True:
            number += 1
            content = f"{caller}-{number}"
            answer = await post(self._world, content, self._to)
            if answer.status == 202:
                self.accepted.append(content)
                self._world.bell.fire()
            else:
                assert_come_again(answer)
                self.refused.append(content)
                await asyncio.sleep(0.05)


async def post(world: World, content: str, to: Place) -> aiohttp.ClientResponse:
    body = {"content": content, "channel_id": to.id, "acknowledge": False}
    async with world.client.post("/api/ingest", json=body) as response:
        await response.read()
    return response


def assert_come_again(answer: aiohttp.ClientResponse) -> None:
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) >= 1


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["restart", "crash"])
async def test_while_the_server_is_away_callers_get_503(world: World, fragile: Server, how: signal.Signals) -> None:
    ops = world.group("Ops")
    await world.notice("before", to=ops)
    await ops.receives("before")
    fragile.stop(how)

    assert_come_again(await post(world, "meanwhile", ops))
    health = await world.ask("GET", "/health")
    assert (health.status, health.body["database"]) == (503, "failed")

    fragile.start()
    assert (await post(world, "after", ops)).status == 202
    await ops.receives("after")
    assert (await world.ask("GET", "/health")).status == 200
    assert "meanwhile" not in ops.texts


async def test_restarts_under_load_lose_nothing_and_duplicate_nothing(world: World, fragile: Server) -> None:
    """No notice and no record is lost, and no refused one is stored."""
    ops = world.group("Ops")
    callers = Callers(world, ops)
    for restart in range(RESTARTS):
        await callers.reach((restart + 1) * BETWEEN_RESTARTS)
        await asyncio.to_thread(fragile.restart, signal.SIGQUIT if restart % 2 else signal.SIGINT)
    await callers.reach((RESTARTS + 1) * BETWEEN_RESTARTS)
    await callers.stop()

    await world.sees(lambda: not world.rows("SELECT 1 FROM deliveries WHERE status <> 'shown'"), "all is shown")
    assert callers.refused
    assert not set(callers.refused) & set(ops.texts)
    late = set(ops.texts) - set(callers.accepted)  # accepted while the test stopped listening
    assert len(late) <= CALLERS
    assert sorted(ops.texts) == sorted([*callers.accepted, *late])
    assert world.rows("SELECT 1 FROM timeline WHERE event = 'uncertain'") == []
    assert world.rows("SELECT 1 FROM deliveries WHERE attempts <> 1") == []


async def test_a_press_while_the_server_is_away_counts_once_it_is_back(world: World, fragile: Server) -> None:
    ops = world.group("Ops")
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    fragile.stop()
    query = post.press(anna)
    await world.logs("an update could not be stored")
    fragile.start()

    await post.becomes("Acknowledged by Anna", buttons=[])
    assert await post.answer_to(query)
    assert (await alert.becomes("closed"))["acknowledged_by"]["name"] == "Anna"
