"""Calls through a proxy, over HTTP and SOCKS: what arrives, and what each failure says."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from telegram import Bot

from notifybot.config.proxies import Proxy, parse_proxy
from notifybot.telegram_api.http import AiohttpRequest, MaybeSent, NeverSent, telegram_time
from tests.support.certificates import certificate
from tests.support.socks import socks_proxy
from tests.telegram_api.test_http import QUICK, SENT, TOKEN, answers, cuts, hangs, raw_server, resets

SERVER = "http://telegram.example"
TLS_SERVER = "https://telegram.example"
WORD = "tulips-in-may"
NOBODY = 9
"""The port of no server."""


@asynccontextmanager
async def a_bot(proxy: Proxy, url: str = SERVER) -> AsyncIterator[Bot]:
    request = AiohttpRequest(timeouts=QUICK, proxy=proxy)
    try:
        yield Bot(TOKEN, base_url=f"{url}/bot", request=request, get_updates_request=request)
    finally:
        await request.shutdown()


async def failure(proxy: str, url: str = SERVER) -> str:
    """Return what a call that certainly was not sent says; it never contains the token or the password."""
    async with a_bot(parse_proxy(proxy), url) as bot:
        with pytest.raises(NeverSent) as caught:
            await bot.send_message(5, "hi")
    said = str(caught.value)
    assert TOKEN not in said
    assert WORD not in said
    return said


async def test_a_call_through_socks_arrives_and_the_proxy_resolves_the_name() -> None:
    async with raw_server(answers("200 OK", SENT)) as server, socks_proxy() as proxy:
        proxy.names["telegram.example"] = urlsplit(server.url).port or 0
        async with a_bot(parse_proxy(f"socks5://127.0.0.1:{proxy.port}")) as bot:
            for _ in range(3):
                await bot.send_message(5, "hi")
    assert len(server.requests) == 3
    assert proxy.asked == ["telegram.example:80"]  # one connection, kept alive


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
async def test_socks_with_a_user_and_a_password(scheme: str) -> None:
    async with raw_server(answers("200 OK", SENT)) as server, socks_proxy(users={"anna": f"{WORD}@x"}) as proxy:
        proxy.names["telegram.example"] = urlsplit(server.url).port or 0
        async with a_bot(parse_proxy(f"{scheme}://anna:{WORD}%40x@127.0.0.1:{proxy.port}")) as bot:
            await bot.send_message(5, "hi")
    assert len(server.requests) == 1


async def test_an_http_proxy_gets_the_credentials() -> None:
    async with raw_server(answers("200 OK", SENT)) as proxy:
        way = parse_proxy(proxy.url.replace("http://", "http://user:word@"))
        async with a_bot(way) as bot:
            await bot.send_message(5, "hi")
    assert [request.split(b"/bot")[0] for request in proxy.requests] == [b"POST http://telegram.example"]
    assert b"Proxy-Authorization: Basic dXNlcjp3b3Jk" in proxy.requests[0]


SOCKS_REFUSALS: dict[str, tuple[Mapping[str, object], str, str]] = {
    "wants credentials": ({"users": {"anna": "x"}}, "", "wants a user and a password"),
    "other credentials": ({"users": {"anna": "x"}}, f"anna:{WORD}@", "refused the user or the password"),
    "a user alone": ({"users": {"anna": "x"}}, "anna@", "refused the user or the password"),
    "no credentials accepted": ({"greeting": b"\x05\xff"}, f"anna:{WORD}@", "refused the user or the password"),
    "failed": ({"reply": 1}, "", "does not reach Telegram: it failed"),
    "not allowed": ({"reply": 2}, "", "does not reach Telegram: its rules do not allow it"),
    "no network": ({"reply": 3}, "", "does not reach Telegram: the network is unreachable"),
    "no host": ({"reply": 4}, "", "does not reach Telegram: the host is unreachable"),
    "refused": ({"reply": 5}, "", "does not reach Telegram: the connection was refused"),
    "an unusual code": ({"reply": 7}, "", "does not reach Telegram: it replied 7"),
    "an unknown code": ({"reply": 99}, "", "does not answer as SOCKS5 does"),
    "another protocol": ({"greeting": b"HTTP/1.1 400 Bad Request\r\n\r\n"}, "", "does not answer as SOCKS5 does"),
    "nothing": ({"greeting": b""}, "", "does not answer as SOCKS5 does"),
    "half an answer": ({"greeting": b"\x05"}, "", "does not answer as SOCKS5 does"),
}


@pytest.mark.parametrize("name", SOCKS_REFUSALS)
async def test_a_refusal_by_socks_says_why(name: str) -> None:
    options, credentials, says = SOCKS_REFUSALS[name]
    async with socks_proxy(**options) as proxy:
        said = await failure(f"socks5://{credentials}127.0.0.1:{proxy.port}")
    assert said.startswith(f"the proxy socks5://127.0.0.1:{proxy.port} (telegram.proxy) ")
    assert says in said


HTTP_REFUSALS = {
    "407 without credentials": ("407 Proxy Authentication Required", "", "wants a user and a password"),
    "407": ("407 Proxy Authentication Required", f"anna:{WORD}@", "refused the user or the password"),
    "403": ("403 Forbidden", "", "returned 403"),
    "502": ("502 Bad Gateway", "", "returned 502"),
}


@pytest.mark.parametrize("name", HTTP_REFUSALS)
async def test_a_refusal_by_an_http_proxy_says_why(name: str) -> None:
    status, credentials, says = HTTP_REFUSALS[name]
    async with raw_server(answers(status, b"")) as proxy:
        said = await failure(proxy.url.replace("http://", f"http://{credentials}"), TLS_SERVER)
    assert said == f"the proxy {proxy.url} (telegram.proxy) {says}"


@pytest.mark.parametrize("scheme", ["socks5", "http"])
async def test_a_proxy_that_is_away(scheme: str) -> None:
    said = await failure(f"{scheme}://anna:{WORD}@127.0.0.1:{NOBODY}")
    assert said == f"no connection to the proxy {scheme}://127.0.0.1:{NOBODY} (telegram.proxy): connection refused"
    assert "cannot be resolved" in await failure(f"{scheme}://anna:{WORD}@proxy.invalid:1080")


@pytest.mark.parametrize("scheme", ["socks5", "http"])
async def test_a_silent_proxy_takes_no_longer_than_a_connection_may(scheme: str) -> None:
    async with raw_server(hangs) as silent:
        port = urlsplit(silent.url).port
        said = await failure(f"{scheme}://127.0.0.1:{port}", TLS_SERVER)
    assert said == f"no connection through the proxy {scheme}://127.0.0.1:{port} (telegram.proxy) in time"


@pytest.mark.parametrize("behaviour", [cuts(b""), resets, hangs])
async def test_a_call_cut_behind_socks_may_have_been_sent(behaviour: object) -> None:
    async with raw_server(behaviour) as server, socks_proxy() as proxy:  # type: ignore[arg-type]
        proxy.names["telegram.example"] = urlsplit(server.url).port or 0
        async with a_bot(parse_proxy(f"socks5://127.0.0.1:{proxy.port}")) as bot:
            with pytest.raises(MaybeSent) as caught:
                await bot.send_message(5, "hi")
    assert "proxy" not in str(caught.value)


async def test_behind_socks_telegrams_certificate_is_checked(tmp_path: Path) -> None:
    certificate(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(tmp_path / "chain.pem", tmp_path / "key.pem")
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=tls)
    async with server, socks_proxy() as proxy:
        proxy.names["telegram.example"] = server.sockets[0].getsockname()[1]
        assert await failure(f"socks5://127.0.0.1:{proxy.port}", TLS_SERVER) == "the TLS handshake failed"


async def test_the_time_is_asked_through_the_proxy() -> None:
    date = "Date: Tue, 01 Dec 2026 02:00:00 GMT"
    async with raw_server(answers("200 OK", b"", date)) as server, socks_proxy() as proxy:
        proxy.names["telegram.example"] = urlsplit(server.url).port or 0
        way = parse_proxy(f"socks5://127.0.0.1:{proxy.port}")
        assert await telegram_time(SERVER, way, within=timedelta(seconds=5)) is not None
        proxy.reply = 2
        assert await telegram_time(SERVER, way, within=timedelta(seconds=5)) is None


def test_nothing_listens_where_the_tests_say_so() -> None:
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", NOBODY)) != 0
