"""Cost of scheduled messages, and of a message to all people.

    python -m benchmarks.schedules [--quick] [--messages N] [--people N] [--only PART...]

Parts: memory (of a daemon with a full database), lateness (of messages released within one second among all
the others), broadcast (accepting one message to all people, and its effect on other callers). The database is
SQLite, Telegram is away.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ClientSession, UnixConnector

from benchmarks.field.figures import Figure, at_most, latencies
from benchmarks.load.figures import Spread, percentile
from benchmarks.size import footprint, lateness
from benchmarks.size.home import new_home, started, stop
from benchmarks.size.waiting import fill_people, fill_scheduled

CHATS = [str(700_000_000 + number) for number in range(10_000)]
QUICK_MESSAGES, QUICK_PEOPLE = 20_000, 1000
FEW_MESSAGES = 1000
RELEASED = 1000
ROUNDS = 7
APART_S = 0.02
"""Pause of another caller between two messages."""


@dataclass(frozen=True)
class Stage:
    """Databases of the parts, and the numbers of messages and people."""

    folder: Path
    messages: int
    people: int

    @property
    def full(self) -> Path:
        return self.folder / "full.sqlite3"


async def _memory(stage: Stage) -> list[Figure]:
    few = stage.folder / "few.sqlite3"
    await asyncio.to_thread(fill_scheduled, f"sqlite:///{few}", FEW_MESSAGES, CHATS)
    small = await footprint.memory(stage.folder / "s", few)
    full = await footprint.memory(stage.folder / "f", stage.full)
    return [
        Figure(f"memory: {FEW_MESSAGES} scheduled messages", f"{small:.0f} MB"),
        Figure(f"memory: {stage.messages}", f"{full:.0f} MB"),
        at_most("memory: increase for the rest", full - small, 100, " MB"),
    ]


async def _lateness(stage: Stage) -> list[Figure]:
    config = new_home(stage.folder / "l", stage.full).config
    late = await lateness.measured(config, RELEASED, "releases")
    return [
        Figure(f"lateness: {len(late)} messages released within 1 s, p50", f"{percentile(late, 0.5):.1f} ms"),
        at_most("lateness: p99", percentile(late, 0.99), 10, " ms", 1),
        Figure("lateness: max", f"{late[-1]:.1f} ms"),
    ]


async def _broadcast(stage: Stage) -> list[Figure]:
    database = stage.folder / "people.sqlite3"
    people = [str(800_000_000 + number) for number in range(stage.people)]
    await asyncio.to_thread(fill_people, f"sqlite:///{database}", people)
    home = new_home(stage.folder / "b", database)
    life, _ = await started(home)
    try:
        async with ClientSession(connector=UnixConnector(str(home.socket))) as http:
            alone = await _others_during(http, asyncio.sleep(ROUNDS * APART_S * 10))
            taken: list[float] = []
            beside = await _others_during(http, _broadcasts(http, taken))
    finally:
        await stop(life)
    return [
        Figure(f"broadcast: accepted for {stage.people} people, s", Spread.of(taken).shown(3)),
        Figure("broadcast: delay of another caller, without it", latencies(alone)),
        Figure("broadcast: delay of another caller, during it", latencies(beside)),
        at_most(
            "broadcast: longest delay of another caller, compared to accepting it",
            max(beside) / max(taken),
            1.5,
            digits=2,
        ),
    ]


async def _broadcasts(http: ClientSession, taken: list[float]) -> None:
    """Send to everyone, again and again; record the seconds until each message is accepted."""
    for number in range(ROUNDS):
        began = time.perf_counter()
        await _hand_over(http, {"to": ["subscribers"], "content": f"the office is closed on day {number}"})
        taken.append(time.perf_counter() - began)
        await asyncio.sleep(APART_S * 10)


async def _others_during(http: ClientSession, what: Coroutine[object, object, None]) -> list[float]:
    """Return the seconds until each message of another caller is accepted meanwhile."""
    waits: list[float] = []

    async def call() -> None:
        while True:
            began = time.perf_counter()
            await _hand_over(http, {"channel_id": -1001000000002, "content": "disk full on db1"})
            waits.append(time.perf_counter() - began)
            await asyncio.sleep(APART_S)

    calling = asyncio.create_task(call())
    await what
    calling.cancel()
    with suppress(asyncio.CancelledError):
        await calling
    return waits


async def _hand_over(http: ClientSession, body: dict[str, object]) -> None:
    async with http.post("http://notifybot/api/ingest", json={**body, "acknowledge": False}) as response:
        if response.status != 202:
            raise RuntimeError(f"not accepted: {response.status} {await response.text()}")


PARTS: dict[str, Callable[[Stage], Coroutine[object, object, list[Figure]]]] = {
    "memory": _memory,
    "lateness": _lateness,
    "broadcast": _broadcast,
}


async def _run(parts: list[str], messages: int, people: int) -> None:
    with tempfile.TemporaryDirectory(prefix="nb") as name:
        stage = Stage(Path(name), messages, people)
        if parts != ["broadcast"]:
            print(f"{messages} scheduled messages: filling the database", file=sys.stderr, flush=True)
            await asyncio.to_thread(fill_scheduled, f"sqlite:///{stage.full}", messages, CHATS)
        for part in parts:
            load = os.getloadavg()[0]
            for figure in await PARTS[part](stage):
                print(figure.line(), flush=True)
            print(f"{part}: started at a load average of {load:.1f}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.schedules", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS), metavar="PART")
    parser.add_argument("--quick", action="store_true", help="small figures, only to check that everything runs")
    options = parser.parse_args()
    if options.quick:
        options.messages, options.people = QUICK_MESSAGES, QUICK_PEOPLE
    asyncio.run(_run(options.only, options.messages, options.people))


if __name__ == "__main__":
    main()
