"""Connections: slow, silent and non-reading clients, and more of them than the limit."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from notifybot import ingest_server
from notifybot.web import bodies, connections
from tests.support.door import Door, Line, assert_problem, door

HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
SLOW_BODY = b"POST /api/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
PLACES = 4


@pytest.fixture
def few_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", PLACES)


@contextlib.asynccontextmanager
async def lines(opened: Door, count: int, said: bytes = b"") -> AsyncIterator[list[Line]]:
    """Open `count` connections, in this order, and send these bytes on each."""
    async with contextlib.AsyncExitStack() as stack:
        found = []
        for _ in range(count):
            taken = partial(taken_after, opened, open_connections(opened))
            found.append(await stack.enter_async_context(opened.connection()))
            await found[-1].say(said)
            await until(taken)
        yield found


def taken_after(opened: Door, before: int) -> bool:
    return open_connections(opened) > before


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.005)


def open_connections(opened: Door) -> int:
    server = opened.daemon.runner.server
    assert server is not None
    return len(server.connections)


@pytest.mark.parametrize("said", [b"", b"GET /health HT", b"POST /send HTTP/1.1\r\nHost: localhost\r\nA: b\r\n"])
async def test_a_connection_without_a_whole_request_ends_after_a_while(
    folder: Path, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(ingest_server, "REQUEST_WITHIN_S", 0.2)
    async with door(folder) as opened, opened.connection() as line:
        await line.say(said)
        assert await line.is_closed()


async def test_headers_that_drip_in_gain_no_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_server, "REQUEST_WITHIN_S", 0.2)
    async with door(folder) as opened, opened.connection() as line:
        closing = asyncio.create_task(line.is_closed())
        await line.say(b"GET /health HTTP/1.1\r\nHost: ")
        while not closing.done():
            await line.say(b"A")
            await asyncio.wait([closing], timeout=0.01)
        assert await closing


async def test_a_missing_body_times_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_WITHIN_S", 0.1)
    async with door(folder) as opened, opened.connection() as line:
        await line.say(SLOW_BODY)
        assert "0.1 seconds" in assert_problem(await line.answer(), 408)["detail"]
        assert (await opened.kept())["messages"] == 0


async def test_a_client_that_does_not_read_the_response_is_disconnected(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "ANSWER_WITHIN_S", 0.2)
    async with door(folder) as opened:
        for _ in range(100):
            await opened.ingest(content="x" * 20_000)
        async with opened.connection() as line:
            await line.say(b"GET /api/messages?limit=100 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await until(lambda: open_connections(opened) == 1)
            await until(lambda: open_connections(opened) == 0)


@pytest.mark.usefixtures("few_places")
async def test_the_longest_idle_connection_is_closed_for_a_new_one(folder: Path) -> None:
    async with door(folder) as opened, lines(opened, PLACES) as idle:
        assert (await opened.raw(HEALTH)).status == 200
        assert await idle[0].is_closed()
        await idle[1].say(HEALTH)
        assert (await idle[1].answer()).status == 200


@pytest.mark.usefixtures("few_places")
async def test_a_request_under_way_is_not_cut_for_an_idle_connection(folder: Path) -> None:
    async with door(folder) as opened, lines(opened, 1, SLOW_BODY) as busy, lines(opened, PLACES - 1) as idle:
        assert (await opened.raw(HEALTH)).status == 200
        assert await idle[0].is_closed()
        await busy[0].say(b"}" * 99)
        assert_problem(await busy[0].answer(), 400)


@pytest.mark.usefixtures("few_places")
async def test_a_new_connection_gets_503_while_all_others_are_busy(folder: Path) -> None:
    async with door(folder) as opened, lines(opened, PLACES, SLOW_BODY) as busy:
        answer = await opened.raw(HEALTH)
        assert_problem(answer, 503)
        assert answer.headers["retry-after"] == "1"
        for line in busy:
            await line.say(b"}" * 99)
            assert_problem(await line.answer(), 400)
        assert (await opened.raw(HEALTH)).status == 200


HOLD = """
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
held = []
for _ in range(int(sys.argv[2])):
    line = socket.socket(socket.AF_UNIX)
    line.connect(sys.argv[1])
    line.sendall(b"POST /api/ingest HTTP/1.1\\r\\nHost: localhost\\r\\nContent-Length: 100\\r\\n\\r\\n{")
    held.append(line)
print("holds", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def another_account_holds(opened: Door, count: int) -> Iterator[None]:
    command = [sys.executable, "-c", HOLD, str(opened.path), str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "holds\n"
        yield
        holder.communicate()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can call under another account")
@pytest.mark.usefixtures("few_places")
async def test_an_account_that_uses_all_connections_only_blocks_itself(folder: Path) -> None:
    async with door(folder, f'socket: {{path: {folder}/s, mode: "0666"}}') as opened:
        with another_account_holds(opened, PLACES):
            for _ in range(PLACES * 2):
                assert (await opened.raw(HEALTH)).status == 200


async def test_a_thousand_silent_connections_block_nobody(folder: Path) -> None:
    async with door(folder) as opened, contextlib.AsyncExitStack() as stack:
        for _ in range(1000):
            await stack.enter_async_context(opened.connection())
        assert (await opened.ingest()).status == 202
