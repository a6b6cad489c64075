"""Throughput of accepting alerts, each on disk before its response, and latency of the callers.

    python -m benchmarks.throughput [--quick] [--rounds N] [--seconds S] [--messages N] [--only sqlite]

Each round restarts the servers on fresh databases and runs each case on one server after the other, while the others
are stopped, so that other work on the machine affects all of them. Meanwhile, notifybot delivers to a sandbox as fast
as Telegram's limits allow. The baselines use the same aiohttp with the same validation of the same fields:

    nothing   a handler that stores nothing
    sql       the same four rows in plain SQL, with a commit for each request
    orm       the same four rows through an SQLModel session for each request

Each server is warmed up before a round counts: a cold baseline flatters the daemon. `CPU µs` is what the server used
for each request, and `callers' CPU` is the share of one core that the callers used: if it is far below 1, they are not
the bottleneck.
"""

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.load.caller import Load
from benchmarks.load.databases import Databases, databases
from benchmarks.load.filling import furnish
from benchmarks.load.plain_stores import Kind
from benchmarks.load.results import CASES, FULL_LOAD, FULL_OF_MESSAGES, NOTIFYBOT, Case, Results
from benchmarks.load.servers import Server, fill, measured, notifybot, people, plain
from notifybot.sandbox import Sandbox

QUICK_ROUNDS, QUICK_SECONDS = 3, 0.5
WARM_UP_S = 1.0
ONE_COMMIT_EACH = (Kind.SQL, Kind.ORM)
"""Baselines that cannot keep up with half of notifybot's rate; there, only their queue would grow."""
Servers = dict[str, Server]


@dataclass(frozen=True)
class Plan:
    """Settings of a run. `messages`: in the database of FULL_OF_MESSAGES; 0 skips that server."""

    rounds: int
    seconds: float
    messages: int
    chat_ids: list[int]


async def _compare(plan: Plan, source: Databases) -> Results:
    """Run all rounds on databases of one kind."""
    full = f", {plan.messages} messages in the full database" if plan.messages else ""
    results = Results(f"{source.name}{full}")
    async with AsyncExitStack() as running:
        lasting = await _full_of_messages(running, plan, source)
        for number in range(plan.rounds):
            load = os.getloadavg()[0]
            await _round(plan, source, lasting, number, results)
            done = f"{source.name}: round {number + 1} of {plan.rounds}, started at a load average of {load:.1f}"
            print(done, file=sys.stderr, flush=True)
    return results


async def _full_of_messages(running: AsyncExitStack, plan: Plan, source: Databases) -> Servers:
    """Run a daemon with a full database, for all rounds."""
    if not plan.messages:
        return {}
    url = source.new()
    print(f"{source.name}: {plan.messages} messages: filling the database", file=sys.stderr, flush=True)
    await fill(url, plan.messages, plan.chat_ids)
    return {FULL_OF_MESSAGES: await running.enter_async_context(notifybot(url))}


async def _round(plan: Plan, source: Databases, lasting: Servers, number: int, results: Results) -> None:
    async with AsyncExitStack() as running:
        servers = await _start(running, plan, source) | lasting
        for server in servers.values():
            with server.awake():
                await measured(_load(FULL_LOAD, server, plan, seconds=WARM_UP_S))
        for case in CASES:
            names = [name for name in servers if case.share is None or name not in ONE_COMMIT_EACH]
            for name in names if number % 2 else reversed(names):
                await _take(case, name, servers[name], plan, results)


async def _start(running: AsyncExitStack, plan: Plan, source: Databases) -> Servers:
    starts: dict[str, Callable[[str], AbstractAsyncContextManager[Server]]] = {NOTIFYBOT: notifybot}
    starts |= {kind: partial(plain, kind) for kind in Kind}
    servers = {}
    for name, start in starts.items():
        url = source.new()
        furnish(url, [str(chat_id) for chat_id in plan.chat_ids])
        servers[name] = await running.enter_async_context(start(url))
    return servers


async def _take(case: Case, name: str, server: Server, plan: Plan, results: Results) -> None:
    rate = None if case.share is None else case.share * results.rates(FULL_LOAD, NOTIFYBOT)[-1]
    with server.awake():
        results.loads.append(os.getloadavg()[0])
        results.found[case, name].append(await measured(_load(case, server, plan, seconds=plan.seconds, rate=rate)))


def _load(case: Case, server: Server, plan: Plan, *, seconds: float, rate: float | None = None) -> Load:
    return Load(
        socket=str(server.socket),
        pid=server.pid,
        callers=case.callers,
        seconds=seconds,
        chat_ids=plan.chat_ids[: case.chats],
        rate=rate,
        new_connections=case.new_connections,
    )


async def _run(options: argparse.Namespace) -> None:
    chat_ids = people(Sandbox())
    plan = Plan(options.rounds, options.seconds, options.messages, chat_ids)
    if options.quick:
        plan = Plan(QUICK_ROUNDS, QUICK_SECONDS, 0, chat_ids)
    with tempfile.TemporaryDirectory(prefix="nb") as folder, databases(Path(folder)) as sources:
        for source in sources:
            if options.only in (None, source.name.lower()):
                print((await _compare(plan, source)).report(), end="\n\n", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.throughput", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="duration of each measurement")
    parser.add_argument("--messages", type=int, default=1_000_000, help="messages in the full database")
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--quick", action="store_true", help="short rounds, without the full database")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
