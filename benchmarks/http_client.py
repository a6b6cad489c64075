"""HTTP clients for Telegram: the library's own (httpx) compared to notifybot's on aiohttp, alternating in one run.

    python -m benchmarks.http_client [--rounds 5] [--calls 2000] [--quick]

Both make the same `sendMessage` calls through one python-telegram-bot `Bot` to a sandbox in a separate process
without rate limits. CPU time is that of this process, which does nothing else.
"""

import argparse
import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from statistics import median, quantiles
from typing import IO

from aiohttp import ClientSession
from telegram import Bot
from telegram.request import HTTPXRequest

from benchmarks.field.apart import sandbox_apart
from benchmarks.lab.tables import table
from notifybot.rendering.parts import Part, Send, Stored
from notifybot.telegram_api.http import AiohttpRequest
from notifybot.telegram_api.sender import TelegramSender

AT_ONCE = (1, 16, 50)
"""Calls in flight; the dispatcher has at most 50."""
QUICK_ROUNDS, QUICK_CALLS = 2, 300
TEXT = "disk full on db1: 97 % of /var"
Call = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Taken:
    """One round of calls: rate, CPU time per call in ms, and 99th percentile of their duration in ms."""

    rate: float
    cpu_ms: float
    p99_ms: float


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.http_client", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--quick", action="store_true", help="short rounds")
    options = parser.parse_args()
    rounds, calls = (QUICK_ROUNDS, QUICK_CALLS) if options.quick else (options.rounds, options.calls)
    print(asyncio.run(_compare(rounds, calls)))


async def _compare(rounds: int, calls: int) -> str:
    found: dict[tuple[str, int], list[Taken]] = {}
    requests = HTTPXRequest(connection_pool_size=max(AT_ONCE), pool_timeout=30.0), AiohttpRequest()
    async with _group() as (url, token, chat_id), AsyncExitStack() as closing:
        for request in requests:
            await request.initialize()
            closing.push_async_callback(request.shutdown)
        theirs, ours = (Bot(token, base_url=f"{url}/bot", request=request) for request in requests)
        clients = {
            "the library's request, its objects": _by_library(theirs, chat_id),
            "notifybot's request, the library's objects": _by_library(ours, chat_id),
            "notifybot's request, plain JSON": _by_notifybot(ours, chat_id),
        }
        for number in range(rounds):
            for at_once in AT_ONCE:
                for name in clients if number % 2 else reversed(clients):
                    found.setdefault((name, at_once), []).append(await _take(clients[name], calls, at_once))
    columns = ("calls/s", "CPU ms per call", "p99 ms")
    rows = [(f"{at_once} at once: {name}", _row(found[name, at_once])) for at_once in AT_ONCE for name in clients]
    return table(f"sendMessage, median (min-max) of {rounds} rounds of {calls} calls", columns, rows)


def _row(taken: list[Taken]) -> list[str]:
    def shown(values: list[float], form: str) -> str:
        return f"{median(values):{form}} ({min(values):{form}}-{max(values):{form}})"

    return [
        shown([each.rate for each in taken], ".0f"),
        shown([each.cpu_ms for each in taken], ".2f"),
        shown([each.p99_ms for each in taken], ".1f"),
    ]


def _by_library(bot: Bot, chat_id: int) -> Call:
    return lambda: bot.send_message(chat_id, TEXT)


def _by_notifybot(bot: Bot, chat_id: int) -> Call:
    sender, call = TelegramSender(bot, _no_file), Send(str(chat_id), Part(TEXT))
    return lambda: sender.show(call)


def _no_file(stored: Stored) -> IO[bytes]:
    raise FileNotFoundError(stored.sha256)


async def _take(call: Call, calls: int, at_once: int) -> Taken:
    await asyncio.gather(*(call() for _ in range(at_once)))  # opens the connections
    coming = iter(range(calls))
    lasted: list[float] = []

    async def caller() -> None:
        for _ in coming:
            began = time.perf_counter()
            await call()
            lasted.append(time.perf_counter() - began)

    began, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*(caller() for _ in range(at_once)))
    seconds, used = time.perf_counter() - began, time.process_time() - used
    return Taken(calls / seconds, used / calls * 1000, quantiles(lasted, n=100)[-1] * 1000)


@asynccontextmanager
async def _group() -> AsyncIterator[tuple[str, str, int]]:
    """Run a sandbox; yield its URL, its bot's token, and a group with the bot."""
    token = f"600000001:{secrets.token_hex(20)}"
    async with sandbox_apart(token) as url, ClientSession(url) as http:
        group = {"type": "supergroup", "title": "Ops", "member_ids": []}
        async with http.post("/sandbox/chats", json=group) as response:
            chat_id = int((await response.json())["id"])
        yield url.rstrip("/"), token, chat_id


if __name__ == "__main__":
    main()
