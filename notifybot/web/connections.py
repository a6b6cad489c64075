"""aiohttp's server with refusals as problems and limited connections.

It uses private attributes of aiohttp; tests/web/test_aiohttp_internals.py names them all.
"""

import asyncio
import contextlib
import resource
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from http import HTTPStatus

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from notifybot.auth.local_callers import uid_behind
from notifybot.auth.remote_callers import plain_address
from notifybot.auth.throttle import network_of
from notifybot.errors import Unavailable
from notifybot.web import problems, short_way
from notifybot.web.short_way import ShortWay

ANSWER_WITHIN_S = 30.0
"""Time for a caller to read its response, which takes memory until then."""
SMALL_BYTES = 16 * 1024
"""The kernel takes this much at once if its buffer is empty, so that no timeout is needed."""
PIECE_BYTES = 32 * 1024
"""Read size for bodies; twice that is buffered. 500 concurrent uploads take about 50 MB, with aiohttp's default eight
times that."""
MAX_CONNECTIONS = 512
"""Limit on the unix sockets, and again on TCP. Each may hold one body of MAX_BODY_BYTES. See `_make_room`."""
MAX_UNREAD_BYTES = 64_000_000
"""Of answers that their callers have not read so far; above it, the one that waits longest is cut off."""
FEWEST_CONNECTIONS = 16
RESERVED_FILES = 256
"""Descriptors for Telegram, the database, attachments and the log."""
Callers = dict[RequestHandler, int | str]
"""Uid or network at the other end of each connection, the oldest connection first."""


class _ProblemProtocol(RequestHandler):
    """Sends aiohttp's own refusals as problems, not as plain text or a logged traceback."""

    server: "CountingServer"

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if isinstance(exc, ConnectionError):
            raise exc  # the caller is gone
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            answer = problems.internal(request.path, exc)
            answer.force_close()
            return answer
        return problems.unreadable()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        if isinstance(resp, web.HTTPException):
            resp = problems.of_library(resp)
        is_drained = self.transport is not None and self.transport.get_write_buffer_size() == 0
        if (
            is_drained
            and isinstance(resp, web.Response)
            and isinstance(resp.body, bytes)
            and len(resp.body) <= SMALL_BYTES
        ):
            return await super().finish_response(request, resp, start_time)
        size = len(resp.body) if isinstance(resp, web.Response) and isinstance(resp.body, bytes) else 0
        try:
            async with being_read(request, size):
                return await super().finish_response(request, resp, start_time)
        except TimeoutError:
            if self.transport is not None:
                self.transport.abort()  # close() would wait for the caller
            return resp, True

    def log_exception(self, *args: object, **kw: object) -> None:
        # aiohttp reads the rest of a broken body after the refusal, and fails again.
        if not isinstance(kw.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **kw)


@contextlib.asynccontextmanager
async def being_read(request: web.BaseRequest, size: int) -> AsyncIterator[None]:
    """Count an answer, or a piece of one, until its caller has read it. Raises TimeoutError."""
    handler = request.protocol
    assert isinstance(handler, _ProblemProtocol)
    handler.server.add_unread(handler, size)
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            yield
    finally:
        handler.server.unread.pop(handler, None)


class CountingServer(web.Server):
    """Keeps at most MAX_CONNECTIONS open on each kind of listener, counted from accept on."""

    def __init__(self, made: web.Server, app: web.Application) -> None:
        super().__init__(made.request_handler, request_factory=made.request_factory, **made._kwargs)
        self._most = most_connections(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        self._local: Callers = {}
        self._remote: Callers = {}
        """The same on TCP, with addresses: TCP callers take no connections and no descriptors from the socket."""
        self._app, self._has_short_way = app, short_way.IS_ON
        self._short: dict[RequestHandler, ShortWay] = {}
        """Connections on the short way, by the handler that may get them."""
        self._connecting: dict[RequestHandler, asyncio.Task[None]] = {}
        """Connections whose TLS handshake is not over."""
        self._turned_away: set[RequestHandler] = set()
        self.unread: dict[RequestHandler, int] = {}
        """Bytes that each connection is about to read, the oldest answer first."""

    def __call__(self) -> RequestHandler:
        handler = _ProblemProtocol(self, loop=asyncio.get_running_loop(), **self._kwargs)
        handler.server = self
        return handler

    def take(self, accepted: socket.socket, tls: ssl.SSLContext | None, *, handshake_within_s: float) -> None:
        """Count a connection, and serve it."""
        try:
            uid = uid_behind(accepted)
            caller = network_of(plain_address(accepted.getpeername())) if uid is None else uid
        except OSError:  # its caller is gone
            accepted.close()
            return
        handler = self()
        callers = self._remote if uid is None else self._local
        callers[handler] = caller
        if uid is not None and self._has_short_way:
            self._short[handler] = ShortWay(self._app, handler, partial(self._leave_short_way, handler))
        connecting = self._connect(handler, accepted, tls, None if tls is None else handshake_within_s)
        task = asyncio.get_running_loop().create_task(connecting)
        self._connecting[handler] = task
        task.add_done_callback(partial(self._note_connected, handler, accepted))
        if len(callers) > self._most:
            self._make_room(handler, callers, tls is not None)

    async def _connect(
        self, handler: RequestHandler, accepted: socket.socket, tls: ssl.SSLContext | None, within_s: float | None
    ) -> None:
        loop = asyncio.get_running_loop()
        begins_with = self._short.get(handler, handler)
        transport, _ = await loop.connect_accepted_socket(
            lambda: begins_with, accepted, ssl=tls, ssl_handshake_timeout=within_s
        )
        transport.max_size = PIECE_BYTES  # type: ignore[attr-defined] # of the event loop's own transports
        if handler in self._turned_away:
            self._turned_away.discard(handler)
            refusal = Unavailable("Too many connections are open.", hint="Try again in a moment.")
            transport.write(problems.raw(refusal))
            transport.close()

    def _note_connected(self, handler: RequestHandler, accepted: socket.socket, task: asyncio.Task[None]) -> None:
        self._connecting.pop(handler, None)
        if task.cancelled() or task.exception() is not None:  # no handshake in time, or a wrong one
            self._short.pop(handler, None)
            self._forget(handler)
            accepted.close()

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        self._forget(handler)
        super().connection_lost(handler, exc)

    def _leave_short_way(self, handler: RequestHandler, is_lost: bool) -> None:
        self._short.pop(handler, None)
        if is_lost:
            self._forget(handler)

    @property
    def connections(self) -> list[RequestHandler]:
        return [*super().connections, *(each for each, short in self._short.items() if short.transport is not None)]

    def has_newcomers(self) -> bool:
        """Return True if a connection has not sent a request yet."""
        newcomers = (each._request_count == 0 for each in super().connections)
        return any(newcomers) or any(not each.has_asked for each in self._short.values() if each.transport is not None)

    def pre_shutdown(self) -> None:
        for short in list(self._short.values()):
            short.close()
        super().pre_shutdown()

    async def shutdown(self, timeout: float | None = None) -> None:
        await asyncio.gather(super().shutdown(timeout), self._finish_short_ways(timeout))

    async def _finish_short_ways(self, within_s: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while coming := [each.coming for each in self._short.values() if each.coming is not None]:
                    await asyncio.wait(coming)
        for short in list(self._short.values()):
            if short.transport is not None:
                short.transport.abort()

    def _is_idle(self, handler: RequestHandler) -> bool:
        short = self._short.get(handler)
        return handler._current_request is None if short is None else short.coming is None

    def _forget(self, handler: RequestHandler) -> None:
        self._local.pop(handler, None)
        self._remote.pop(handler, None)
        self._turned_away.discard(handler)

    def _make_room(self, newest: RequestHandler, callers: Callers, is_encrypted: bool) -> None:
        """Close one connection of the caller with the most: the longest idle one, or else the oldest.

        Thus a caller that takes all connections only hurts itself. If it is the newest's caller, and all its others
        are busy, turn the newest away; one for which that would take a handshake is only closed.
        """
        greediest = Counter(callers.values()).most_common(1)[0][0]
        others = [each for each, caller in callers.items() if caller == greediest and each is not newest]
        idle = [each for each in others if self._is_idle(each)]
        if idle or callers[newest] != greediest:
            self._end((idle or others)[0])
        elif is_encrypted:
            self._end(newest)
        else:
            del callers[newest]
            self._turned_away.add(newest)

    def add_unread(self, handler: RequestHandler, size: int) -> None:
        self.unread[handler] = size
        while sum(self.unread.values()) > MAX_UNREAD_BYTES and len(self.unread) > 1:
            slowest = next(iter(self.unread))
            del self.unread[slowest]
            self._end(slowest)

    def free_one(self) -> None:
        """Close an idle TCP connection of the address with the most: descriptors have run out."""
        if self._remote:
            greediest = Counter(self._remote.values()).most_common(1)[0][0]
            idle = [each for each, caller in self._remote.items() if caller == greediest and self._is_idle(each)]
            if idle:
                self._end(idle[0])

    def _end(self, handler: RequestHandler) -> None:
        self._forget(handler)
        connecting = self._connecting.get(handler)
        if connecting is not None:
            connecting.cancel()
            return
        transport = self._short[handler].transport if handler in self._short else handler.transport
        if transport is not None:
            transport.abort()


def most_connections(open_files: int) -> int:
    """Return how many connections each kind of listener may have: with a file each, both kinds leave RESERVED_FILES."""
    if open_files == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return min(MAX_CONNECTIONS, max(FEWEST_CONNECTIONS, (open_files - RESERVED_FILES) // 4))


class ProblemRunner(web.AppRunner):
    async def _make_server(self) -> web.Server:
        return CountingServer(await super()._make_server(), self.app)
