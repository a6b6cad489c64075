"""Plain requests on a short way: from aiohttp's parser to the batcher and back, without aiohttp's tasks and objects.

A connection to the unix socket begins here. Its requests are answered here while each is a whole plain one: HTTP/1.1 to
one of SHORT_ROUTES, with HARMLESS headers only, at most MAX_BYTES, and a body that the route can read at once. At the
first that is anything else, or is refused, aiohttp gets the connection for good, and that request from its first byte:
it has all rules and all refusals. Only what is refused after it was counted against the caller's allowance is answered
here, by the same `problems.response`: aiohttp would count it again, and might store it twice.
Callers on TCP never come here, so Host, tokens and TLS are aiohttp's alone. IS_ON turns all of it off.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from aiohttp import HttpVersion11, StreamReader, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import HttpRequestParser, RawRequestMessage
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

from notifybot.auth.local_callers import peer_uid
from notifybot.auth.permissions import Caller, check_permission
from notifybot.errors import NotifybotError
from notifybot.messages.new_message import Acceptance, NewMessage
from notifybot.web import allowance, problems
from notifybot.web.guard import CALLERS
from notifybot.web.route import RUNTIME, SHORT_ROUTES, ShortRoute

IS_ON = True
MAX_BYTES = 16 * 1024
"""Of a request here: below twice its limit, the parser never pauses the connection."""
HEAD_END = b"\r\n\r\n"
HARMLESS = frozenset(b"host user-agent accept accept-encoding connection content-type content-length".split())


@dataclass(frozen=True, slots=True)
class _Asked:
    route: ShortRoute
    path: str
    body: bytes
    should_close: bool


class ShortWay(BaseProtocol):
    """One connection, until it is lost or aiohttp gets it: then it calls `leave(is_lost)`."""

    def __init__(self, app: web.Application, long_way: RequestHandler, leave: Callable[[bool], None]) -> None:
        super().__init__(asyncio.get_running_loop())
        self._app, self._routes, self._long_way, self._leave = app, app[SHORT_ROUTES], long_way, leave
        self._heads = HttpRequestParser(self, self._loop, MAX_BYTES, auto_decompress=False)
        self._held, self._later = b"", list[bytes]()
        """Of a request that is not taken up yet; and what came since, in its pieces: aiohttp forgets a request that it
        reads together with one that is no HTTP."""
        self._timer: asyncio.TimerHandle | None = None
        self._close_at, self._is_closing, self.has_asked = 0.0, False, False
        self.coming: asyncio.Future[Acceptance] | asyncio.Task[Caller] | None = None
        """While a request is under way."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._end(is_lost=True)

    def data_received(self, data: bytes) -> None:
        if self.coming is None:
            self._held += data
            self._read(data)
            return
        self._later.append(data)
        if len(self._later) > 1 and self.transport is not None:
            self.transport.pause_reading()

    def close(self) -> None:
        """Close as soon as no request is under way."""
        self._is_closing = True
        if self.coming is None and self.transport is not None:
            self.transport.close()

    def _read(self, data: bytes) -> None:
        assert self.transport is not None
        if len(self._held) > MAX_BYTES or self.transport.get_write_buffer_size():
            self._hand_over()
            return
        try:
            found, _, _ = self._heads.feed_data(data)
        except HttpProcessingError:
            self._hand_over()
            return
        if found:
            self._heads.message_consumed()
            asked = self._plain(*found[0]) if len(found) == 1 else None
            self._hand_over() if asked is None else self._take_up(asked)

    def _plain(self, head: RawRequestMessage, content: StreamReader) -> _Asked | None:
        """Return the request, unless it is unusual, incomplete, or followed by more."""
        route = self._routes.get((head.method, head.path))
        given = {name.lower(): value for name, value in head.raw_headers}
        is_harmless = len(given) == len(head.raw_headers) and given.keys() <= HARMLESS
        is_json = given.get(b"content-type") == b"application/json"
        if route is None or head.version != HttpVersion11 or not (is_harmless and is_json and content.is_eof()):
            return None
        body = content.read_nowait()
        is_all = self._held.find(HEAD_END) + len(HEAD_END) + len(body) == len(self._held)
        return _Asked(route, head.path, body, head.should_close) if is_all else None

    def _take_up(self, asked: _Asked) -> None:
        """Give the message to the batcher, or the request to aiohttp."""
        local, uid = self._app[CALLERS].local, peer_uid(self.transport)
        assert uid is not None
        caller = local.cached(uid)
        if caller is None:
            self.coming = looking_up = self._loop.create_task(local.look_up(uid))
            looking_up.add_done_callback(partial(self._identified, asked))
        elif (new := self._readable(asked, caller)) is None:
            self._hand_over()
        else:
            self._accept(asked, caller, new)

    def _identified(self, asked: _Asked, looked_up: asyncio.Task[Caller]) -> None:
        self.coming = None
        if self.transport is not None and not looked_up.cancelled():
            self._hand_over() if looked_up.exception() is not None else self._take_up(asked)

    def _readable(self, asked: _Asked, caller: Caller) -> NewMessage | None:
        try:
            check_permission(caller, asked.route.action)
            return asked.route.read(self._app[RUNTIME], caller, asked.body)
        except Exception:  # noqa: BLE001 - aiohttp comes to the same, and says so
            return None

    def _accept(self, asked: _Asked, caller: Caller, new: NewMessage) -> None:
        self._held, self.has_asked = b"", True
        try:
            allowance.count(self._app, caller, asked.path, len(asked.body), new)
        except NotifybotError as error:
            self._respond(asked, problems.response(error))
            return
        self.coming = self._app[RUNTIME].batcher.put(new)
        self.coming.add_done_callback(partial(self._answer, asked, new))

    def _answer(self, asked: _Asked, new: NewMessage, accepted: "asyncio.Future[Acceptance]") -> None:
        try:
            response = asked.route.answer(new, accepted.result())
        except NotifybotError as error:
            response = problems.response(error)
        except Exception as error:  # noqa: BLE001 - logged with an id that the caller gets
            response = problems.internal(asked.path, error)
        self._respond(asked, response)

    def _respond(self, asked: _Asked, response: web.Response) -> None:
        self.coming = None
        if self.transport is None:  # the caller is gone
            return
        assert isinstance(response.body, bytes)
        named = {**response.headers, "Content-Length": str(len(response.body)), "Date": rfc822_formatted_time()}
        named |= {"Connection": "close"} if asked.should_close else {}
        lines = (f"HTTP/1.1 {response.status} {response.reason}", *map(": ".join, named.items()))
        self.transport.write("\r\n".join(lines).encode() + HEAD_END + response.body)
        self._expect()
        if asked.should_close or self._is_closing:
            self.transport.close()
            return
        self.transport.resume_reading()
        while self._later and self.coming is None and self.transport is not None:
            self.data_received(self._later.pop(0))

    def _hand_over(self) -> None:
        """Let aiohttp serve the connection from here on."""
        transport, self.transport = self.transport, None
        assert transport is not None
        self._end(is_lost=False)
        transport.set_protocol(self._long_way)
        self._long_way.connection_made(transport)
        transport.resume_reading()
        for data in (self._held, *self._later):
            self._long_way.data_received(data)

    def _end(self, *, is_lost: bool) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._leave(is_lost)

    def _expect(self) -> None:
        """Close, as aiohttp does, unless the next request comes in time."""
        self._close_at = self._loop.time() + self._long_way.keepalive_timeout
        if self._timer is None:
            self._timer = self._loop.call_at(self._close_at, self._close_if_idle)

    def _close_if_idle(self) -> None:
        self._timer = None
        if self._loop.time() < self._close_at:
            self._timer = self._loop.call_at(self._close_at, self._close_if_idle)
        elif self.coming is None and self.transport is not None:
            self.transport.close()
