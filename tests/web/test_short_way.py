"""The short way and aiohttp give the same answers and store the same."""

import array
import asyncio
import contextlib
import fcntl
import json
import os
import random
import re
import socket
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import Session

from notifybot import ingest_server
from notifybot.web import bodies, short_way
from notifybot.web.connections import CountingServer
from tests.auth.test_local_callers import CALL, NOBODY
from tests.support.door import Door, door, open_folder
from tests.web.test_connections import until

pytestmark = pytest.mark.usefixtures("short")
CONNECTIONS = 120
ENDS_AFTER_S = 0.6
"""Idle connections and missing bodies; both ways must end what is half."""
LISTENS_S = 3.0
"""aiohttp lets a refused caller say the rest for 10 s; nobody waits for that here."""
STORED = text("SELECT content, title, source, account, is_alert, state FROM messages ORDER BY content, title, source")
LIVE = re.compile(rb'"(id|created_at|escalate_at|close_at)":"[^"]*"|\r\nDate: [^\r]*')
"""What differs from one acceptance to the next."""
OWN = "own1"
"""Stands for a key that other connections do not use."""
VALID: tuple[dict[str, object], ...] = (
    {},
    {"title": "t"},
    {"acknowledge": False},
    {"source": "nagios", "escalate_after": "5m", "close_after": "never"},
    {"client_id": OWN},
    {"type": "text"},
)
ODD: tuple[dict[str, object], ...] = (
    {"user": "nobody-has-this-name"},
    {"channel_id": 5.5},
    {"unknown": 1},
    {"content": ""},
    {"content": "x" * 20_000},
    {"type": "image", "content": "no picture"},
    {"acknowledge": "yes"},
    {"priority": "urgent"},
    {"policy": "no such policy"},
    {"escalate_after": "soon"},
    {"template": "none"},
    {"caption": "a text has none"},
    {"title": "t" * 300},
    {"client_id": 5},
)
BODIES = (
    b"",
    b"{",
    b"[]",
    b"null",
    b'{"content":"a","content":"b"}',
    b"\xff",
    b"\xef\xbb\xbf{}",
    b"{" * 99,
    b"x" * 40_000,
)
HEADS = (
    *("Accept: */*", "User-Agent: u", "Connection: keep-alive", "Connection: close", "Connection: upgrade"),
    *(
        "Accept-Encoding: gzip",
        f"Idempotency-Key: {OWN}",
        "Expect: 100-continue",
        "Content-Encoding: gzip",
        "Host: other",
    ),
    *("X-Other: 1", "content-type: text/plain", "Content-Type: application/json; charset=utf-8", "Upgrade: websocket"),
    *("Content-Length: 3", "Transfer-Encoding: chunked", "no colon", "Accept : x", " folded", "Cookie: a", "A: \x00"),
)
LINES = (
    *("POST /api/ingest HTTP/1.0", "POST /api/ingest?wait=0 HTTP/1.1", "GET /api/ingest HTTP/1.1", "hello"),
    *("POST /send HTTP/1.1", "post /api/ingest HTTP/1.1", "POST http://x/api/ingest HTTP/1.1", "GET / HTTP/1.1"),
    *(
        "POST /api/ingest/ HTTP/1.1",
        "\r\nPOST /api/ingest HTTP/1.1",
        "POST /api/ingest HTTP/2.0",
        "POST /api%2fingest HTTP/1.1",
    ),
)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(short_way, "IS_ON", True)


def request(rng: random.Random, seed: int, number: int) -> bytes:
    """Make one request: mostly plain; otherwise with something odd in its line, head or body."""
    fields = {"content": f"{seed}-{number}", "channel_id": "-1001"} | rng.choice(VALID)
    body = json.dumps(fields).encode()
    line, named, size = "POST /api/ingest HTTP/1.1", ["Host: localhost", "Content-Type: application/json"], 0
    match rng.choice(("plain", "plain", "plain", "line", "head", "head", "fields", "body", "size", "bare")):
        case "line":
            line = rng.choice(LINES)
        case "head":
            named.insert(rng.randrange(3), rng.choice(HEADS).replace(OWN, f"c{seed:03}"))
        case "fields":
            body = json.dumps(fields | rng.choice(ODD)).encode()
        case "body":
            body = rng.choice(BODIES)
        case "size":
            size = rng.choice((-3, -1, 1, 50))
        case "bare":
            del named[rng.randrange(2)]
    body = body.replace(OWN.encode(), f"c{seed:03}".encode())
    end = rng.choice(("\r\n",) * 20 + ("\n",))
    return end.join((line, *named, f"Content-Length: {len(body) + size}", "", "")).encode() + body


def connection(seed: int) -> list[bytes]:
    """Make what a connection sends: some requests in any pieces, perhaps without its end."""
    rng = random.Random(seed)
    requests = [request(rng, seed, number) for number in range(rng.randint(1, 4))]
    match rng.choice(("each", "each", "pipelined", "cut", "half")):
        case "each":
            return requests
        case "pipelined":
            return [b"".join(requests)]
        case "half":
            return [*requests[:-1], requests[-1][: rng.randrange(len(requests[-1]))]]
    whole = b"".join(requests)
    places = sorted(rng.randrange(len(whole)) for _ in range(rng.randint(1, 4)))
    return [whole[start:end] for start, end in zip((0, *places), (*places, len(whole)), strict=True)]


@dataclass(frozen=True)
class Caller:
    """A connection that keeps all it gets."""

    socket: socket.socket
    got: bytearray
    more: asyncio.Event
    is_over: asyncio.Event

    async def listen(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(ConnectionError):
            while received := await loop.sock_recv(self.socket, 65536):
                self.got.extend(received)
                self.more.set()
        self.is_over.set()

    async def say(self, pieces: Sequence[bytes]) -> None:
        """Send each piece after the daemon has read the one before, and mostly answered it.

        aiohttp forgets a request that it reads together with one that is no HTTP, so the pieces must not flow together.
        """
        for piece in pieces:
            self.more.clear()
            with contextlib.suppress(ConnectionError):
                await asyncio.get_running_loop().sock_sendall(self.socket, piece)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.more.wait(), 0.05)
            await until(lambda: self.is_read)

    @property
    def is_read(self) -> bool:
        """Return True if the daemon has taken all bytes from the socket, or has closed it."""
        unread = array.array("i", [0])
        fcntl.ioctl(self.socket, termios.TIOCOUTQ, unread)
        return unread[0] == 0 or self.is_over.is_set()


async def exchange(opened: Door, pieces: Sequence[bytes]) -> tuple[bytes, bool]:
    """Return all that a connection gets, without what differs each time, and whether it was closed."""
    with socket.socket(socket.AF_UNIX) as line:
        line.setblocking(False)
        await asyncio.get_running_loop().sock_connect(line, str(opened.path))
        caller = Caller(line, bytearray(), asyncio.Event(), asyncio.Event())
        listening = asyncio.create_task(caller.listen())
        await caller.say(pieces)
        done, _ = await asyncio.wait([listening], timeout=LISTENS_S)
        listening.cancel()
        return LIVE.sub(b"", bytes(caller.got)), bool(done)


def stored(session: Session) -> list[tuple[object, ...]]:
    return [tuple(row) for row in session.execute(STORED)]


@contextlib.asynccontextmanager
async def both_ways(
    folder: Path, monkeypatch: pytest.MonkeyPatch, config: str = ""
) -> AsyncIterator[tuple[Door, Door]]:
    """Run two daemons: one with the short way, one without."""
    with open_folder() as other:
        async with door(folder, config.format(folder)) as short:
            monkeypatch.setattr(short_way, "IS_ON", False)
            async with door(other, config.format(other)) as long:
                yield short, long


async def test_generated_connections_get_and_store_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_server, "REQUEST_WITHIN_S", ENDS_AFTER_S)
    monkeypatch.setattr(bodies, "BODY_WITHIN_S", ENDS_AFTER_S)
    said = [connection(seed) for seed in range(CONNECTIONS)]
    async with both_ways(folder, monkeypatch) as doors:
        short, long = [await asyncio.gather(*(exchange(each, pieces) for pieces in said)) for each in doors]
        for number, (one, other) in enumerate(zip(short, long, strict=True)):
            assert one == other, (number, said[number])
        kept = [await each.daemon.runtime.database.read(stored) for each in doors]
        assert kept[0] == kept[1]
        assert len(kept[0]) > CONNECTIONS / 2


BODY = b'{"content":"x","channel_id":"-1001"}'
HEAD = b"POST /api/ingest HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
PLAIN = HEAD % len(BODY) + BODY


def on_short_way(opened: Door) -> int:
    server = opened.daemon.runner.server
    assert isinstance(server, CountingServer)
    return len(server._short)


async def test_a_connection_stays_on_the_short_way_until_something_is_unusual(folder: Path) -> None:
    async with door(folder) as opened, opened.connection() as line:
        for _ in range(3):
            await line.say(PLAIN)
            assert (await line.answer()).status == 202
            assert on_short_way(opened) == 1
        await line.say(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await line.answer()).status == 200
        assert on_short_way(opened) == 0
        await line.say(PLAIN)
        assert (await line.answer()).status == 202


@pytest.mark.parametrize("place", range(1, len(PLAIN), 7))
@pytest.mark.asyncio(loop_scope="module")
async def test_a_request_in_two_pieces_is_accepted_once(shared: Door, place: int) -> None:
    before = (await shared.kept())["messages"]
    async with shared.connection() as line:
        await line.say(PLAIN[:place])
        await asyncio.sleep(0)
        await line.say(PLAIN[place:])
        assert (await line.answer()).status == 202
    assert (await shared.kept())["messages"] == before + 1


async def test_requests_that_come_during_another_are_answered_in_order(folder: Path) -> None:
    async with door(folder) as opened, opened.connection() as line:
        for number in range(20):
            line.writer.write(PLAIN.replace(b'"x"', b'"%d"' % (number % 10)))
            await asyncio.sleep(0)
        answers = [await line.answer() for _ in range(20)]
        assert [each.status for each in answers] == [202] * 20
        assert [each.json["id"] for each in answers] == sorted(each.json["id"] for each in answers)


async def test_an_idle_connection_is_closed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_server, "REQUEST_WITHIN_S", 0.2)
    async with door(folder) as opened, opened.connection() as line:
        await line.say(PLAIN)
        assert (await line.answer()).status == 202
        assert await line.is_closed()
        assert on_short_way(opened) == 0


async def test_requests_under_way_at_a_stop_are_answered(folder: Path) -> None:
    async with contextlib.AsyncExitStack() as lines:
        async with door(folder) as opened:
            found = [await lines.enter_async_context(opened.connection()) for _ in range(20)]
            for line in found:
                await line.say(PLAIN)
        for line in found:
            assert (await line.answer()).status == 202
            assert await line.is_closed()


LIMITS = """
socket: {{path: {0}/s, mode: "0666", allow: ["-1001"]}}
callers: {{messages_per_minute: 3, alerts_per_minute: 2, bytes_per_minute: 20kB}}
attachments: {{max_bytes: 20000}}
"""
AS_NOBODY: tuple[tuple[dict[str, object], int], ...] = (
    ({"acknowledge": False}, 202),
    ({"channel_id": "-1002", "acknowledge": False}, 403),
    ({"acknowledge": False, "unknown": 1}, 400),
    ({"acknowledge": False}, 202),
    ({"acknowledge": False}, 429),
    ({}, 202),
    ({"content": "x" * 3000}, 202),
    ({"content": "x" * 3000}, 429),
)
"""What one account sends in turn. A refusal by the recipient counts as a message, one by the body does not."""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can call under another account")
async def test_recipients_and_allowances_are_refused_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with both_ways(folder, monkeypatch, LIMITS) as doors:
        for fields, status in AS_NOBODY:
            body = json.dumps({"content": "x", "channel_id": "-1001"} | fields).encode()
            request = (HEAD % len(body)).replace(b"Host: x", b"Host: x\r\nConnection: close").decode() + body.decode()
            answers = [await as_nobody(each, request) for each in doors]
            assert answers[0] == answers[1]
            assert answers[0].startswith(b"HTTP/1.1 %d" % status), (fields, answers[0])


async def as_nobody(opened: Door, request: str) -> bytes:
    command = [sys.executable, "-S", "-c", CALL, str(opened.path), str(NOBODY), request]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=30, check=True)
    return LIVE.sub(b"", re.sub(rb"Retry-After: \d+|in \d+ seconds", b"", done.stdout))
