"""notifybot.client over HTTP(S): a token, TLS, wrong certificates and proxies, against the real daemon."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from notifybot.client import Client, ClientError, NotPermitted, Refused, Unreachable
from notifybot.client.remote import Address, parse_address
from tests.support.certificates import certificate
from tests.support.remote import Wire, wire

TO = "-1001234567890"
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXY_VARIABLES, "NOTIFYBOT_URL", "NOTIFYBOT_TOKEN", "NOTIFYBOT_SOCKET"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
async def line(folder: Path) -> AsyncIterator[Wire]:
    async with wire(folder) as line:
        yield line


@pytest.fixture
async def encrypted(folder: Path) -> AsyncIterator[Wire]:
    trust = certificate(folder)
    async with wire(folder, f"tls: {{certificate: {folder}/chain.pem, key: {folder}/key.pem}}", tls=trust) as line:
        yield line


async def send(client: Client) -> str:
    return (await asyncio.to_thread(client.send, "disk full", to=TO)).id


async def refusal(client: Client) -> ClientError:
    """Return the error of a send."""
    with pytest.raises(ClientError) as caught:
        await send(client)
    return caught.value


def over(line: Wire, token: str | None, *, host: str = "localhost", folder: Path | None = None) -> Client:
    """Make a client that gives up after its first attempt; with `folder` it trusts the certificate there over TLS."""
    url = f"http{'s' if line.tls else ''}://{host}:{line.port}"
    return Client(url=url, token=token, ca_file=folder and folder / "chain.pem", patience_s=0)


@contextlib.asynccontextmanager
async def a_proxy(seen: list[str], refuses: bytes = b"") -> AsyncIterator[int]:
    """Run an HTTP proxy that knows CONNECT and absolute targets; `seen` gets the heads of its requests."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        seen.append(head)
        if refuses:
            writer.write(refuses)
            writer.close()
            return
        method, target, _ = head.split(" ", 2)
        place = target if method == "CONNECT" else target.removeprefix("http://").partition("/")[0]
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", int(place.rpartition(":")[2]))
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        else:
            up_writer.write(head.replace(f"http://{place}", "", 1).encode())
        await asyncio.gather(copy(reader, up_writer), copy(up_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port that refuses connections: bound, but nobody listens."""
    import socket

    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


# Addresses


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://db1", Address("http", "db1", 80)),
        ("https://db1", Address("https", "db1", 443)),
        ("https://db1:8443/", Address("https", "db1", 8443)),
        ("https://db1/notify/", Address("https", "db1", 443, "/notify")),
        ("HTTPS://DB1.Example.org", Address("https", "db1.example.org", 443)),
        ("http://[::1]:8000", Address("http", "::1", 8000)),
        ("http://u:p%40ss@proxy:3128", Address("http", "proxy", 3128, "", "u:p@ss")),
        ("http://u@proxy", Address("http", "proxy", 80, "", "u:")),
    ],
)
def test_an_address_is_read(url: str, address: Address) -> None:
    assert parse_address(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "db1:8000",
        "ftp://db1",
        "https://",
        "http://db1:port",
        "http://db1:99999",
        "http://[::1",
        "http://db1/?a=b",
        "http://db1/#x",
        "http://db1/a b",
        "http://db1\r\nX: y",
        "http://dä1",
        "/run/notifybot.sock",
    ],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(Refused, match="URL"):
        parse_address(url)


@pytest.mark.parametrize("token", ["two words", "nb_x\r\nHost: y", "nb_ä"])
def test_a_token_that_is_no_word_is_refused(token: str) -> None:
    with pytest.raises(Refused, match="not one word"):
        Client(url="http://db1", token=token)


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(Refused) as caught:
        Client(url="http://me:tulips@db1")

    assert "tulips" not in str(caught.value)


def test_a_socket_and_a_url_are_one_too_many() -> None:
    with pytest.raises(TypeError):
        Client("/run/x.sock", url="http://db1")


# The real daemon


async def test_a_message_goes_over_tcp_with_a_token(line: Wire) -> None:
    assert await send(over(line, await line.token()))


async def test_url_and_token_come_from_the_environment(line: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFYBOT_URL", f"http://127.0.0.1:{line.port}")
    monkeypatch.setenv("NOTIFYBOT_TOKEN", await line.token())

    assert await send(Client())


@pytest.mark.parametrize(("token", "words"), [(None, "Authentication is required"), ("nb_wrong", "wrong, expired")])
async def test_without_a_valid_token_the_daemon_refuses(line: Wire, token: str | None, words: str) -> None:
    error = await refusal(over(line, token))

    assert (error.code, words in error.detail) == (401, True)


async def test_over_tls_with_a_trusted_certificate(encrypted: Wire, folder: Path) -> None:
    assert await send(over(encrypted, await encrypted.token(), folder=folder))


async def test_an_untrusted_certificate_is_refused_before_anything_is_sent(encrypted: Wire) -> None:
    error = await refusal(over(encrypted, "nb_secret"))

    assert isinstance(error, NotPermitted)
    assert "is not trusted" in error.detail


async def test_a_certificate_of_another_name_is_refused(encrypted: Wire, folder: Path) -> None:
    error = await refusal(over(encrypted, "nb_secret", host="127.0.0.1", folder=folder))

    assert isinstance(error, NotPermitted)
    assert "127.0.0.1" in error.detail


async def test_nobody_there_says_where(unused_port: int) -> None:
    error = await refusal(Client(url=f"http://127.0.0.1:{unused_port}", patience_s=0))

    assert isinstance(error, Unreachable)
    assert error.detail == f"Cannot connect to http://127.0.0.1:{unused_port}: Connection refused."


# Proxies


async def test_tls_goes_through_a_proxys_tunnel_which_never_sees_the_token(
    encrypted: Wire, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, seen = await encrypted.token(), list[str]()
    async with a_proxy(seen) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:tulips@127.0.0.1:{port}")
        assert await send(over(encrypted, token, folder=folder))

    assert seen[0].startswith(f"CONNECT localhost:{encrypted.port} ")
    assert base64.b64encode(b"me:tulips").decode() in seen[0]
    assert token not in seen[0]


async def test_plain_http_goes_through_a_proxy(line: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    token, seen = await line.token(), list[str]()
    async with a_proxy(seen) as port:
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{port}")
        assert await send(over(line, token))

    assert seen[0].startswith(f"POST http://localhost:{line.port}/api/ingest ")


async def test_no_proxy_goes_straight(line: Wire, unused_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{unused_port}")
    monkeypatch.setenv("no_proxy", "localhost")

    assert await send(over(line, await line.token()))


async def test_a_refusing_proxy_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_proxy([], b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n") as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:tulips@127.0.0.1:{port}")
        error = await refusal(Client(url="https://alerts.example.org", patience_s=0))

    assert f"through the proxy 127.0.0.1:{port}" in error.detail
    assert "407" in error.detail
    assert "tulips" not in str(error)
