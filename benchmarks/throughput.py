"""How many alerts notifybot accepts a second, each on disk before its caller is told so, and how long callers wait.

    python -m benchmarks.throughput [--quick] [--rounds N] [--seconds S]

Each round starts every server anew on a fresh database and takes each case on one server after the other, so that
what else the machine does meets all of them. `nothing` is the same aiohttp with a pydantic handler that keeps
nothing, `sql` commits four rows in plain SQL for each request, `orm` does so in an SQLModel session of its own.
Notifybot meanwhile shows in a sandbox what Telegram's limits let through. Figures are medians over the rounds.
"""

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.lab.tables import table
from benchmarks.load.caller import Load, Measured
from benchmarks.load.figures import Spread
from benchmarks.load.plain_stores import Kind
from benchmarks.load.servers import Server, measured, notifybot, plain

NOTIFYBOT = "notifybot"
HALF = 0.5


@dataclass(frozen=True)
class Case:
    """`share`: of the rate that notifybot reached at FULL_LOAD; None: as fast as the answers come."""

    name: str
    callers: int
    new_connections: bool = False
    share: float | None = None


FULL_LOAD = Case("64 callers", 64)
HALF_LOAD = Case("64 callers, half load", 64, share=HALF)
CASES = (
    FULL_LOAD,
    HALF_LOAD,
    Case("16 callers", 16),
    Case("1 caller", 1),
    Case("16 callers, new connections", 16, new_connections=True),
)
Results = dict[tuple[str, str], list[Measured]]
"""By case and server, one for each round."""


async def _round(folder: Path, number: int, seconds: float, results: Results) -> None:
    async with contextlib.AsyncExitStack() as running:
        servers = await _start(running, folder)
        order = list(servers)
        for case in CASES:
            for name in order if number % 2 else reversed(order):
                results[case.name, name].append(await measured(_load(case, servers[name], seconds, results)))


async def _start(running: contextlib.AsyncExitStack, folder: Path) -> dict[str, Server]:
    url = f"sqlite:///{folder / 'notifybot.sqlite3'}"
    ours = await running.enter_async_context(notifybot(url))
    servers = {NOTIFYBOT: ours}
    for kind in (Kind.NOTHING,):
        servers[kind] = await running.enter_async_context(plain(kind, url, ours.chat_ids))
    return servers


def _load(case: Case, server: Server, seconds: float, results: Results) -> Load:
    full = results[FULL_LOAD.name, NOTIFYBOT]
    rate = None if case.share is None else case.share * full[-1].rate
    return Load(
        socket=str(server.socket),
        callers=case.callers,
        seconds=seconds,
        chat_ids=server.chat_ids,
        rate=rate,
        new_connections=case.new_connections,
    )


def _report(results: Results) -> str:
    rows = [(f"{case}: {server}", _figures(rounds)) for (case, server), rounds in results.items()]
    columns = ("accepted/s", "p50 ms", "p99 ms", "p99.9 ms", "slowest ms", "callers' CPU")
    return table("Alerts accepted, median (least-most) over the rounds", columns, rows)


def _figures(rounds: Sequence[Measured]) -> list[str]:
    digits = {"rate": 0, "p50": 2, "p99": 2, "p999": 2, "slowest": 1, "busy": 2}
    return [Spread.of([getattr(one, name) for one in rounds]).shown(places) for name, places in digits.items()]


async def _run(rounds: int, seconds: float) -> Results:
    results: Results = defaultdict(list)
    for number in range(rounds):
        with tempfile.TemporaryDirectory(prefix="nb") as folder:
            await _round(Path(folder), number, seconds, results)
        print(f"round {number + 1} of {rounds}, load average {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
    return results


def main() -> int:
    options = _parser().parse_args()
    results = asyncio.run(_run(options.rounds, options.seconds))
    print(_report(results))
    ours, theirs = ([each.rate for each in results[FULL_LOAD.name, server]] for server in (NOTIFYBOT, Kind.NOTHING))
    ratio = Spread.of([one / other for one, other in zip(ours, theirs, strict=True)])
    print(f"\nrate at {FULL_LOAD.name}, of a handler that does nothing: {ratio.shown(2)}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.throughput", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    return parser


if __name__ == "__main__":
    sys.exit(main())
