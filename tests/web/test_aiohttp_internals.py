"""Private attributes of aiohttp that web/ and ingest_server rely on. If a new aiohttp fails here, check their uses.

| attribute | used by |
|---|---|
| `AppRunner._make_server`, `Server._kwargs` | web.connections, to put its own server in place |
| `HttpRequestParser`, `BaseProtocol`, `rfc822_formatted_time` (no private names, but undocumented) | web.short_way |
| `RequestHandler.connection_made`, `data_received` on a transport that another protocol had | web.short_way |
| `RequestHandler._current_request` | web.connections, to find idle connections |
| `RequestHandler._request_count` | ingest_server, to wait for new connections at a stop |
| `BaseSite._runner`, `BaseSite._server` | web.listeners, to accept connections itself |
"""

import asyncio
import contextlib
import socket
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable
from email.utils import parsedate_to_datetime
from pathlib import Path

import aiohttp
import pytest
from aiohttp import HttpVersion11, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import HttpRequestParser
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

ROOT = Path(__file__).parents[2]
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@contextlib.asynccontextmanager
async def serving(
    folder: Path, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> AsyncIterator[tuple[web.Server, asyncio.StreamReader, asyncio.StreamWriter]]:
    """Serve with plain aiohttp, and open one connection."""
    app = web.Application()
    app.router.add_get("/", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.UnixSite(runner, str(folder / "s")).start()
        reader, writer = await asyncio.open_unix_connection(folder / "s")
        assert runner.server is not None
        yield runner.server, reader, writer
        writer.close()
        await writer.wait_closed()
    finally:
        await runner.cleanup()


async def connection_of(server: web.Server) -> RequestHandler:
    async with asyncio.timeout(5):
        while not server.connections:  # noqa: ASYNC110 - aiohttp has no event for it
            await asyncio.sleep(0)
    return server.connections[0]


def test_only_tested_versions_are_allowed() -> None:
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    allowed = next(each for each in dependencies if each.startswith("aiohttp"))
    major, minor = map(int, aiohttp.__version__.split(".")[:2])
    assert allowed.endswith(f",<{major}.{minor + 1}"), f"{allowed}: these tests ran with {aiohttp.__version__}"


async def test_a_server_can_be_rebuilt_from_the_one_that_the_runner_makes() -> None:
    runner = web.AppRunner(web.Application(), access_log=None, keepalive_timeout=7.0, read_bufsize=1024)
    await runner.setup()
    try:
        made = await runner._make_server()
        assert made._kwargs["keepalive_timeout"] == 7.0
        rebuilt = web.Server(made.request_handler, request_factory=made.request_factory, **made._kwargs)
        handler = RequestHandler(rebuilt, loop=asyncio.get_running_loop(), **rebuilt._kwargs)
        assert handler.keepalive_timeout == 7.0
    finally:
        await runner.cleanup()


async def test_the_runner_uses_the_server_that_make_server_returns() -> None:
    class Runner(web.AppRunner):
        async def _make_server(self) -> web.Server:
            self.made = await super()._make_server()
            return self.made

    runner = Runner(web.Application())
    await runner.setup()
    assert runner.server is runner.made
    await runner.cleanup()


WITH_BODY = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"


async def test_the_parser_gives_whole_requests_with_their_bodies_and_keeps_beginnings() -> None:
    loop = asyncio.get_running_loop()
    parser = HttpRequestParser(BaseProtocol(loop), loop, 1024, auto_decompress=False)
    for _ in range(100):  # the parser has places for some messages that are not consumed
        assert not parser.feed_data(WITH_BODY[:20])[0]
        ((head, body),) = parser.feed_data(WITH_BODY[20:])[0]
        parser.message_consumed()
        assert (head.method, head.path, head.version, head.should_close) == ("POST", "/x", HttpVersion11, False)
        assert head.raw_headers == ((b"Host", b"x"), (b"Content-Length", b"2"))
        assert body.is_eof()
        assert body.read_nowait() == b"{}"
    assert len(parser.feed_data(WITH_BODY * 2)[0]) == 2
    parser = HttpRequestParser(BaseProtocol(loop), loop, 1024, auto_decompress=False)
    ((_, half),) = parser.feed_data(WITH_BODY[:-1])[0]
    assert not half.is_eof()
    with pytest.raises(HttpProcessingError):
        HttpRequestParser(BaseProtocol(loop), loop, 1024).feed_data(b"hello\r\n\r\n")


async def test_a_handler_serves_a_connection_that_another_protocol_began() -> None:
    ours, theirs = socket.socketpair()
    server = web.Server(lambda request: asyncio.sleep(0, web.Response(text=request.path)))
    transport, _ = await asyncio.get_running_loop().connect_accepted_socket(asyncio.Protocol, ours)
    reader, writer = await asyncio.open_unix_connection(sock=theirs)
    handler = server()
    transport.set_protocol(handler)
    handler.connection_made(transport)
    handler.data_received(WITH_BODY[:30])
    writer.write(WITH_BODY[30:])
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    assert await reader.readexactly(2) == b"/x"
    writer.close()
    await writer.wait_closed()
    await server.shutdown(1)


def test_dates_are_written_as_http_wants_them() -> None:
    assert parsedate_to_datetime(rfc822_formatted_time()).tzinfo is not None
    assert rfc822_formatted_time().endswith(" GMT")


async def test_a_connection_knows_its_request_and_counts_them(tmp_path: Path) -> None:
    seen: list[tuple[bool, int]] = []

    async def handler(request: web.Request) -> web.Response:
        connection = request.protocol
        seen.append((connection._current_request is request, connection._request_count))
        return web.Response()

    async with serving(tmp_path, handler) as (server, reader, writer):
        connection = await connection_of(server)
        assert (connection._current_request, connection._request_count) == (None, 0)
        for _ in range(2):
            writer.write(REQUEST)
            await reader.readuntil(b"\r\n\r\n")
        assert connection._current_request is None
    assert seen == [(True, 1), (True, 2)]


async def test_a_site_closes_the_server_that_it_keeps() -> None:
    runner = web.AppRunner(web.Application())
    await runner.setup()
    site = web.SockSite(runner, socket.create_server(("127.0.0.1", 0)))
    await site.start()
    assert site._runner is runner
    assert isinstance(site._server, asyncio.Server)
    assert site._server.is_serving()
    await site.stop()
    assert not site._server.is_serving()
    await runner.cleanup()


@pytest.mark.parametrize("name", ["connections", "request_handler", "request_factory"])
async def test_a_server_has_the_public_attributes_that_the_rebuilt_one_copies(name: str) -> None:
    assert hasattr(web.Server(lambda request: asyncio.sleep(0, web.Response())), name)
