"""Cost of a million waiting alerts, and of a hundred thousand deliveries.

    python -m benchmarks.scale [--quick] [--messages N] [--deliveries N] [--only PART...]

Parts: queries (claims, and others that could slow down as the database grows), start (until the daemon accepts,
compared to a process that only imports the same modules), memory, lateness (of alerts that escalate within one second
among all the others), deliveries (without limits). The database is SQLite; its alerts wait because Telegram is away.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path

from benchmarks.field.figures import Figure, at_most
from benchmarks.load.figures import Spread, percentile
from benchmarks.load.filling import fill
from benchmarks.size import footprint, lateness, queries
from benchmarks.size.deliveries import MARKS, deliveries
from benchmarks.size.home import new_home

CHATS = [str(700_000_000 + number) for number in range(10_000)]
QUICK_MESSAGES, QUICK_DELIVERIES = 20_000, 1000
ROUNDS = 5
QUERY_ROUNDS = 50
FEW_MESSAGES = 1000
ESCALATING = 1000


@dataclass(frozen=True)
class Stage:
    """Databases of the parts, one with FEW_MESSAGES and a full one, and a folder with a short path."""

    folder: Path
    small: Path
    full: Path
    deliveries: int


async def _start(stage: Stage) -> list[Figure]:
    found = await footprint.starts(stage.folder, stage.small, stage.full, rounds=ROUNDS)
    seconds = [Spread.of([getattr(each, name) for each in found]).shown(2) for name in ("imports", "small", "full")]
    ratio = Spread.of([each.full / each.imports for each in found])
    return [
        Figure("start: imports alone, s", seconds[0]),
        Figure("start: until it accepts, few alerts, s", seconds[1]),
        Figure("start: until it accepts, all alerts, s", seconds[2]),
        at_most("start: all alerts, compared to the imports", ratio.median, 1.5, digits=2),
    ]


async def _memory(stage: Stage) -> list[Figure]:
    small = await footprint.memory(stage.folder / "s", stage.small)
    full = await footprint.memory(stage.folder / "f", stage.full)
    return [
        Figure(f"memory: {FEW_MESSAGES} alerts", f"{small:.0f} MB"),
        Figure("memory: all", f"{full:.0f} MB"),
        at_most("memory: increase for the rest", full - small, 100, " MB"),
    ]


async def _queries(stage: Stage) -> list[Figure]:
    small, full = [
        await queries.timed(f"sqlite:///{database}", rounds=QUERY_ROUNDS) for database in (stage.small, stage.full)
    ]
    return [
        Figure(f"query: {what}", f"{full[what]:.2f} ms ({FEW_MESSAGES} alerts: {small[what]:.2f} ms)") for what in full
    ]


async def _lateness(stage: Stage) -> list[Figure]:
    config = new_home(stage.folder / "l", stage.full).config
    late = await lateness.measured(config, ESCALATING, "escalations")
    return [
        Figure(f"lateness: {len(late)} alerts escalating within 1 s, p50", f"{percentile(late, 0.5):.1f} ms"),
        at_most("lateness: p99", percentile(late, 0.99), 10, " ms", 1),
        Figure("lateness: max", f"{late[-1]:.1f} ms"),
    ]


async def _deliveries(stage: Stage) -> list[Figure]:
    folder = stage.folder / "d"
    folder.mkdir()
    run = await deliveries(folder, stage.deliveries)
    memory = ", ".join(f"{at:.0f} MB at {mark:.0%}" for mark, at in zip(MARKS, run.memory_mb, strict=True))
    return [
        Figure(f"deliveries: {run.count} in {run.seconds:.0f} s", f"{run.count / run.seconds:.0f} per second"),
        at_most("deliveries: CPU per delivery", run.cpu_ms, 1, " ms", 2),
        Figure("deliveries: memory", memory),
        at_most("deliveries: growth after the first 20 %", run.memory_mb[-1] - run.memory_mb[0], 5, " MB", 1),
    ]


# Queries come first: once the daemon has noticed the outage, it claims only to probe Telegram.
PARTS: dict[str, Callable[[Stage], Coroutine[object, object, list[Figure]]]] = {
    "queries": _queries,
    "start": _start,
    "memory": _memory,
    "lateness": _lateness,
    "deliveries": _deliveries,
}


async def _run(parts: list[str], messages: int, count: int) -> None:
    with tempfile.TemporaryDirectory(prefix="nb") as name:
        folder = Path(name)
        stage = Stage(folder, folder / "small.sqlite3", folder / "full.sqlite3", count)
        await asyncio.to_thread(fill, f"sqlite:///{stage.small}", FEW_MESSAGES, CHATS)
        if parts != ["deliveries"]:
            print(f"{messages} waiting alerts: filling the database", file=sys.stderr, flush=True)
            await asyncio.to_thread(fill, f"sqlite:///{stage.full}", messages, CHATS)
        print(f"{messages} waiting alerts in {len(CHATS)} chats, compared to a database with {FEW_MESSAGES}")
        for part in parts:
            load = os.getloadavg()[0]
            for figure in await PARTS[part](stage):
                print(figure.line(), flush=True)
            print(f"{part}: started at a load average of {load:.1f}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--deliveries", type=int, default=100_000)
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS), metavar="PART")
    parser.add_argument("--quick", action="store_true", help="small figures, only to check that everything runs")
    options = parser.parse_args()
    if options.quick:
        options.messages, options.deliveries = QUICK_MESSAGES, QUICK_DELIVERIES
    asyncio.run(_run(options.only, options.messages, options.deliveries))


if __name__ == "__main__":
    main()
