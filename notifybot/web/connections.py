"""aiohttp's server with refusals as problems, limited connections, and a fast path to fixed routes.

It uses private attributes of aiohttp; tests/web/test_aiohttp_internals.py names them all.
"""

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
"""Time for a caller to read its response, which takes memory until then."""
SMALL_BYTES = 16 * 1024
"""The kernel takes this much at once if its buffer is empty, so that no timeout is needed."""
PIECE_BYTES = 32 * 1024
"""Read size for bodies; twice that is buffered. 500 concurrent uploads take about 50 MB, with aiohttp's default eight
times that."""
MAX_CONNECTIONS = 512
"""Limit on the unix sockets, and again on TCP. Each may hold one body of MAX_BODY_BYTES. See `_make_room`."""


class _ProblemProtocol(RequestHandler):
    """Sends aiohttp's own refusals as problems, not as plain text or a logged traceback."""

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
            answer = problems.internal(request, exc)
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
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await super().finish_response(request, resp, start_time)
        except TimeoutError:
            if self.transport is not None:
                self.transport.abort()  # close() would wait for the caller
            return resp, True

    def log_exception(self, *args: object, **kw: object) -> None:
        # aiohttp reads the rest of a broken body after the refusal, and fails again.
        if not isinstance(kw.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **kw)


class _FastPath:
    """Calls the handler of a fixed path, without a query, directly; other requests go through aiohttp's router.

    The router matches patterns and collects middlewares for each request, a fifth of its whole time.
    """

    def __init__(self, app: web.Application, router: FullHandler) -> None:
        self._router = router
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
            return await self._router(request)
        request._match_info, handler = known
        return await problems.as_problems(request, handler)


class _ProblemServer(web.Server):
    """Keeps at most MAX_CONNECTIONS open on each kind of listener."""

    def __init__(self, made: web.Server, app: web.Application) -> None:
        fast_path = _FastPath(app, made.request_handler)
        super().__init__(fast_path, request_factory=made.request_factory, **made._kwargs)
        self._local: dict[RequestHandler, int | str] = {}
        """Uid at the other end of each connection, the oldest connection first."""
        self._remote: dict[RequestHandler, int | str] = {}
        """The same on TCP, with addresses: TCP callers take no connections from the socket."""

    def __call__(self) -> RequestHandler:
        return _ProblemProtocol(self, loop=asyncio.get_running_loop(), **self._kwargs)

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        transport.max_size = PIECE_BYTES  # type: ignore[attr-defined] # of the event loop's own transports
        uid = peer_uid(transport)
        callers = self._remote if uid is None else self._local
        callers[handler] = peer_address(transport) if uid is None else uid
        if len(callers) > MAX_CONNECTIONS:
            # Later: aiohttp fails if a connection ends before it has set it up.
            asyncio.get_running_loop().call_soon(self._make_room, handler, callers)

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        self._local.pop(handler, None)
        self._remote.pop(handler, None)
        super().connection_lost(handler, exc)

    def _make_room(self, newest: RequestHandler, callers: dict[RequestHandler, int | str]) -> None:
        """Close one connection of the caller with the most: the longest idle one, or else the oldest.

        Thus a caller that takes all connections only hurts itself. If it is the newest's caller, and all its others
        are busy, turn the newest away.
        """
        if len(callers) <= MAX_CONNECTIONS or newest not in callers:
            return  # a connection ended in the meantime
        greediest = Counter(callers.values()).most_common(1)[0][0]
        others = [each for each, caller in callers.items() if caller == greediest and each is not newest]
        idle = [each for each in others if each._current_request is None]
        if not idle and callers[newest] == greediest:
            del callers[newest]
            self._turn_away(newest)
        else:
            closing = (idle or others)[0]
            del callers[closing]
            if closing.transport is not None:
                closing.transport.abort()

    def _turn_away(self, newest: RequestHandler) -> None:
        refusal = Unavailable("Too many connections are open.", hint="Try again in a moment.")
        if newest.transport is not None:
            newest.transport.write(problems.raw(refusal))
            newest.transport.close()


class ProblemRunner(web.AppRunner):
    async def _make_server(self) -> web.Server:
        return _ProblemServer(await super()._make_server(), self.app)
