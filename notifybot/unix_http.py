"""One HTTP/1.1 exchange over a unix socket, on the standard library alone; http.client costs four times the import."""

import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass

CHUNK_BYTES = 65_536
MAX_HEAD_BYTES = 65_536
MAX_BODY_BYTES = 256 * 1024 * 1024


class AnswerLost(Exception):
    """The request may have been received, but no whole, correct answer came back. The text says why."""


class NotHttp(AnswerLost):
    """What came back is no HTTP/1.1 answer: something else listens there."""


@dataclass(frozen=True)
class Request:
    """`target` is the path with its query, ready for the wire; `body` is JSON, or None where there is none."""

    method: str
    target: str
    body: bytes | None = None

    def wire(self) -> bytes:
        """The request as bytes; it asks the server to close the connection after its answer."""
        lines = [f"{self.method} {self.target} HTTP/1.1", "Host: notifybot", "Connection: close"]
        lines += ["Accept: application/json", "User-Agent: notifybot-client"]
        if self.body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(self.body)}"]
        return "\r\n".join([*lines, "", ""]).encode("ascii") + (self.body or b"")


@dataclass(frozen=True)
class Reply:
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


def exchange(connection: socket.socket, request: Request, *, timeout_s: float) -> Reply:
    """Send `request` and read the whole answer within `timeout_s` in all. Raises AnswerLost. Closes the connection."""
    with connection:
        stream = _Stream(connection, deadline=time.monotonic() + timeout_s)
        stream.send(request.wire())
        while True:
            status, headers = _head(stream.until(b"\r\n\r\n", MAX_HEAD_BYTES))
            if status >= 200:  # before it come interim answers such as 100 Continue
                return Reply(status, headers, _body(stream, status, headers))


class _Stream:
    """The bytes of one connection, read against one deadline for the whole answer, however slowly they drip."""

    def __init__(self, connection: socket.socket, *, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline
        self._buffer = bytearray()
        self._is_at_end = False

    def send(self, payload: bytes) -> None:
        """Send all of `payload`. A peer that stops reading early has usually answered already: its answer is read."""
        try:
            self._limit_wait()
            self._connection.sendall(payload)
        except (BrokenPipeError, ConnectionResetError):
            return
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

    def exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._need_more()
        return self._take(count)

    def to_end(self) -> bytes:
        while self._receive():
            if len(self._buffer) > MAX_BODY_BYTES:
                raise NotHttp("the answer is too large")
        return self._take(len(self._buffer))

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def _need_more(self) -> None:
        if not self._receive():
            raise AnswerLost("the connection was closed before the answer was complete")

    def _receive(self) -> bool:
        try:
            self._limit_wait()
            received = self._connection.recv(CHUNK_BYTES)
        except OSError as error:
            raise _lost(error) from error
        self._buffer += received
        return bool(received)

    def _limit_wait(self) -> None:
        remaining_s = self._deadline - time.monotonic()
        if remaining_s <= 0:
            raise TimeoutError
        self._connection.settimeout(remaining_s)


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


def _body(stream: _Stream, status: int, headers: Mapping[str, str]) -> bytes:
    if status in (204, 304):
        return b""
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return _chunks(stream)
    length = headers.get("content-length")
    if length is None:
        return stream.to_end()
    return stream.exactly(_size(length, base=10))


def _chunks(stream: _Stream) -> bytes:
    body = bytearray()
    while size := _size(stream.until(b"\r\n", MAX_HEAD_BYTES).partition(b";")[0].decode("latin-1"), base=16):
        body += stream.exactly(size)
        if stream.exactly(2) != b"\r\n" or len(body) > MAX_BODY_BYTES:
            raise NotHttp("the answer is not HTTP")
    while stream.until(b"\r\n", MAX_HEAD_BYTES):
        pass  # trailers say nothing that is needed here
    return bytes(body)


def _size(digits: str, *, base: int) -> int:
    """A length from the wire; int() alone would also take signs, spaces and underscores."""
    try:
        size = int(digits.strip(), base) if digits.strip().isalnum() else -1
    except ValueError:
        size = -1
    if not 0 <= size <= MAX_BODY_BYTES:
        raise NotHttp("the answer is not HTTP")
    return size
