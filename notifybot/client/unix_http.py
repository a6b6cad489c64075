"""One HTTP/1.1 exchange over a unix socket, on the standard library alone; http.client costs four times the import.

Bodies go out and come in as pieces, so that a large file never lies in memory whole.
"""

import select
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

CHUNK_BYTES = 65_536
MAX_HEAD_BYTES = 65_536
MAX_BODY_BYTES = 256 * 1024 * 1024
"""The largest answer that is taken into memory."""
MAX_FILE_BYTES = 4 * 1024 * 1024 * 1024
"""The largest that is handed on as it comes."""

Sink = Callable[[bytes], object]
"""Takes a body piece by piece, as a file's `write` does."""


class AnswerLost(Exception):
    """The request may have been received, but no whole, correct answer came back. The text says why."""


class NotHttp(AnswerLost):
    """What came back is no HTTP/1.1 answer: something else listens there."""


@dataclass(frozen=True)
class RequestBody:
    """What a request carries. `pieces` begins anew at each call, as a request may be repeated; `length` in bytes."""

    media_type: str
    length: int
    pieces: Callable[[], Iterable[bytes]]


def json_body(document: bytes) -> RequestBody:
    return RequestBody("application/json", len(document), lambda: (document,))


@dataclass(frozen=True)
class HttpRequest:
    """`target` is the path with its query, ready for the wire."""

    method: str
    target: str
    body: RequestBody | None = None

    def wire(self) -> Iterator[bytes]:
        """The request in pieces; it asks the server to close the connection after its answer."""
        lines = [f"{self.method} {self.target} HTTP/1.1", "Host: notifybot", "Connection: close"]
        lines += ["Accept: application/json", "User-Agent: notifybot-client"]
        if self.body is not None:
            lines += [f"Content-Type: {self.body.media_type}", f"Content-Length: {self.body.length}"]
        yield "\r\n".join([*lines, "", ""]).encode("ascii")
        if self.body is not None:
            yield from self.body.pieces()


@dataclass(frozen=True)
class HttpResponse:
    """An answer as it came; header names are lower case, and a repeated header keeps its last value."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def connect(path: str, *, timeout_s: float) -> socket.socket:
    """Connect to the socket at `path`. Raises OSError as the kernel gave it; nothing was sent then."""
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
    """Send `request` and read the whole answer within `timeout_s` in all. Raises AnswerLost. Closes the connection.

    `sink` gets the body of an answer of 200 piece by piece; it is not in the reply then.
    """
    with connection:
        stream = _Stream(connection, deadline=time.monotonic() + timeout_s)
        stream.send(request.wire())
        while True:
            status, headers = _head(stream.until(b"\r\n\r\n", MAX_HEAD_BYTES))
            if status >= 200:  # before it come interim answers such as 100 Continue
                return HttpResponse(status, headers, _body(stream, status, headers, sink if status == 200 else None))


class _Stream:
    """The bytes of one connection, read against one deadline for the whole answer, however slowly they drip."""

    def __init__(self, connection: socket.socket, *, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline
        self._buffer = bytearray()

    def send(self, pieces: Iterable[bytes]) -> None:
        """Send the pieces. A peer that answers before it has read all does not want the rest: its answer is read."""
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                sent = self._send_some(rest)
                if not sent:
                    return
                rest = rest[sent:]

    def _send_some(self, rest: memoryview) -> int:
        """Send what goes out now and return its length; 0 once the peer answers or has closed."""
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
        """Bytes up to `mark`, which is read but not returned."""
        searched = 0
        while (position := self._buffer.find(mark, searched)) < 0:
            if len(self._buffer) > limit:
                raise NotHttp("the answer is not HTTP")
            searched = max(0, len(self._buffer) - len(mark) + 1)
            self._need_more()
        return self._take(position + len(mark))[: -len(mark)]

    def exactly(self, count: int) -> Iterator[bytes]:
        """The next `count` bytes, as they come."""
        while count:
            if not self._buffer:
                self._need_more()
            piece = self._take(min(count, len(self._buffer)))
            count -= len(piece)
            yield piece

    def to_end(self) -> Iterator[bytes]:
        while self._buffer or self._receive():
            yield self._take(len(self._buffer))

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def _need_more(self) -> None:
        if not self._receive():
            raise AnswerLost("the connection was closed before the answer was complete")

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
        return AnswerLost("no answer came in time")
    return AnswerLost("the connection broke before the answer was complete")


def _head(raw: bytes) -> tuple[int, dict[str, str]]:
    """Status and headers of one answer's head."""
    status_line, *lines = raw.decode("latin-1").split("\r\n")
    version, _, rest = status_line.partition(" ")
    code = rest[:3]
    if not version.startswith("HTTP/1.") or not (code.isascii() and code.isdigit() and len(code) == 3):
        raise NotHttp("the answer is not HTTP")
    pairs = (line.partition(":") for line in lines)
    return int(code), {name.strip().lower(): value.strip() for name, _, value in pairs}


def _body(stream: _Stream, status: int, headers: Mapping[str, str], sink: Sink | None) -> bytes:
    """Hand the body to `sink`, or return it where there is none."""
    gathered = bytearray()
    most, take = (MAX_BODY_BYTES, gathered.extend) if sink is None else (MAX_FILE_BYTES, sink)
    taken = 0
    for piece in _pieces(stream, status, headers, most):
        taken += len(piece)
        if taken > most:
            raise NotHttp("the answer is too large")
        take(piece)
    return bytes(gathered)


def _pieces(stream: _Stream, status: int, headers: Mapping[str, str], most: int) -> Iterator[bytes]:
    if status in (204, 304):
        return iter(())
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return _chunks(stream, most)
    length = headers.get("content-length")
    return stream.to_end() if length is None else stream.exactly(_size(length, base=10, most=most))


def _chunks(stream: _Stream, most: int) -> Iterator[bytes]:
    while size := _size(_chunk_size(stream), base=16, most=most):
        yield from stream.exactly(size)
        if stream.until(b"\r\n", MAX_HEAD_BYTES):
            raise NotHttp("the answer is not HTTP")
    while stream.until(b"\r\n", MAX_HEAD_BYTES):
        pass  # trailers say nothing that is needed here


def _chunk_size(stream: _Stream) -> str:
    return stream.until(b"\r\n", MAX_HEAD_BYTES).partition(b";")[0].decode("latin-1")


def _size(digits: str, *, base: int, most: int) -> int:
    """A length from the wire; int() alone would also take signs, spaces and underscores."""
    try:
        size = int(digits.strip(), base) if digits.strip().isalnum() else -1
    except ValueError:
        size = -1
    if not 0 <= size <= most:
        raise NotHttp("the answer is not HTTP")
    return size
