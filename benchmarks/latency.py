"""Latency from an accepted alert to its call at Telegram, at a steady rate, with one chat per alert.

    python -m benchmarks.latency [--rate 20] [--seconds 30] [--quick]

The daemon and the sandbox both run with Telegram's limits. All times are from one clock:
request sent, 202 received, call arrived at the sandbox. Between two alerts, a bare
aiohttp call to the sandbox measures the minimum cost of a call on this machine at this moment.
"""

import argparse
import asyncio
import gc
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import quantiles

from aiohttp import ClientSession, UnixConnector

from benchmarks.lab.lab import add_person
from benchmarks.lab.process import Home, new_sandbox, start
from benchmarks.lab.tables import table
from notifybot.sandbox import Sandbox, serving

QUICK_SECONDS = 5.0
SHOWN_WITHIN_S = 30.0
WARM_UP = 20


@dataclass(frozen=True)
class Trip:
    """One request, in Unix seconds: sent, response received, arrived at the sandbox."""

    sent: float
    answered: float
    arrived: float


@dataclass(frozen=True)
class Measured:
    alerts: Sequence[Trip]
    bare: Sequence[Trip]


def main() -> None:
    options = _parser().parse_args()
    seconds = QUICK_SECONDS if options.quick else options.seconds
    with tempfile.TemporaryDirectory(prefix="nb") as folder:
        measured = asyncio.run(_measure(Home(Path(folder)), options.rate, round(options.rate * seconds)))
    print(report(measured, f"{options.rate:g} alerts/s for {seconds:g} s"))


async def _measure(home: Home, rate: float, alerts: int) -> Measured:
    sandbox = new_sandbox(limits=True)
    chats = [add_person(sandbox, f"Person{number}").id for number in range(alerts + WARM_UP)]
    async with serving(sandbox) as url:
        home.configure(sandbox, url, escalation_channel=None)
        life = await start(home)
        try:
            assert await life.ready(), home.log_tail()
            async with bench(sandbox, home, url) as calls:
                await calls.at_rate(rate, chats[:WARM_UP])
                gc.collect()
                gc.freeze()
                return await calls.at_rate(rate, chats[WARM_UP:])
        finally:
            life.terminate()
            await life.end()


@asynccontextmanager
async def bench(sandbox: Sandbox, home: Home, url: str) -> AsyncIterator["Bench"]:
    async with (
        ClientSession(connector=UnixConnector(str(home.socket))) as daemon,
        ClientSession() as telegram,
    ):
        yield Bench(sandbox, daemon, telegram, url)


class Bench:
    """Sends alerts to the daemon and bare calls to the sandbox, and finds both in the sandbox's call log."""

    def __init__(self, sandbox: Sandbox, daemon: ClientSession, telegram: ClientSession, url: str) -> None:
        self._sandbox = sandbox
        self._daemon = daemon
        self._telegram = telegram
        self._bare_url = f"{url}/bot{sandbox.token}/getMe"

    async def at_rate(self, rate: float, chats: Sequence[int]) -> Measured:
        """Send one alert per chat, evenly spaced, with a bare call halfway to the next."""
        alerts, bare = await asyncio.gather(
            evenly([partial(self._alert, chat) for chat in chats], rate, delay=0.0),
            evenly([self._bare_call for _ in chats], rate, delay=0.5 / rate),
        )
        return Measured(alerts, bare)

    async def _alert(self, chat_id: int) -> Trip:
        sent = time.time()
        body = {"content": "disk full", "channel_id": chat_id}
        async with self._daemon.post("http://notifybot/api/ingest", json=body) as response:
            answered = time.time()
            assert response.status == 202, await response.text()
        await self._sandbox.wait_for(lambda: self._sandbox.messages(chat_id), timeout=SHOWN_WITHIN_S)
        call = self._sandbox.calls.of("sendMessage", chat_id=chat_id)[-1]
        return Trip(sent, answered, call.at)

    async def _bare_call(self) -> Trip:
        sent = time.time()
        async with self._telegram.post(self._bare_url) as response:
            answered = time.time()
            assert response.status == 200
        return Trip(sent, answered, self._sandbox.calls.of("getMe")[-1].at)


async def evenly(actions: Sequence[Callable[[], Awaitable[Trip]]], rate: float, *, delay: float) -> list[Trip]:
    """Start `rate` actions per second, without waiting for earlier ones."""
    loop = asyncio.get_running_loop()
    begin = loop.time() + delay
    begun: list[asyncio.Future[Trip]] = []
    for number, action in enumerate(actions):
        await asyncio.sleep(begin + number / rate - loop.time())
        begun.append(asyncio.ensure_future(action()))
    return await asyncio.gather(*begun)


def report(measured: Measured, subtitle: str) -> str:
    rows = [
        ("request sent → 202 received", [trip.answered - trip.sent for trip in measured.alerts]),
        ("202 received → call at Telegram", [trip.arrived - trip.answered for trip in measured.alerts]),
        ("request sent → call at Telegram", [trip.arrived - trip.sent for trip in measured.alerts]),
        ("bare call: sent → at Telegram", [trip.arrived - trip.sent for trip in measured.bare]),
        ("bare call: sent → response", [trip.answered - trip.sent for trip in measured.bare]),
    ]
    columns = ["p50", "p90", "p99", "max", "n"]
    return table(f"From a caller to Telegram, in ms: {subtitle}", columns, [(name, figures(s)) for name, s in rows])


def figures(spans: Sequence[float]) -> list[str]:
    cuts = quantiles(spans, n=100, method="inclusive")
    return [f"{1000 * figure:.1f}" for figure in (cuts[49], cuts[89], cuts[98], max(spans))] + [str(len(spans))]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.latency", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rate", type=float, default=20.0, help="alerts per second")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SECONDS:g} s only")
    return parser


if __name__ == "__main__":
    main()
