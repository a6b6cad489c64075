"""Callers of one server, in a separate process: send prepared requests over a unix socket, print latencies.

    python -m benchmarks.load.caller '{"socket": "...", "callers": 64, ...}'

One thread and one epoll, no event loop and no HTTP library: this costs a fraction of what any server does with the
same request, so the figures show the server. `busy` in the result is the share of a core that the callers used.
"""

import array
import gc
import json
import random
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import cycle

from benchmarks.load.figures import cpu_s, percentile

HEAD_END = b"\r\n\r\n"
LENGTH = b"Content-Length: "
ANSWER_BYTES = 65_536
SILENT_S = 30.0
"""Time without a response after which the server counts as stuck."""


@dataclass(frozen=True)
class Load:
    """A load. `rate` None: each caller sends its next request after the last response. Otherwise requests come at
    random times, `rate` per second on average, and latency counts from the moment at which a request was due."""

    socket: str
    pid: int
    """Of the server."""
    callers: int
    seconds: float
    chat_ids: list[int]
    rate: float | None = None
    new_connections: bool = False
    warm_up_s: float = 0.3
    seed: int = 1


@dataclass(frozen=True)
class Measured:
    """Latencies in milliseconds; `cpu_us` is what the server used for each request, `busy` the share of one core that
    the callers used."""

    rate: float
    p50: float
    p99: float
    p999: float
    slowest: float
    cpu_us: float
    busy: float


class NotAccepted(Exception):
    """The server did not respond, or with something other than 202."""


class _Connection:
    """One caller, with at most one request in flight."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(load.socket)
        self.began_at = 0
        self._received = b""

    def send(self, request: bytes, began_at: int) -> None:
        self.began_at = began_at
        self.socket.send(request)

    def is_answered(self) -> bool:
        """Read available bytes; return True if the response is complete."""
        self._received += self.socket.recv(ANSWER_BYTES)
        head = self._received.find(HEAD_END)
        if head < 0 and self._received:
            return False
        start = self._received.find(LENGTH, 0, head) + len(LENGTH)
        if not self._received.startswith(b"HTTP/1.1 202") or start < len(LENGTH):
            raise NotAccepted(self._received[:500].decode("utf-8", "replace"))
        length = int(self._received[start : self._received.find(b"\r", start)])
        if len(self._received) < head + len(HEAD_END) + length:
            return False
        self._received = b""
        return True


class _Callers:
    """All callers of a load, and the latencies they measured."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._requests = cycle(_requests(load))
        self._epoll = select.epoll()
        self._by_fd: dict[int, _Connection] = {}
        self.latencies_ns = array.array("q")

    def run(self) -> None:
        """Send requests for the duration of the load."""
        until = time.perf_counter_ns() + int(self._load.seconds * 1e9)
        idle = deque(self._open() for _ in range(self._load.callers))
        if self._load.rate is None:
            self._one_after_another(idle, until)
        else:
            self._at_random(idle, self._load.rate, until)

    def _one_after_another(self, idle: deque[_Connection], until: int) -> None:
        for connection in idle:
            connection.send(next(self._requests), time.perf_counter_ns())
        now = time.perf_counter_ns()
        while now < until:
            for connection in self._answered(SILENT_S):
                again = self._renewed(connection)
                again.send(next(self._requests), time.perf_counter_ns())
            now = time.perf_counter_ns()

    def _at_random(self, idle: deque[_Connection], rate: float, until: int) -> None:
        coming = _arrivals(rate, self._load.seed)
        due = next(coming)
        while due < until:
            now = time.perf_counter_ns()
            while due <= now and idle:
                idle.popleft().send(next(self._requests), due)
                due = next(coming)
            wait_s = max(0.0, (due - time.perf_counter_ns()) / 1e9) if idle else SILENT_S
            idle.extend(self._answered(wait_s, may_be_silent=bool(idle)))

    def _answered(self, wait_s: float, *, may_be_silent: bool = False) -> list[_Connection]:
        """Record and return the callers that got a response within `wait_s`."""
        # epoll rounds timeouts up to milliseconds; select on the epoll descriptor does not.
        ready, _, _ = select.select([self._epoll], [], [], wait_s)
        if not ready and not may_be_silent:
            raise NotAccepted(f"no response for {wait_s:g} s")
        answered = [self._by_fd[fd] for fd, _ in self._epoll.poll(0) if self._by_fd[fd].is_answered()]
        now = time.perf_counter_ns()
        for connection in answered:
            self.latencies_ns.append(now - connection.began_at)
        return answered

    def _open(self) -> _Connection:
        connection = _Connection(self._load)
        self._by_fd[connection.socket.fileno()] = connection
        self._epoll.register(connection.socket, select.EPOLLIN)
        return connection

    def _renewed(self, connection: _Connection) -> _Connection:
        if not self._load.new_connections:
            return connection
        del self._by_fd[connection.socket.fileno()]
        connection.socket.close()
        return self._open()


def _requests(load: Load) -> list[bytes]:
    """Return one small alert per chat, as bytes to send."""
    ending = "Connection: close\r\n" if load.new_connections else ""
    requests = []
    for chat_id in load.chat_ids:
        body = json.dumps({"type": "text", "content": "disk full on db1: 97 % of /var", "channel_id": chat_id})
        head = "POST /api/ingest HTTP/1.1\r\nHost: notifybot\r\nContent-Type: application/json\r\n"
        requests.append(f"{head}Content-Length: {len(body)}\r\n{ending}\r\n{body}".encode())
    return requests


def _arrivals(rate: float, seed: int) -> Iterator[int]:
    """Yield times in nanoseconds, as for independent requests."""
    rng = random.Random(seed)
    at = float(time.perf_counter_ns())
    while True:
        at += rng.expovariate(rate) * 1e9
        yield int(at)


def measure(load: Load) -> Measured:
    """Warm the server up, then measure."""
    _timed(load, load.warm_up_s)
    before = cpu_s(load.pid)
    callers, wall_s, busy_s = _timed(load, load.seconds)
    server_s = cpu_s(load.pid) - before
    latencies = sorted(callers.latencies_ns)
    at: Callable[[float], float] = lambda share: round(percentile(latencies, share) / 1e6, 3)  # noqa: E731
    rate = len(latencies) / wall_s
    return Measured(
        rate,
        *(at(0.5), at(0.99), at(0.999), at(1.0)),
        cpu_us=1e6 * server_s / len(latencies),
        busy=busy_s / wall_s,
    )


def _timed(load: Load, seconds: float) -> tuple[_Callers, float, float]:
    """Run for `seconds`; return the callers, the elapsed seconds, and the CPU seconds used."""
    callers = _Callers(Load(**{**asdict(load), "seconds": seconds}))
    wall, cpu = time.perf_counter(), time.process_time()
    callers.run()
    return callers, time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    gc.disable()
    print(json.dumps(asdict(measure(Load(**json.loads(sys.argv[1]))))))
