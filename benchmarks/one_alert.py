"""What one alert costs the daemon, and what it costs to wait for one.

    python -m benchmarks.one_alert [--rate 20] [--seconds 30] [--rest 60] [--database-url URL] [--quick]

Each alert goes to its own chat, with Telegram's limits on both sides. CPU, writes and memory are those of the daemon's
process alone, as the kernel counts them; on PostgreSQL the server writes too, and is not counted.
"""

import argparse
import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import TypeVar

from benchmarks.lab.lab import add_person
from benchmarks.lab.process import Home, Life, new_sandbox, start
from benchmarks.lab.tables import table
from benchmarks.latency import WARM_UP, Measured, bench, report
from benchmarks.load.figures import cpu_s
from notifybot.sandbox import serving

QUICK_SECONDS = 5.0
SETTLED_AFTER_S = 5.0
T = TypeVar("T")


@dataclass(frozen=True)
class Used:
    """What the process has used so far."""

    cpu_s: float
    written_bytes: int

    def __sub__(self, earlier: "Used") -> "Used":
        return Used(self.cpu_s - earlier.cpu_s, self.written_bytes - earlier.written_bytes)


@dataclass(frozen=True)
class Costs:
    alerts: Measured
    of_alerts: Used
    of_rest: Used
    rest_s: float
    resident_mb: float


def main() -> None:
    options = _parser().parse_args()
    seconds, rest = (QUICK_SECONDS, QUICK_SECONDS) if options.quick else (options.seconds, options.rest)
    with tempfile.TemporaryDirectory(prefix="nb") as folder:
        home = Home(Path(folder), database_url=options.database_url)
        costs = asyncio.run(_measure(home, options.rate, round(options.rate * seconds), rest_s=rest))
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    print(report(costs.alerts, f"{options.rate:g} alerts/s for {seconds:g} s, {load}"), "", _report(costs), sep="\n")


async def _measure(home: Home, rate: float, alerts: int, *, rest_s: float) -> Costs:
    sandbox = new_sandbox(limits=True)
    chats = [add_person(sandbox, f"Person{number}").id for number in range(alerts + WARM_UP)]
    channel = sandbox.add_chat("channel", "Escalations")
    async with serving(sandbox) as url:
        home.configure(sandbox, url, escalation_channel=channel.id)
        await _migrated(home)
        life = await start(home)
        try:
            assert await life.ready(), home.log_tail()
            async with bench(sandbox, home, url) as calls:
                await calls.at_rate(rate, chats[:WARM_UP])
                measured, of_alerts = await _used_by(life, lambda: calls.at_rate(rate, chats[WARM_UP:]))
            await asyncio.sleep(SETTLED_AFTER_S)
            _, of_rest = await _used_by(life, lambda: asyncio.sleep(rest_s))
            return Costs(measured, of_alerts, of_rest, rest_s, _resident_mb(life.pid))
        finally:
            life.terminate()
            await life.end()


async def _migrated(home: Home) -> None:
    """Let a first daemon migrate the database: the memory for that is not needed on any other day."""
    life = await start(home)
    assert await life.ready(), home.log_tail()
    life.terminate()
    await life.end()


async def _used_by(life: Life, work: Callable[[], Awaitable[T]]) -> tuple[T, Used]:
    before = _used(life.pid)
    done = await work()
    return done, _used(life.pid) - before


def _used(pid: int) -> Used:
    counts = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return Used(cpu_s(pid), int(counts["write_bytes"]))


def _resident_mb(pid: int) -> float:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(status["VmRSS"].split()[0]) * 1024 / 1e6


def _report(costs: Costs) -> str:
    alerts = len(costs.alerts.alerts)
    trips = quantiles([trip.arrived - trip.sent for trip in costs.alerts.alerts], n=100)
    rows: list[tuple[str, list[object]]] = [
        ("CPU an alert, in ms", [f"{1000 * costs.of_alerts.cpu_s / alerts:.1f}", "4"]),
        ("written an alert, in KB", [f"{costs.of_alerts.written_bytes / alerts / 1000:.0f}", "100"]),
        ("POST → call, p50, in ms", [f"{1000 * trips[49]:.1f}", "4"]),
        ("POST → call, p99, in ms", [f"{1000 * trips[98]:.1f}", "15"]),
        ("CPU an hour at rest, in s", [f"{costs.of_rest.cpu_s / costs.rest_s * 3600:.1f}", "3"]),
        ("written a minute at rest, in KB", [f"{costs.of_rest.written_bytes / costs.rest_s * 60 / 1000:.1f}", "1"]),
        ("resident, in MB", [f"{costs.resident_mb:.0f}", "120"]),
    ]
    return table("One alert, and rest", ["measured", "at most"], rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.one_alert", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rate", type=float, default=20.0, help="alerts per second")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--rest", type=float, default=60.0, metavar="SECONDS", help="how long nothing is sent")
    parser.add_argument("--database-url", help="measure on this database instead of SQLite")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SECONDS:g} s of each only")
    return parser


if __name__ == "__main__":
    main()
