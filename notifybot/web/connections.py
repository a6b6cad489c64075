"""aiohttp's server, with refusals as problems, bounded connections, and a fast path to fixed routes."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import hdrs, web
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_urldispatcher import UrlMappingMatchInfo

from notifybot.auth.local_callers import peer_uid
from notifybot.auth.remote_callers import peer_address
from notifybot.errors import Unavailable
from notifybot.web import problems
from notifybot.web.route import Handler

FullHandler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
ANSWER_WITHIN_S = 30.0
"""A caller that does not read its answer within this is cut off, for the answer takes memory until then."""
AT_ONCE = 16 * 1024
"""Bytes that the kernel takes at once from a caller who has read all before: no time-out is needed for them."""
PIECE_BYTES = 32 * 1024
"""So much of a body is taken from the kernel at once, and twice that waits to be read: 500 uploads at once hold about
50 MB of what they bring. The library's own measure is eight times that."""
MAX_CONNECTIONS = 512
"""On the unix sockets, and as many on TCP. Each may hold one body of MAX_BODY_BYTES. Who comes when all are taken: see
`_make_room`."""


class _ProblemProtocol(RequestHandler):
    """Answers what aiohttp would answer in plain text, or log with a traceback, as every other refusal."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if isinstance(exc, ConnectionError):
            raise exc  # the caller is gone, and nobody is to blame
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            answer = problems.internal(request, exc)
            answer.force_close()
            return answer
        return problems.unreadable()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        if isinstance(resp, web.HTTPException):
            resp = problems.of_library(resp)
        is_read = self.transport is not None and self.transport.get_write_buffer_size() == 0
        if is_read and isinstance(resp, web.Response) and isinstance(resp.body, bytes) and len(resp.body) <= AT_ONCE:
            return await super().finish_response(request, resp, start_time)
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await super().finish_response(request, resp, start_time)
        except TimeoutError:
            if self.transport is not None:
                self.transport.abort()  # closing would wait for the same caller
            return resp, True

    def log_exception(self, *args: object, **kw: object) -> None:
        # The rest of a broken body is read after it was refused, and breaks once more.
        if not isinstance(kw.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **kw)


class _FastPath:
    """Takes requests for a fixed path, without a query, straight to their handler; all others take the library's way.

    That tries patterns and gathers middlewares anew for each request, which costs a fifth of the whole request.
    """

    def __init__(self, app: web.Application, long_way: FullHandler) -> None:
        self._long_way = long_way
        self._routes: dict[tuple[str, str], tuple[UrlMappingMatchInfo, Handler]] = {}
        for route in app.router.routes():
            assert route.resource is not None
            match = UrlMappingMatchInfo({}, route)
            match.add_app(app)
            match.freeze()
            if isinstance(route.resource, web.PlainResource):
                self._routes[route.method, route.resource.canonical] = (match, route.handler)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        assert isinstance(request, web.Request)
        known = self._routes.get((request.method, request.raw_path))
        if known is None or hdrs.EXPECT in request.headers:
            return await self._long_way(request)
        request._match_info, handler = known
        return await problems.as_problems(request, handler)


class _ProblemServer(web.Server):
    """Keeps at most MOST_CONNECTIONS open on each kind of listener, whoever comes."""

    def __init__(self, made: web.Server, app: web.Application) -> None:
        way = _FastPath(app, made.request_handler)
        super().__init__(way, request_factory=made.request_factory, loop=made._loop, **made._kwargs)
        self._local: dict[RequestHandler, int | str] = {}
        """Who is at the other end of each open connection, the oldest connection first: a uid …"""
        self._remote: dict[RequestHandler, int | str] = {}
        """… or an address. Whatever comes over TCP takes no place from callers of the socket."""

    def __call__(self) -> RequestHandler:
        return _ProblemProtocol(self, loop=self._loop, **self._kwargs)

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        transport.max_size = PIECE_BYTES  # type: ignore[attr-defined] # of the event loop's own transports
        uid = peer_uid(transport)
        callers = self._remote if uid is None else self._local
        callers[handler] = peer_address(transport) if uid is None else uid
        if len(callers) > MAX_CONNECTIONS:
            # Only once it has begun to listen: the library trips over a connection that ends before that.
            self._loop.call_soon(self._make_room, handler, callers)

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        self._local.pop(handler, None)
        self._remote.pop(handler, None)
        super().connection_lost(handler, exc)

    def _make_room(self, newest: RequestHandler, callers: dict[RequestHandler, int | str]) -> None:
        """Close one connection of whoever has the most: the one that is idle longest, else the oldest.

        So a caller that takes all there are is in its own way alone. Where that is the newest's caller, and all else
        of theirs is at work, the newest is told to come again.
        """
        if len(callers) <= MAX_CONNECTIONS or newest not in callers:
            return  # somebody left meanwhile
        greediest = Counter(callers.values()).most_common(1)[0][0]
        theirs = [each for each, caller in callers.items() if caller == greediest and each is not newest]
        idle = [each for each in theirs if each._current_request is None]
        if not idle and callers[newest] == greediest:
            del callers[newest]
            self._turn_away(newest)
        else:
            leaving = (idle or theirs)[0]
            del callers[leaving]
            self._connections[leaving].abort()

    def _turn_away(self, newest: RequestHandler) -> None:
        refusal = Unavailable("Too many connections are open.", hint="Try again in a moment.")
        self._connections[newest].write(problems.raw(refusal))
        self._connections[newest].close()


class ProblemRunner(web.AppRunner):
    async def _make_server(self) -> web.Server:
        return _ProblemServer(await super()._make_server(), self.app)
