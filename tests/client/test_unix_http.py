"""HTTP over a unix socket: every framing of a response, and broken responses."""

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, quote

import pytest

from notifybot.client.unix_http import (
    AnswerLost,
    HttpRequest,
    HttpResponse,
    NotHttp,
    RequestBody,
    connect,
    exchange,
    json_body,
    percent_encoded,
    query_of,
)
from tests.cli.standin import Behaviour, cutting, hanging, misbehaving, saying

OK = b"HTTP/1.1 200 OK\r\n"


def ask(path: Path, *, body: object = None, timeout_s: float = 5) -> HttpResponse:
    return exchange(
        connect(str(path), timeout_s=5),
        HttpRequest("POST", "/", None if body is None else json_body(body)),
        timeout_s=timeout_s,
    )


def answer_to(behaviour: Behaviour, tmp_path: Path) -> HttpResponse:
    with misbehaving(tmp_path / "s", behaviour):
        return ask(tmp_path / "s")


@pytest.mark.parametrize(
    ("wire", "body"),
    [
        (OK + b"Content-Length: 5\r\n\r\nhello", b"hello"),
        (OK + b"content-length:5\r\n\r\nhello and more", b"hello"),
        (OK + b"Content-Length: 0\r\n\r\n", b""),
        (OK + b"\r\nuntil the end", b"until the end"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n", b"hello world"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n", b"0123456789"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    ],
)
def test_a_body_is_read_in_every_framing(wire: bytes, body: bytes, tmp_path: Path) -> None:
    assert answer_to(saying(wire), tmp_path).body == body


@pytest.mark.parametrize(
    "wire", [OK + b"Content-Length: 5\r\n\r\nhello", OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"]
)
def test_a_response_can_arrive_byte_by_byte(wire: bytes, tmp_path: Path) -> None:
    pieces = [wire[index : index + 1] for index in range(len(wire))]

    assert answer_to(saying(*pieces), tmp_path).body == b"hello"


def test_status_and_headers_are_read_and_header_names_are_lower_case(tmp_path: Path) -> None:
    reply = answer_to(saying(b"HTTP/1.1 503 Busy\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n"), tmp_path)

    assert (reply.status, reply.headers["retry-after"]) == (503, "3")


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        OK + b"Content-Length: 5\r\n\r\nhel",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ],
)
def test_half_a_response_is_lost(wire: bytes, tmp_path: Path) -> None:
    with pytest.raises(AnswerLost, match="connection"):
        answer_to(saying(wire), tmp_path)


@pytest.mark.parametrize(
    "wire",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: 1_0\r\n\r\n",
        OK + b"Content-Length: 99999999999999\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n",
        b"x" * 200_000,
    ],
)
def test_a_response_that_is_not_http_is_refused(wire: bytes, tmp_path: Path) -> None:
    with pytest.raises(NotHttp):
        answer_to(saying(wire), tmp_path)


def test_a_response_that_never_comes_times_out(tmp_path: Path) -> None:
    with misbehaving(tmp_path / "s", hanging), pytest.raises(AnswerLost, match="in time"):
        ask(tmp_path / "s", timeout_s=0.05)


def test_the_timeout_is_for_the_whole_response(tmp_path: Path) -> None:
    def drip(connection: socket.socket) -> None:
        connection.settimeout(0.02)
        connection.sendall(OK + b"\r\n")
        while True:  # until the client has left
            try:
                connection.sendall(b".")
                connection.recv(1)
                return
            except TimeoutError:
                continue
            except OSError:
                return

    with misbehaving(tmp_path / "s", drip), pytest.raises(AnswerLost, match="in time"):
        ask(tmp_path / "s", timeout_s=0.3)


def test_a_response_before_the_whole_request_was_read_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "s"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    connection = connect(str(path), timeout_s=5)
    server, _ = listener.accept()
    server.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
    server.shutdown(socket.SHUT_RD)

    reply = exchange(connection, HttpRequest("POST", "/", json_body("x" * 10_000_000)), timeout_s=5)

    server.close()
    listener.close()
    assert (reply.status, reply.body) == (413, b"no")


def test_a_request_has_its_length_and_closes_the_connection(tmp_path: Path) -> None:
    with misbehaving(tmp_path / "s", saying(OK + b"Content-Length: 0\r\n\r\n")) as requests:
        ask(tmp_path / "s", body={})

    head, _, body = requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST / HTTP/1.1\r\n")
    assert b"Content-Length: 2" in head
    assert b"Connection: close" in head
    assert body == b"{}"


def test_a_connection_closed_without_response_is_lost(tmp_path: Path) -> None:
    with pytest.raises(AnswerLost):
        answer_to(cutting, tmp_path)


# Chunked bodies


def test_a_body_is_sent_chunk_by_chunk(tmp_path: Path) -> None:
    body = RequestBody("text/plain", 300_000, lambda: (bytes([letter]) * 100_000 for letter in b"abc"))

    with misbehaving(tmp_path / "s", saying(OK + b"Content-Length: 0\r\n\r\n")) as requests:
        exchange(connect(str(tmp_path / "s"), timeout_s=5), HttpRequest("POST", "/", body), timeout_s=5)

    head, _, sent = requests[0].partition(b"\r\n\r\n")
    assert b"Content-Type: text/plain\r\nContent-Length: 300000" in head
    assert sent == b"a" * 100_000 + b"b" * 100_000 + b"c" * 100_000


def test_an_early_response_stops_the_body(tmp_path: Path) -> None:
    produced = 0

    def pieces() -> Iterator[bytes]:
        nonlocal produced
        while produced < 10_000:
            produced += 1
            yield b"x" * 65_536

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        connection = connect(str(tmp_path / "s"), timeout_s=5)
        server, _ = listener.accept()
        with server:  # stays open without reading
            server.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
            request = HttpRequest("POST", "/", RequestBody("text/plain", 10_000 * 65_536, pieces))

            reply = exchange(connection, request, timeout_s=30)

    assert (reply.status, reply.body) == (413, b"no")
    assert produced < 100


def test_a_server_that_reads_nothing_times_out(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        connection = connect(str(tmp_path / "s"), timeout_s=5)
        request = HttpRequest("POST", "/", json_body("x" * 10_000_000))

        with pytest.raises(AnswerLost, match="in time"):
            exchange(connection, request, timeout_s=0.1)


@pytest.mark.parametrize(
    "wire",
    [
        OK + b"Content-Length: 11\r\n\r\nhello world",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
        OK + b"\r\nhello world",
    ],
)
def test_a_file_is_passed_on_chunk_by_chunk(wire: bytes, tmp_path: Path) -> None:
    got: list[bytes] = []
    with misbehaving(tmp_path / "s", saying(*(wire[index : index + 1] for index in range(len(wire))))):
        reply = exchange(
            connect(str(tmp_path / "s"), timeout_s=5), HttpRequest("GET", "/"), timeout_s=5, sink=got.append
        )

    assert b"".join(got) == b"hello world"
    assert reply.body == b""


def test_a_refusal_is_not_written_to_the_file(tmp_path: Path) -> None:
    got: list[bytes] = []
    with misbehaving(tmp_path / "s", saying(b"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno")):
        reply = exchange(
            connect(str(tmp_path / "s"), timeout_s=5), HttpRequest("GET", "/"), timeout_s=5, sink=got.append
        )

    assert (reply.status, reply.body, got) == (404, b"no", [])


def test_a_response_too_large_for_memory_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with pytest.raises(NotHttp):
        answer_to(saying(OK + b"Content-Length: 268435457\r\n\r\n"), tmp_path)


@pytest.mark.parametrize(
    "text", ["", "plain-_.~1", "a b+c", "a/b?c&d=e#f%", "Größe", "日本\n", "\0\x7f", "'\"<>", "@anna:-100:7"]
)
def test_texts_are_encoded_for_urls_as_by_the_standard_library(text: str) -> None:
    assert percent_encoded(text) == quote(text, safe="")
    assert parse_qsl(query_of({"q": text, "without": None, "n": "1"})[1:], keep_blank_values=True) == [
        ("q", text),
        ("n", "1"),
    ]


def test_a_text_that_has_no_utf_8_is_encoded_too() -> None:
    assert percent_encoded("caf\udce9") == "caf%3F"
    assert query_of({"without": None}) == ""
