"""Attacks on the daemon's memory, and an alert of another caller meanwhile.

    python -m benchmarks.memory_attacks [--quick] [NAME …]

The real daemon and the sandbox are separate processes. The peak is VmHWM, reset before each attack. While an attack
runs, a victim sends an alert every half second: until its 202, and until its call at Telegram.
"""

import asyncio
import contextlib
import json
import resource
import socket
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import ClientError, ClientSession, UnixConnector

from benchmarks.field.apart import WITHIN, Apart, apart
from benchmarks.field.figures import Figure, at_most, latencies
from benchmarks.field.trials import Trial, run_trials
from tests.support.certificates import certificate

SEED = 7
LARGE = 960_000
NOTICES = 14
DUE_AFTER = timedelta(seconds=6)
READERS = 4
STORED = 60
CONNECTIONS = 3000
FEW_FILES = 120
ALERT_EVERY_S = 0.5
LASTS_S = 8.0
MAX_MB, ACCEPTED_WITHIN_MS, SHOWN_WITHIN_MS = 256, 1000, 5000
ODD = ({"text": "no date"}, {"text": "x" * 900_000}, {"date": "x", "chat": 7, "entities": [[]] * 50_000})

JSON = {"Content-Type": "application/json"}

Attack = Callable[[Apart], Awaitable[None]]


def main() -> int:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2 * CONNECTIONS), hard))
    return run_trials(TRIALS, about=__doc__, seed=SEED, brief=("markup", "connections"))


@dataclass(frozen=True)
class Waits:
    """Seconds until the 202s, and until the calls."""

    accepted: list[float]
    shown: list[float]


def under(attack: Attack, *, prepare: Attack | None = None) -> Trial:
    async def trial() -> list[Figure]:
        async with apart(_with_tls) as run:
            if prepare is not None:
                await prepare(run)
            await _victim(run, asyncio.create_task(asyncio.sleep(1)))
            rest, logged = run.begin_peak(), run.home.log.stat().st_size
            waits = await _victim(run, asyncio.create_task(_lasting(attack(run))))
            return [
                Figure("at rest", f"{rest:.1f} MB"),
                at_most("peak above rest", run.peak_mb() - rest, MAX_MB, " MB", 1),
                at_most("log written", (run.home.log.stat().st_size - logged) / 1e6, 1, " MB", 2),
                Figure("alerts accepted", latencies(waits.accepted)),
                at_most("the slowest", 1000 * max(waits.accepted), ACCEPTED_WITHIN_MS, " ms"),
                Figure("alerts shown", latencies(waits.shown)),
                at_most("the slowest", 1000 * max(waits.shown), SHOWN_WITHIN_MS, " ms"),
            ]

    return trial


def _with_tls(folder: Path) -> Mapping[str, object]:
    certificate(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    tls = {"certificate": str(folder / "chain.pem"), "key": str(folder / "key.pem")}
    return {"http": {"listen": f"127.0.0.1:{port}", "tls": tls}}


async def _lasting(attack: Awaitable[None]) -> None:
    """Let the attack, and what follows from it, take LASTS_S at least."""
    await asyncio.gather(attack, asyncio.sleep(LASTS_S))


async def _victim(run: Apart, while_running: "asyncio.Task[None]") -> Waits:
    """Send alerts until the task is done."""
    (chat_id,) = await run.groups(1)
    accepted, sent = list[float](), dict[str, float]()
    socket_path = str(run.home.socket)
    async with ClientSession("http://notifybot", connector=UnixConnector(socket_path), timeout=WITHIN) as victim:
        while not while_running.done():
            content = f"victim {time.time_ns()}"
            began, sent[content] = time.monotonic(), time.time()
            async with victim.post("/api/ingest", json={"content": content, "channel_id": chat_id}) as response:
                assert response.status == 202, await response.text()
            accepted.append(time.monotonic() - began)
            await asyncio.sleep(ALERT_EVERY_S)
    await while_running
    shown = await run.shows(*sent)
    return Waits(accepted, [shown[content].at - at for content, at in sent.items()])


async def _send(run: Apart, body: Mapping[str, object], path: str = "/api/ingest") -> None:
    data = json.dumps(body, ensure_ascii=False).encode()
    async with run.daemon.post(path, data=data, headers=JSON) as response:
        await response.read()
        assert response.status in (200, 202, 400), await response.text()


def _notice(chat_id: int, content: str, **more: object) -> dict[str, object]:
    return {"content": content, "channel_id": chat_id, "acknowledge": False, **more}


# Attacks


async def markup(run: Apart) -> None:
    """Let 14 notices of 0.96 MB of MarkdownV2 fall due at once."""
    chats = await run.groups(NOTICES)
    due = (datetime.now(UTC) + DUE_AFTER).isoformat()  # noqa: TID251
    content = "*a* " * (LARGE // 4)
    await asyncio.gather(*(_send(run, _notice(chat, content, parse_mode="MarkdownV2", send_at=due)) for chat in chats))
    files = 0
    while files < NOTICES:
        await asyncio.sleep(0.5)
        files = sum(call.method == "sendDocument" for call in await run.seen())


async def nested_lists(run: Apart) -> None:
    """Send bodies of nested lists, and of half a million values."""
    bodies = ["[" * 500_000 + "]" * 500_000, '{"data":[' + "[]," * 300_000 + "[]]}", "[" + "{}," * 300_000 + "{}]"]
    for body in bodies * 5:
        async with run.daemon.post("/api/ingest", data=body, headers=JSON) as response:
            assert response.status == 400


async def store_messages(run: Apart) -> None:
    (chat_id,) = await run.groups(1)
    later = (datetime.now(UTC) + timedelta(days=30)).isoformat()  # noqa: TID251
    for _ in range(STORED):
        await _send(run, _notice(chat_id, "\N{FIRE}" * (LARGE // 4), send_at=later))
        await _send(run, _notice(chat_id, "x" * LARGE, send_at=later))


async def pages(run: Apart) -> None:
    """Read lists of 500 messages of 1 MB, at four readers, and at twenty who read nothing."""
    slow = [await _silent_reader(run) for _ in range(20)]
    until = time.monotonic() + LASTS_S

    async def read(path: str) -> None:
        while time.monotonic() < until:
            async with run.daemon.get(path) as response:
                async for _ in response.content.iter_chunked(65536):
                    pass

    with contextlib.suppress(ClientError):
        await asyncio.gather(*(read("/api/messages?limit=500") for _ in range(READERS)), read("/pending-messages"))
    for writer in slow:
        writer.close()


async def _silent_reader(run: Apart) -> asyncio.StreamWriter:
    _, writer = await asyncio.open_unix_connection(run.home.socket, limit=1)
    writer.write(b"GET /api/messages?limit=500 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return writer


async def connections(run: Apart) -> None:
    """Open 3,000 connections to the TLS port and say nothing, or half a handshake."""
    port = int(json.loads(run.home.config.read_text())["http"]["listen"].rpartition(":")[2])
    async with _opened(port, CONNECTIONS):
        await asyncio.sleep(LASTS_S)


@contextlib.asynccontextmanager
async def _opened(port: int, count: int) -> AsyncIterator[None]:
    with contextlib.ExitStack() as stack:
        for number in range(count):
            with contextlib.suppress(OSError):
                line = stack.enter_context(socket.socket())
                line.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    line.connect(("127.0.0.1", port))
                if number % 2:
                    with contextlib.suppress(OSError):
                        line.send(b"\x16\x03\x01\x02\x00")
            if number % 50 == 0:
                await asyncio.sleep(0.01)
        yield


async def handshakes(run: Apart) -> None:
    """Open as many encrypted connections as the daemon takes, and send half a request on each."""
    port = int(json.loads(run.home.config.read_text())["http"]["listen"].rpartition(":")[2])
    trust = ssl.create_default_context(cafile=run.home.folder / "chain.pem")
    gate = asyncio.Semaphore(8)
    writers: list[asyncio.StreamWriter] = []

    async def connect() -> None:
        async with gate:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust, server_hostname="localhost")
                writer.write(b"POST /api/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n\r\n{")
                writers.append(writer)

    await asyncio.gather(*(connect() for _ in range(600)))
    for writer in writers:
        writer.transport.abort()


async def descriptors(run: Apart) -> None:
    """Use up the daemon's descriptors."""
    resource.prlimit(run.pid, resource.RLIMIT_NOFILE, (FEW_FILES, FEW_FILES))
    await connections(run)


async def odd_updates(run: Apart) -> None:
    """Let Telegram return updates without a date, huge ones, and results of the wrong shape."""
    for number in range(20):
        message = ODD[number % len(ODD)]
        result = [{"update_id": 900_000_000 + number, "message": message}] if number % 5 else {"not": "a list"}
        await run.fault(kind="result", method="getUpdates", result=result, times=3)
    while "an update cannot be read" not in run.home.log.read_text():  # noqa: ASYNC110 - the log does not tell us
        await asyncio.sleep(0.5)
    await asyncio.sleep(3 * LASTS_S)


TRIALS: Mapping[str, Trial] = {
    "markup": under(markup),
    "nested-lists": under(nested_lists),
    "pages": under(pages, prepare=store_messages),
    "connections": under(connections),
    "handshakes": under(handshakes),
    "descriptors": under(descriptors),
    "odd-updates": under(odd_updates),
}

if __name__ == "__main__":
    sys.exit(main())
