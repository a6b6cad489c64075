"""Connections count from accept on: whoever says nothing, or the wrong thing, takes no place from the others."""

import asyncio
import contextlib
import logging
import os
import resource
import socket
import stat
import struct
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session

from notifybot.auth.remote_callers import plain_address
from notifybot.auth.throttle import network_of
from notifybot.storage.settings import READERS
from notifybot.web import connections, listeners
from notifybot.web.connections import MAX_CONNECTIONS, CountingServer, most_connections
from tests.support.certificates import certificate
from tests.support.door import Door, Line
from tests.support.remote import Wire, wire

HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
PLACES = 6
CLIENT_HELLO = bytes.fromhex("16030100c8010000c40303")
TLS = "tls: {{certificate: {0}/chain.pem, key: {0}/key.pem}}"


@pytest.fixture
async def encrypted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Wire]:
    """A daemon with TLS and few places."""
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", PLACES)
    trust = certificate(folder)
    async with wire(folder, TLS.format(folder), tls=trust) as line:
        yield line


def server_of(opened: Door) -> CountingServer:
    server = opened.daemon.runner.server
    assert isinstance(server, CountingServer)
    return server


def open_files() -> list[int]:
    return [int(path.name) for path in Path("/proc/self/fd").iterdir()]


def open_sockets(port: int) -> int:
    """Count this process's ends of connections to its port; the database may have sockets too."""
    found = 0
    for number in open_files():
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                with socket.socket(fileno=os.dup(number)) as opened:
                    found += opened.family == socket.AF_INET and opened.getsockname()[1] == port
    return found


def connected(port: int, source: str = "127.0.0.1") -> socket.socket:
    """Connect without saying anything."""
    return socket.create_connection(("127.0.0.1", port), source_address=(source, 0))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.005)


async def health(line: Wire, source: str = "127.0.0.1") -> int:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", line.port, ssl=line.tls, server_hostname="localhost", local_addr=(source, 0)
    )
    try:
        found = Line(reader, writer)
        await found.say(HEALTH)
        return (await found.answer()).status
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.2"])
async def test_silent_connections_count_before_their_handshake(encrypted: Wire, source: str) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(5 * PLACES):
            stack.enter_context(connected(encrypted.port))
        server = server_of(encrypted)
        await until(lambda: len(server._remote) == PLACES)
        assert await health(encrypted, source) == 200
        assert len(server._remote) <= PLACES
        assert (await encrypted.socket.ask("GET", "/health")).status == 200


async def test_one_address_takes_no_place_of_another(encrypted: Wire) -> None:
    with contextlib.ExitStack() as stack:
        victims = [stack.enter_context(connected(encrypted.port, f"127.0.0.{2 + n}")) for n in range(PLACES - 2)]
        server = server_of(encrypted)
        await until(lambda: len(server._remote) == len(victims))
        for _ in range(5 * PLACES):
            stack.enter_context(connected(encrypted.port))
        await until(lambda: len(server._remote) == PLACES and not server._connecting.keys() - server._remote.keys())
        assert {f"127.0.0.{2 + n}" for n in range(PLACES - 2)} <= set(server._remote.values())
        for victim in victims:
            victim.setblocking(False)
            with pytest.raises(BlockingIOError):  # it is open, and nobody has said anything
                victim.recv(1)


async def test_an_encrypted_connection_has_a_small_buffer(encrypted: Wire) -> None:
    async with encrypted.connection() as line:
        await line.say(HEALTH[:9])
        await until(lambda: bool(server_of(encrypted).connections))
        transport: Any = server_of(encrypted).connections[0].transport
        assert len(transport._ssl_protocol._ssl_buffer) == listeners.TLS_BUFFER_BYTES


def says(data: bytes) -> Callable[[socket.socket], None]:
    return lambda line: line.sendall(data)


def resets(line: socket.socket) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()


WRONG: dict[str, Callable[[socket.socket], None]] = {
    "says nothing": says(b""),
    "speaks HTTP": says(HEALTH),
    "half a ClientHello": says(CLIENT_HELLO),
    "a ClientHello of zeros": says(CLIENT_HELLO + bytes(300)),
    "an alert": says(bytes.fromhex("15030100020100")),
    "a huge record": says(bytes.fromhex("160301ffff") + bytes(70_000)),
    "SSH": says(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "noise": says(bytes(range(256)) * 100),
    "ends": lambda line: line.shutdown(socket.SHUT_WR),
    "closes": lambda line: line.close(),
    "resets": resets,
}


@pytest.mark.parametrize("act", WRONG.values(), ids=WRONG.keys())
async def test_without_a_handshake_a_connection_ends_and_frees_its_place(
    encrypted: Wire,
    act: Callable[[socket.socket], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(listeners, "HANDSHAKE_WITHIN_S", 0.3)
    before = open_sockets(encrypted.port)
    with contextlib.ExitStack() as stack:
        for _ in range(PLACES):
            with contextlib.suppress(ConnectionError):
                act(stack.enter_context(connected(encrypted.port)))
        server = server_of(encrypted)
        await until(lambda: not server._remote and not server._connecting)
        assert await health(encrypted) == 200
    await until(lambda: open_sockets(encrypted.port) <= before)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_silent_connection_is_closed_for_a_busy_one(encrypted: Wire) -> None:
    async with encrypted.connection() as busy:
        await busy.say(b"POST /api/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        with contextlib.ExitStack() as stack:
            for _ in range(5 * PLACES):
                stack.enter_context(connected(encrypted.port))
            await until(lambda: len(server_of(encrypted)._remote) == PLACES)
            await busy.say(b"}" * 99)
            assert (await busy.answer()).status == 401


@pytest.mark.parametrize(
    ("peer", "caller"),
    [
        (("192.0.2.7", 1), "192.0.2.7"),
        (("::ffff:192.0.2.7", 1, 0, 0), "192.0.2.7"),
        (("2001:db8:1:2::1", 1, 0, 0), "2001:db8:1:2::/64"),
        (("2001:db8:1:2:ffff:ffff:ffff:ffff", 1, 0, 0), "2001:db8:1:2::/64"),
        (("2001:db8:1:3::1", 1, 0, 0), "2001:db8:1:3::/64"),
        (("fe80::1%eth0", 1, 0, 2), "fe80::/64"),
        (("::1", 1, 0, 0), "::/64"),
        ((), ""),
        (None, ""),
        ("", ""),
    ],
)
def test_a_host_counts_once_whatever_its_addresses(peer: object, caller: str) -> None:
    assert network_of(plain_address(peer)) == caller


@pytest.mark.parametrize(
    ("open_files", "most"),
    [
        (64, 16),
        (256, 16),
        (512, 64),
        (1024, 192),
        (2048, 448),
        (4096, 512),
        (65536, 512),
        (resource.RLIM_INFINITY, MAX_CONNECTIONS),
    ],
)
def test_both_kinds_of_connections_leave_descriptors_to_the_daemon(open_files: int, most: int) -> None:
    assert most_connections(open_files) == most


@contextlib.contextmanager
def free_descriptors(count: int) -> Iterator[None]:
    """Leave this process only so many descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest, filler = max(open_files()), [os.open("/dev/null", os.O_RDONLY)]
    while filler[-1] < highest:
        filler.append(os.open("/dev/null", os.O_RDONLY))
    filler += [os.open("/dev/null", os.O_RDONLY) for _ in range(count)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(filler) + 1, hard))
    for fd in filler[-count:]:
        os.close(fd)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in filler[:-count]:
            os.close(fd)


def linger(seconds: float, session: Session) -> None:
    session.execute(text("SELECT count(*) FROM messages"))
    threading.Event().wait(seconds)


async def test_when_descriptors_run_out_the_socket_still_accepts_and_the_log_stays_short(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with wire(folder) as line:
        # SQLite's readers open their files when they are first needed.
        await asyncio.gather(*(line.daemon.runtime.database.read(partial(linger, 0.1)) for _ in range(READERS)))
        with contextlib.ExitStack() as stack:
            silent = [stack.enter_context(socket.socket()) for _ in range(100)]
            local = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(4)]
            stack.enter_context(free_descriptors(6))
            for each in silent:
                each.connect(("127.0.0.1", line.port))
            await until(lambda: "no connection can be accepted" in caplog.text)
            for each in local:
                each.connect(str(line.path))
                reader, writer = await asyncio.open_connection(sock=each)
                found = Line(reader, writer)
                await found.say(HEALTH)
                assert (await found.answer()).status == 200
                writer.close()
        assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) < 50
        caplog.clear()
        assert (await line.socket.ask("GET", "/health")).status == 200


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


async def test_silent_connections_take_little_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 150)
    trust = certificate(folder)
    async with wire(folder, TLS.format(folder), tls=trust) as line:
        assert await health(line) == 200
        before = resident_bytes()
        with contextlib.ExitStack() as stack:
            for number in range(600):
                opened = stack.enter_context(connected(line.port))
                if number % 2:
                    with contextlib.suppress(ConnectionError):
                        opened.sendall(CLIENT_HELLO)
            await until(lambda: len(server_of(line)._remote) == 150)
            assert await health(line) == 200
            assert resident_bytes() - before < 60_000_000
