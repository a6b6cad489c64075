"""The TCP listener: addresses, TLS, limits and throttling, without effect on the socket."""

import asyncio
import contextlib
import logging
import socket
import ssl
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from sqlmodel import Session

from notifybot.auth import tokens
from notifybot.auth.throttle import BURST, WARN_FROM
from notifybot.config import load
from notifybot.errors import StartRefused
from notifybot.health.config_notes import configuration_notes
from notifybot.web import connections, listeners
from tests.support.certificates import certificate
from tests.support.door import assert_problem, door
from tests.support.keys import ec_key, private_pem
from tests.support.remote import MESSAGE, wire


def tls(folder: Path) -> str:
    return f"tls: {{certificate: {folder}/chain.pem, key: {folder}/key.pem}}"


async def test_with_a_certificate_all_of_it_is_encrypted(folder: Path) -> None:
    trust = certificate(folder)
    async with wire(folder, tls(folder), tls=trust) as line:
        assert (await line.bearing(await line.token(), "POST", "/api/ingest", MESSAGE)).status == 202
        reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
        writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(20):
            with contextlib.suppress(ConnectionError):
                assert b"HTTP" not in await reader.read(100)
        writer.close()


async def test_old_versions_of_tls_are_refused(folder: Path) -> None:
    trust = certificate(folder)
    trust.set_ciphers("ALL:@SECLEVEL=0")
    trust.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning):
        trust.maximum_version = ssl.TLSVersion.TLSv1_1
    async with wire(folder, tls(folder), tls=trust) as line:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await line.ask("GET", "/health")


async def test_a_missing_handshake_times_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners, "HANDSHAKE_WITHIN_S", 0.2)
    certificate(folder)
    async with wire(folder, tls(folder)) as line, line.connection() as silent:
        assert await silent.is_closed()


@pytest.mark.parametrize("wrong", ["chain.pem", "key.pem", "another key", "a key with a password"])
async def test_files_that_make_no_tls_refuse_the_start(folder: Path, wrong: str) -> None:
    certificate(folder)
    match wrong:
        case "another key":
            (folder / "key.pem").write_bytes(private_pem(ec_key(number=7)))
        case "a key with a password":
            locked = BestAvailableEncryption(b"secret")
            (folder / "key.pem").write_bytes(ec_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
        case _:
            (folder / wrong).write_text("junk")
    with pytest.raises(StartRefused, match="TLS does not work"):
        async with wire(folder, tls(folder)):
            pass


async def test_a_port_that_is_taken_refuses_the_start_and_names_the_key(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        with pytest.raises(StartRefused, match="Cannot listen on") as refused:
            async with door(folder, f"http: {{listen: '127.0.0.1:{other.getsockname()[1]}'}}"):
                pass
        assert "http.listen" in (refused.value.hint or "")


async def test_it_listens_on_ipv6(folder: Path) -> None:
    opened = 'anonymous: [{networks: ["::1"], paths: [/api/ingest], account: legacy}]'
    async with door(folder, f"http: {{listen: '[::1]:0', {opened}}}") as running:
        port = next(address[1] for address in running.daemon.runner.addresses if isinstance(address, tuple))
        reader, writer = await asyncio.open_connection("::1", port)
        writer.write(b"POST /api/ingest HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(20):
            assert (await reader.read()).startswith(b"HTTP/1.1 400 ")  # it was admitted, and sends nothing
        writer.close()


async def test_an_inherited_tcp_socket_asks_for_tokens_too(folder: Path) -> None:
    inherited = socket.create_server(("127.0.0.1", 0))
    port = inherited.getsockname()[1]
    async with door(folder, inherited=[inherited]):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /api/messages HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(20):
            assert (await reader.read()).startswith(b"HTTP/1.1 401 ")
        writer.close()


async def test_bodies_and_headers_have_the_same_limits(folder: Path) -> None:
    async with wire(folder) as line:
        token = await line.token()
        assert_problem(await line.bearing(token, "POST", "/api/ingest", b'{"content": "' + b"x" * 2**21), 413)
        assert_problem(await line.ask("GET", "/health", X_Long="x" * 9000), 400)
        assert_problem(await line.ask("GET", "/health", **{f"X_{number}": "x" for number in range(200)}), 400)


async def test_the_server_header_reveals_no_versions(folder: Path) -> None:
    async with wire(folder) as line:
        for method, path in (
            ("GET", "/health"),
            ("GET", "/api/messages"),
            ("GET", "/nothing"),
            ("PUT", "/"),
            ("x", "x"),
        ):
            assert (await line.ask(method, path)).headers["server"] == "notifybot"


async def test_a_stranger_is_refused_before_any_of_the_body_is_read(folder: Path) -> None:
    async with wire(folder) as line, line.connection() as stranger:
        kind = "Content-Type: application/json\r\nContent-Length: 1000000"
        head = f"POST /api/ingest HTTP/1.1\r\nHost: localhost\r\n{kind}\r\n\r\n"
        await stranger.say(head.encode())
        assert_problem(await stranger.answer(), 401)


async def test_tcp_clients_take_no_connections_from_the_socket(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 4)
    async with wire(folder) as line, line.socket.connection() as ours, contextlib.AsyncExitStack() as crowd:
        for _ in range(12):
            await crowd.enter_async_context(line.connection())
        await ours.say(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await ours.answer()).status == 200
        assert (await line.socket.ask("GET", "/health")).status == 200


async def test_guesses_are_slowed_counted_and_logged(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with wire(folder) as line:
        seen, unseen = await line.token("seen", scopes=["read"]), await line.token("unseen", scopes=["read"])
        assert (await line.bearing(seen, "GET", "/api/messages")).status == 200
        answers = [await line.bearing(f"nb_{number}", "GET", "/api/messages") for number in range(WARN_FROM)]
        assert {answer.status for answer in answers[:BURST]} == {401}
        assert {answer.status for answer in answers[BURST:]} == {429}
        assert int(answers[-1].headers["retry-after"]) > 0
        assert (await line.bearing(unseen, "GET", "/api/messages")).status == 200
        assert (await line.bearing(seen, "GET", "/api/messages")).status == 200
        health = (await line.socket.ask("GET", "/health")).json
        assert any("wrong credentials" in warning and "127.0.0.1" in warning for warning in health["warnings"])
    noted = [record for record in caplog.records if getattr(record, "action", "") == "credentials_refused"]
    assert [(record.levelno, record.address) for record in noted] == [(logging.INFO, "127.0.0.1")] * BURST  # type: ignore[attr-defined]


def end_all(session: Session) -> None:
    for token in tokens.all_tokens(session):
        token.expires_at = token.created_at
        session.add(token)


async def test_wrong_tokens_of_every_kind_cost_the_same_look(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unknown, revoked and expired tokens: one database read each, and the same response."""
    async with wire(folder) as line:
        revoked, expired = await line.token("revoked"), await line.token("expired", expires="1d")
        await line.socket.ask("DELETE", "/api/admin/tokens/revoked")
        await line.daemon.runtime.database.write(end_all)
        reads = 0
        database = line.daemon.runtime.database
        read = database.read

        async def counting(work: partial[object]) -> object:
            nonlocal reads
            reads += getattr(work, "func", None) is tokens.find  # the jobs also read
            return await read(work)

        monkeypatch.setattr(database, "read", counting)
        said = set()
        for number, token in enumerate((revoked, expired, "nb_unknown"), 1):
            said.add((await line.bearing(token, "GET", "/api/messages")).body)
            assert reads == number
        assert len(said) == 1


@pytest.mark.parametrize(
    ("http", "says"),
    [
        ("listen: '0.0.0.0:8000'", "without http.tls"),
        ("listen: '[::]:8000'", "without http.tls"),
        ("listen: 'notify.example.org:8000'", "without http.tls"),
        ("listen: '127.0.0.1:8000'", None),
        ("listen: '[::1]:8000'", None),
        ("listen: 'localhost:8000'", None),
        ("anonymous: [{networks: [0.0.0.0/0], paths: [/x], account: a}]", "from anywhere"),
        ("anonymous: [{networks: [10.0.0.0/8], paths: [/x], account: a}]", None),
    ],
)
def test_health_warns_of_what_is_wide_open(folder: Path, http: str, says: str | None) -> None:
    (folder / "config.yaml").write_text(f"http: {{{http}}}\n", encoding="utf-8")
    notes = " ".join(configuration_notes(load(folder / "config.yaml", {})))
    assert ("http." in notes) is (says is not None)
    assert (says or "") in notes


def test_health_warns_of_nothing_where_there_is_tls(folder: Path) -> None:
    certificate(folder)
    (folder / "config.yaml").write_text(f"http: {{listen: '0.0.0.0:8000', {tls(folder)}}}\n", encoding="utf-8")
    assert "http." not in " ".join(configuration_notes(load(folder / "config.yaml", {})))
