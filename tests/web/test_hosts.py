"""The header Host on TCP: own names pass; a name that a page points at this machine does not."""

import socket
from pathlib import Path

import pytest

from notifybot.config.model import Http
from notifybot.config.types import Listen
from notifybot.web.hosts import Hosts
from tests.support.door import assert_problem
from tests.support.remote import MESSAGE, wire

OPEN = 'anonymous: [{networks: [127.0.0.1, "::1"], paths: ["/*"], account: legacy}]'
OWN = [
    "127.0.0.1",
    "127.0.0.1:8000",
    "[::1]:8000",
    "[::1]",
    "192.0.2.7:8000",
    "localhost:8000",
    "LOCALHOST.",
    "notifybot.localhost",
    "notify.example.org",
    "Notify.Example.Org.:443",
    socket.gethostname(),
]
FOREIGN = [
    "evil.example",
    "evil.example:8000",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "notify.example.org.evil.example",
    "evil-notify.example.org",
    "[evil.example]",
    "0x7f000001",
    "",
]


def test_the_host_of_the_listener_is_an_own_name() -> None:
    assert "db1.lan" in Hosts.of(Http(listen=Listen("db1.lan", 8000))).names


@pytest.mark.parametrize("name", OWN)
async def test_an_own_name_is_answered(folder: Path, name: str) -> None:
    async with wire(folder, f"public_url: 'https://notify.example.org', {OPEN}") as line:
        assert (await line.ask("POST", "/api/ingest", MESSAGE, Host=name)).status == 202


@pytest.mark.parametrize("name", FOREIGN)
async def test_a_foreign_name_reads_nothing(folder: Path, name: str) -> None:
    async with wire(folder, OPEN) as line:
        token = await line.token()
        for path in ("/api/messages", "/api/telegram/link-account", "/health", "/"):
            assert_problem(await line.ask("GET", path, Host=name), 421)
            assert_problem(await line.bearing(token, "GET", path, Host=name), 421)


async def test_the_socket_takes_any_name(folder: Path) -> None:
    async with wire(folder) as line:
        assert (await line.socket.ask("GET", "/health", Host="anything.example")).status == 200
