"""HTTP/1.1 over a unix socket, standard library only; importing http.client would take four times as long.

Bodies are sent and received in chunks, so a large file is never in memory as a whole.
"""

import json
import select
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from notifybot.client.record import record

CHUNK_BYTES = 65_536
MAX_HEAD_BYTES = 65_536
MAX_BODY_BYTES = 256 * 1024 * 1024
"""Largest response that is read into memory."""
MAX_FILE_BYTES = 4 * 1024 * 1024 * 1024
"""Largest file that is passed to a sink."""

Sink = Callable[[bytes], object]
"""Takes a body chunk by chunk, like a file's `write`."""


class AnswerLost(Exception):
    """The request may have been received, but no complete response came back. The text is the reason."""


class NotHttp(AnswerLost):
    """The response is not HTTP/1.1: something else listens there."""


@record()
class RequestBody:
    """A request's body of `length` bytes. Each call of `chunks` starts over, as a request may be retried."""

    media_type: str
    length: int
    chunks: Callable[[], Iterable[bytes]]


def json_body(document: object) -> RequestBody:
    """Encode as UTF-8, which is shorter than escapes. Lone surrogates have no UTF-8: they are escaped."""
    try:
        content = json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        content = json.dumps(document).encode("ascii")
    return RequestBody("application/json", len(content), lambda: (content,))


UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-~")


def percent_encoded(text: str) -> str:
    """Encode a text for a URL, by RFC 3986; importing urllib.parse would take 6 ms. Lone surrogates become `?`."""
    return "".join(chr(byte) if byte in UNRESERVED else f"%{byte:02X}" for byte in text.encode("utf-8", "replace"))


def query_of(fields: Mapping[str, str | None]) -> str:
    """Encode the fields that have a value as the query of a URL, with its `?`; empty without any."""
    pairs = [f"{name}={percent_encoded(value)}" for name, value in fields.items() if value is not None]
    return f"?{'&'.join(pairs)}" if pairs else ""


@record()
class HttpRequest:
    """`target` is the path with its query, ready for the wire."""

    method: str
    target: str
    body: RequestBody | None = None

    def wire(self) -> Iterator[bytes]:
        """Encode the request, in chunks; it asks the server to close the connection after its response."""
        lines = [f"{self.method} {self.target} HTTP/1.1", "Host: notifybot", "Connection: close"]
        lines += ["Accept: application/json", "User-Agent: notifybot-client"]
        if self.body is not None:
            lines += [f"Content-Type: {self.body.media_type}", f"Content-Length: {self.body.length}"]
        chunks = iter(self.body.chunks() if self.body is not None else ())
        # Together, they reach the server at once, and it starts only once.
        yield "\r\n".join([*lines, "", ""]).encode("ascii") + next(chunks, b"")
        yield from chunks


@record()
class HttpResponse:
    """A response; header names are lower case, and a repeated header keeps its last value."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def connect(path: str, *, timeout_s: float) -> socket.socket:
    """Connect to the socket at `path`. Raises OSError; nothing was sent then."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def exchange(
    connection: socket.socket, request: HttpRequest, *, timeout_s: float, sink: Sink | None = None
) -> HttpResponse:
    """Send `request` and read the whole response within `timeout_s`, then close. Raises AnswerLost.

    A `sink` gets the body of a 200 response chunk by chunk; the returned body is empty then.
    """
    with connection:
        stream = _Stream(connection, deadline=time.monotonic() + timeout_s)
        stream.send(request.wire())
        while True:
            status, headers = _head(stream.until(b"\r\n\r\n", MAX_HEAD_BYTES))
            if status >= 200:  # skip interim responses such as 100 Continue
                return HttpResponse(status, headers, _body(stream, status, headers, sink if status == 200 else None))


class _Stream:
    """One connection, with one deadline for the whole exchange, however slowly the bytes arrive."""

    def __init__(self, connection: socket.socket, *, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline
        self._buffer = bytearray()

    def send(self, chunks: Iterable[bytes]) -> None:
        """Send the chunks. Stops if the peer responds early: it does not want the rest."""
        for chunk in chunks:
            rest = memoryview(chunk)
            while rest:
                sent = self._send_some(rest)
                if not sent:
                    return
                rest = rest[sent:]

    def _send_some(self, rest: memoryview) -> int:
        """Send as much as possible now and return its length; 0 once the peer responds or has closed."""
        poll = select.poll()
        poll.register(self._connection, select.POLLIN | select.POLLOUT)
        try:
            ready = poll.poll(self._remaining_s() * 1000)
            if not ready:
                raise TimeoutError
            return self._connection.send(rest) if ready[0][1] == select.POLLOUT else 0
        except (BrokenPipeError, ConnectionResetError):
            return 0
        except OSError as error:
            raise _lost(error) from error

    def until(self, mark: bytes, limit: int) -> bytes:
        """Read up to `mark`, and return what comes before it."""
        searched = 0
        while (position := self._buffer.find(mark, searched)) < 0:
            if len(self._buffer) > limit:
                raise NotHttp("the response is not HTTP")
            searched = max(0, len(self._buffer) - len(mark) + 1)
            self._need_more()
        return self._take(position + len(mark))[: -len(mark)]

    def exactly(self, count: int) -> Iterator[bytes]:
        """Yield the next `count` bytes in chunks."""
        while count:
            if not self._buffer:
                self._need_more()
            chunk = self._take(min(count, len(self._buffer)))
            count -= len(chunk)
            yield chunk

    def to_end(self) -> Iterator[bytes]:
        while self._buffer or self._receive():
            yield self._take(len(self._buffer))

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def _need_more(self) -> None:
        if not self._receive():
            raise AnswerLost("the connection was closed before the response was complete")

    def _receive(self) -> bool:
        try:
            self._connection.settimeout(self._remaining_s())
            received = self._connection.recv(CHUNK_BYTES)
        except OSError as error:
            raise _lost(error) from error
        self._buffer += received
        return bool(received)

    def _remaining_s(self) -> float:
        remaining_s = self._deadline - time.monotonic()
        if remaining_s <= 0:
            raise TimeoutError
        return remaining_s


def _lost(error: OSError) -> AnswerLost:
    if isinstance(error, TimeoutError):
        return AnswerLost("no response came in time")
    return AnswerLost("the connection broke before the response was complete")


def _head(raw: bytes) -> tuple[int, dict[str, str]]:
    """Parse the head of a response into status and headers."""
    status_line, *lines = raw.decode("latin-1").split("\r\n")
    version, _, rest = status_line.partition(" ")
    code = rest[:3]
    if not version.startswith("HTTP/1.") or not (code.isascii() and code.isdigit() and len(code) == 3):
        raise NotHttp("the response is not HTTP")
    pairs = (line.partition(":") for line in lines)
    return int(code), {name.strip().lower(): value.strip() for name, _, value in pairs}


def _body(stream: _Stream, status: int, headers: Mapping[str, str], sink: Sink | None) -> bytes:
    """Pass the body to `sink`, or return it if there is none."""
    gathered = bytearray()
    most, take = (MAX_BODY_BYTES, gathered.extend) if sink is None else (MAX_FILE_BYTES, sink)
    taken = 0
    for chunk in _body_chunks(stream, status, headers, most):
        taken += len(chunk)
        if taken > most:
            raise NotHttp("the response is too large")
        take(chunk)
    return bytes(gathered)


def _body_chunks(stream: _Stream, status: int, headers: Mapping[str, str], most: int) -> Iterator[bytes]:
    if status in (204, 304):
        return iter(())
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return _decoded_chunks(stream, most)
    length = headers.get("content-length")
    return stream.to_end() if length is None else stream.exactly(_size(length, base=10, most=most))


def _decoded_chunks(stream: _Stream, most: int) -> Iterator[bytes]:
    while size := _size(_chunk_size(stream), base=16, most=most):
        yield from stream.exactly(size)
        if stream.until(b"\r\n", MAX_HEAD_BYTES):
            raise NotHttp("the response is not HTTP")
    while stream.until(b"\r\n", MAX_HEAD_BYTES):
        pass  # trailers


def _chunk_size(stream: _Stream) -> str:
    return stream.until(b"\r\n", MAX_HEAD_BYTES).partition(b";")[0].decode("latin-1")


def _size(digits: str, *, base: int, most: int) -> int:
    """Parse a length; int() alone would also take signs, spaces and underscores."""
    try:
        size = int(digits.strip(), base) if digits.strip().isalnum() else -1
    except ValueError:
        size = -1
    if not 0 <= size <= most:
        raise NotHttp("the response is not HTTP")
    return size
