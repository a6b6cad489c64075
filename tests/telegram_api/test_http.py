"""Failures of calls to Telegram, against a raw server that fails on purpose."""

import asyncio
import io
import socket
import struct
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from telegram import Bot, InputFile
from telegram.error import BadRequest, ChatMigrated, InvalidToken, NetworkError, RetryAfter

from notifybot.telegram_api import http
from notifybot.telegram_api.http import AiohttpRequest, MaybeSent, NeverSent, Timeouts

TOKEN = "123456:" + "A" * 35
QUICK = Timeouts(connect=0.3, write=0.1, upload=0.1, read=0.2)
SENT = (
    b'{"ok":true,"result":{"message_id":7,"date":1700000000,"chat":{"id":5,"type":"private","first_name":"A"},'
    b'"text":"hi"}}'
)

Behaviour = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


class RawServer:
    """Passes each request to `behaviour`, and records it."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.requests: list[bytes] = []
        self.was_asked = asyncio.Event()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.requests.append(head + await _body(reader, head))
                self.was_asked.set()
                await self.behaviour(self.requests[-1], writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    lines = head.lower().split(b"\r\n")
    if b"transfer-encoding: chunked" in lines:
        return await reader.readuntil(b"\r\n0\r\n\r\n")
    lengths = [int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")]
    return await reader.readexactly(lengths[0]) if lengths else b""


@asynccontextmanager
async def raw_server(behaviour: Behaviour) -> AsyncIterator[RawServer]:
    raw = RawServer(behaviour)
    server = await asyncio.start_server(raw.serve, "127.0.0.1", 0)
    raw.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield raw


@asynccontextmanager
async def a_bot(url: str, timeouts: Timeouts = QUICK, max_connections: int = 100) -> AsyncIterator[Bot]:
    request = AiohttpRequest(timeouts=timeouts, max_connections=max_connections)
    try:
        yield Bot(TOKEN, base_url=f"{url}/bot", request=request, get_updates_request=request)
    finally:
        await request.shutdown()


def answers(status: str, body: bytes, *headers: str) -> Behaviour:
    async def behaviour(_request: bytes, writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
        writer.write("\r\n".join(lines).encode() + body)

    return behaviour


def cuts(beginning: bytes) -> Behaviour:
    async def behaviour(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(beginning)
        await writer.drain()
        writer.close()

    return behaviour


async def resets(_request: bytes, writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def hangs(_request: bytes, _writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def dribbles(_request: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


HTML = b"<html><body>Bad gateway at /bot" + TOKEN.encode() + b"/sendMessage</body></html>"

MAYBE = {
    "cut before the headers": cuts(b""),
    "cut inside the headers": cuts(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "cut after the headers": cuts(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n"),
    "half a body": cuts(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + SENT[:40]),
    "reset": resets,
    "no answer": hangs,
    "an answer without an end": dribbles,
    "no HTTP at all": cuts(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    "a gateway's page": answers("502 Bad Gateway", HTML, "Content-Type: text/html"),
    "a page instead of a result": answers("200 OK", HTML, "Content-Type: text/html"),
    "a result cut short": answers("200 OK", SENT[:40]),
    "a result that is a list": answers("200 OK", b"[1, 2]"),
    "no result": answers("200 OK", b'{"ok": false}'),
    "a nonsensical wait": answers("500 Oops", b'{"ok":false,"description":"x","parameters":{"retry_after":"soon"}}'),
    "parameters that are none": answers("500 Oops", b'{"ok":false,"description":"x","parameters":[7]}'),
    "JSON too deep to read": answers("200 OK", b"[" * 200_000),
    "a compressed answer nobody asked for": answers("200 OK", b"\x1f\x8b\x08" + bytes(40), "Content-Encoding: gzip"),
}
NEVER = {
    "a page for an unknown address": answers("404 Not Found", HTML, "Content-Type: text/html"),
    "a page that forbids": answers("403 Forbidden", HTML, "Content-Type: text/html"),
    "a redirect": answers("302 Found", b"", "Location: http://127.0.0.1:9/elsewhere"),
    "a nonsensical migration": answers(
        "400 Bad Request", b'{"ok":false,"description":"x","parameters":{"migrate_to_chat_id":true}}'
    ),
}


@pytest.mark.parametrize("behaviour", MAYBE.values(), ids=MAYBE.keys())
async def test_a_call_without_a_usable_answer_may_have_been_sent(behaviour: Behaviour) -> None:
    async with raw_server(behaviour) as server, a_bot(server.url) as bot:
        with pytest.raises(MaybeSent) as caught:
            await bot.send_message(5, "hi")
    assert len(server.requests) == 1
    _assert_no_token_in(caught.value)


@pytest.mark.parametrize("behaviour", NEVER.values(), ids=NEVER.keys())
async def test_a_call_refused_on_the_way_was_never_sent(behaviour: Behaviour) -> None:
    async with raw_server(behaviour) as server, a_bot(server.url) as bot:
        with pytest.raises(NeverSent) as caught:
            await bot.send_message(5, "hi")
    assert len(server.requests) == 1
    _assert_no_token_in(caught.value)


def _assert_no_token_in(error: BaseException) -> None:
    shown = "".join(traceback.format_exception(error)) + repr(error)
    assert TOKEN not in shown
    assert 0 < len(str(error)) < 80


async def test_a_refused_connection_is_never_sent() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with a_bot(f"http://127.0.0.1:{unused.getsockname()[1]}") as bot:
            with pytest.raises(NeverSent, match="connection refused") as caught:
                await bot.send_message(5, "hi")
    _assert_no_token_in(caught.value)


async def test_a_failed_tls_handshake_is_never_sent() -> None:
    async with raw_server(answers("200 OK", SENT)) as server, a_bot(server.url.replace("http:", "https:")) as bot:
        with pytest.raises(NeverSent) as caught:
            await bot.send_message(5, "hi")
    _assert_no_token_in(caught.value)


async def test_a_handshake_that_hangs_is_never_sent() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        async with a_bot(f"https://127.0.0.1:{silent.getsockname()[1]}") as bot:
            with pytest.raises(NeverSent, match="no connection in time") as caught:
                await bot.send_message(5, "hi")
    _assert_no_token_in(caught.value)


async def test_a_call_that_found_no_free_connection_is_never_sent() -> None:
    timeouts = Timeouts(connect=0.1, write=5, read=5)
    async with raw_server(hangs) as server, a_bot(server.url, timeouts, max_connections=1) as bot:
        occupant = asyncio.create_task(bot.send_message(5, "first"))
        await server.was_asked.wait()
        with pytest.raises(NeverSent, match="no connection in time"):
            await bot.send_message(5, "second")
        occupant.cancel()
    assert len(server.requests) == 1


async def test_an_unusable_address_is_never_sent() -> None:
    async with a_bot("http://127.0.0.1:99999") as bot:
        with pytest.raises(NeverSent) as caught:
            await bot.send_message(5, "hi")
    _assert_no_token_in(caught.value)


async def test_an_endless_response_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_ANSWER_BYTES", 1000)
    async with raw_server(answers("200 OK", b" " * 5000 + SENT)) as server, a_bot(server.url) as bot:
        with pytest.raises(MaybeSent, match="too long"):
            await bot.send_message(5, "hi")


async def test_a_call_works_before_initialize_and_carries_json() -> None:
    async with raw_server(answers("200 OK", SENT)) as server, a_bot(server.url) as bot:
        message = await bot.send_message(5, "hi \N{SNOWMAN}", disable_notification=True)
    assert message.message_id == 7
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /bot" + TOKEN.encode() + b"/sendMessage HTTP/1.1")
    assert b"application/json" in head
    assert body == b'{"chat_id": "5", "text": "hi \\u2603", "disable_notification": "true"}'


async def test_a_file_is_uploaded_under_its_own_name() -> None:
    async with raw_server(answers("200 OK", SENT)) as server, a_bot(server.url) as bot:
        await bot.send_document(5, InputFile(b"file content", 'Отчёт "1".txt'), caption="see")
    request = server.requests[0]
    assert b"multipart/form-data" in request
    assert 'filename="Отчёт \\"1\\".txt"'.encode() in request
    assert b"file content" in request
    assert b"see" in request


@asynccontextmanager
async def server_that_reads_no_body(*, closes: bool) -> AsyncIterator[str]:
    """Read the head of each request; then close the connection, or leave it as it is."""
    is_over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if not closes:
            await is_over.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        is_over.set()


@pytest.mark.parametrize("closes", [True, False], ids=["cut", "too slow"])
async def test_a_file_that_did_not_get_out_whole_was_never_sent(closes: bool) -> None:
    core = InputFile(io.BytesIO(bytes(20_000_000)), "core", read_file_handle=False)
    async with server_that_reads_no_body(closes=closes) as url, a_bot(url) as bot:
        with pytest.raises(NeverSent) as caught:
            await bot.send_document(5, core, write_timeout=0.2)

    assert caught.value.was_slow is not closes


async def test_connections_are_reused() -> None:
    peers: set[object] = set()

    async def behaviour(request: bytes, writer: asyncio.StreamWriter) -> None:
        peers.add(writer.get_extra_info("peername"))
        await answers("200 OK", SENT)(request, writer)

    async with raw_server(behaviour) as server, a_bot(server.url) as bot:
        for _ in range(5):
            await bot.send_message(5, "hi")
    assert len(server.requests) == 5
    assert len(peers) == 1


async def test_after_shutdown_only_initialize_opens_it_again() -> None:
    request = AiohttpRequest(timeouts=QUICK)
    async with raw_server(answers("200 OK", SENT)) as server:
        await request.initialize()
        await request.shutdown()
        await request.shutdown()
        with pytest.raises(NeverSent, match="closed"):
            await request.post(f"{server.url}/botx/getMe")
        await request.initialize()
        assert await request.post(f"{server.url}/botx/getMe")
        await request.shutdown()


async def test_shutdown_ends_calls_in_flight_as_maybe_sent() -> None:
    request = AiohttpRequest()
    async with raw_server(hangs) as server:
        call = asyncio.create_task(request.post(f"{server.url}/botx/getMe"))
        await server.was_asked.wait()
        await request.shutdown()
        with pytest.raises(MaybeSent):
            await call


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        ("400 Bad Request", b'{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}', BadRequest),
        ("401 Unauthorized", b'{"ok":false,"error_code":401,"description":"Unauthorized"}', InvalidToken),
        ("500 Oops", b'{"ok":false,"error_code":500,"description":"Internal Server Error"}', NetworkError),
        (
            "429 Too Many Requests",
            b'{"ok":false,"error_code":429,"description":"x","parameters":{"retry_after":3}}',
            RetryAfter,
        ),
        (
            "400 Bad Request",
            b'{"ok":false,"error_code":400,"description":"x","parameters":{"migrate_to_chat_id":-1009}}',
            ChatMigrated,
        ),
    ],
)
async def test_a_refusal_by_telegram_keeps_its_own_exception(status: str, body: bytes, error: type[Exception]) -> None:
    async with raw_server(answers(status, body)) as server, a_bot(server.url) as bot:
        with pytest.raises(error) as caught:
            await bot.send_message(5, "hi")
    assert not isinstance(caught.value, MaybeSent | NeverSent)


async def test_get_updates_may_take_its_long_poll_longer() -> None:
    async def answers_late(request: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.6)  # longer than QUICK's total timeout
        await answers("200 OK", b'{"ok":true,"result":[]}')(request, writer)

    async with raw_server(answers_late) as server, a_bot(server.url) as bot:
        assert await bot.get_updates(timeout=1) == ()
