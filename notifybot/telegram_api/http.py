"""HTTP requests of python-telegram-bot over aiohttp. Each failure says whether Telegram may have got the call."""

import asyncio
import email.utils
import json
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import aiohttp
from telegram.error import NetworkError
from telegram.request import BaseRequest, RequestData

from notifybot import __version__
from notifybot.config.proxies import Proxy
from notifybot.telegram_api.proxies import SOCKS_FAILURES, connector_to, reason_of_proxy, url_of

MAX_ANSWER_BYTES = 32 * 1024 * 1024  # a downloaded file has at most 20 MB
HEAD_BYTES = 16 * 1024
IDLE_CONNECTION_S = 15.0  # less than Telegram's own, so a call seldom meets a dead connection
HALF_A_SECOND = timedelta(seconds=0.5)
"""Telegram's Date leaves out the fraction."""
HEADERS = {"User-Agent": f"notifybot/{__version__}", "Accept-Encoding": "identity"}


class _CallFailed(NetworkError):
    """`was_slow`: nothing failed, but its time ran out."""

    def __init__(self, message: str, *, was_slow: bool = False) -> None:
        super().__init__(message)
        self.was_slow = was_slow


class NeverSent(_CallFailed):
    """Telegram did not get the call: there was no connection, something on the way refused it, or a file broke off."""


class MaybeSent(_CallFailed):
    """The call was sent, but no usable response came back: Telegram may have done it.

    Timeouts are one too, and not `TimedOut`, which python-telegram-bot's polling retries at once and silently.
    """


class Unreadable(MaybeSent):
    """The response is not JSON, or too deep or too long to be read. `head` is its beginning."""

    def __init__(self, reason: str, payload: bytes) -> None:
        super().__init__(reason)
        self.head = payload[:HEAD_BYTES]


class WrongShape(MaybeSent):
    """Telegram accepted the call, but its result is not what the Bot API documents."""


@dataclass(frozen=True)
class Timeouts:
    """Timeouts in seconds. `connect` covers the wait for a free connection, DNS, TCP, the proxy and TLS together.

    A call takes at most `connect` + `write` (`upload` with files) + `read`: 25 s, less than the 30 s of a claim.
    """

    connect: float = 5.0
    write: float = 5.0
    upload: float = 120.0
    read: float = 15.0


@dataclass
class _Progress:
    """Progress of one request: `has_begun` once its first byte may be on the wire; `unsent`: bytes of its body that
    certainly are not there yet, 0 if unknown."""

    has_begun: bool = False
    unsent: int = 0

    @property
    def may_be_whole(self) -> bool:
        return self.has_begun and self.unsent <= 0


class AiohttpRequest(BaseRequest):
    """A pool of at most `max_connections` connections, opened by the first call and closed by `shutdown()`.

    A response of more than `max_bytes`, by default MAX_ANSWER_BYTES, is `Unreadable`.

    It works before `initialize()` too; after `shutdown()` only `initialize()` opens it again. Exceptions never contain
    a call's URL, because the bot's token is part of it.
    """

    __slots__ = ("_is_closed", "_max_bytes", "_max_connections", "_on_date", "_proxy", "_session", "_timeouts")

    def __init__(
        self,
        *,
        max_connections: int = 100,
        timeouts: Timeouts | None = None,
        on_date: Callable[[datetime], None] | None = None,
        max_bytes: int | None = None,
        proxy: Proxy | None = None,
    ) -> None:
        """`on_date` is called with the time in each of Telegram's responses."""
        # Without this, constructing RetryAfter warns at every 429.
        os.environ.setdefault("PTB_TIMEDELTA", "true")
        self._max_connections = max_connections
        self._max_bytes = max_bytes or MAX_ANSWER_BYTES
        self._timeouts = timeouts or Timeouts()
        self._proxy = proxy
        self._session: aiohttp.ClientSession | None = None
        self._is_closed = False
        self._on_date = on_date

    @property
    def read_timeout(self) -> float:
        """In seconds. For getUpdates python-telegram-bot adds the time of the long poll."""
        return self._timeouts.read

    async def initialize(self) -> None:
        self._is_closed = False

    async def shutdown(self) -> None:
        """Close all connections. Calls in flight fail with `MaybeSent`."""
        self._is_closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: object = BaseRequest.DEFAULT_NONE,
        write_timeout: object = BaseRequest.DEFAULT_NONE,
        connect_timeout: object = BaseRequest.DEFAULT_NONE,
        pool_timeout: object = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        """Return `(status, body)`. Raises `NeverSent` or `MaybeSent`. A timeout of None means the default."""
        if self._is_closed:
            raise NeverSent("the connection to Telegram is closed")
        defaults = self._timeouts
        has_files = request_data is not None and request_data.contains_files
        connect = _seconds(connect_timeout, defaults.connect) + _seconds(pool_timeout, 0)
        write = _seconds(write_timeout, defaults.upload if has_files else defaults.write)
        total = connect + write + _seconds(read_timeout, defaults.read)
        timeout = aiohttp.ClientTimeout(total=total, connect=connect, sock_connect=connect)
        status, payload, date = await self._exchange(method, url, request_data, timeout)
        if method == "POST" or status >= 300:
            _check_answer(status, payload)
        if self._on_date is not None and date is not None:
            self._on_date(date)
        return status, payload

    async def _exchange(
        self, method: str, url: str, request_data: RequestData | None, timeout: aiohttp.ClientTimeout
    ) -> tuple[int, bytes, datetime | None]:
        progress = _Progress()
        try:
            return await self._call(method, url, request_data, timeout, progress)
        except (aiohttp.ClientError, OSError, ValueError, *SOCKS_FAILURES) as error:
            reason = _reason(error, has_begun=progress.has_begun, proxy=self._proxy)
            was_slow = progress.has_begun and isinstance(error, asyncio.TimeoutError)
        # Raised outside the handler, so that aiohttp's exception, which quotes the URL, is not chained to it.
        kind = MaybeSent if progress.may_be_whole else NeverSent
        raise kind(reason, was_slow=was_slow)

    async def _call(
        self,
        method: str,
        url: str,
        request_data: RequestData | None,
        timeout: aiohttp.ClientTimeout,
        progress: _Progress,
    ) -> tuple[int, bytes, datetime | None]:
        session = self._open_session()
        async with session.request(
            method,
            url,
            data=_body(request_data),
            headers=_headers(request_data),
            timeout=timeout,
            allow_redirects=False,
            trace_request_ctx=progress,
        ) as response:
            return response.status, await _read(response, self._max_bytes), _date_of(response)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            trace = aiohttp.TraceConfig()
            trace.on_request_headers_sent.append(_note_begin)
            trace.on_request_chunk_sent.append(_note_chunk)
            self._session = aiohttp.ClientSession(
                connector=connector_to(self._proxy, limit=self._max_connections, keepalive_s=IDLE_CONNECTION_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trace_configs=[trace],
                proxy=url_of(self._proxy),
            )
        return self._session

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, object]:
        """Parse without logging: python-telegram-bot logs whole HTML pages as errors.

        Also drop the prefixes of refusals, behind which it would change the case: Peer_id_invalid.
        """
        answer = _json_object(payload)
        if isinstance(description := answer.get("description"), str):
            answer["description"] = description.removeprefix("Bad Request: ").removeprefix("Error: ")
        return answer


def _seconds(value: object, default: float) -> float:
    return float(value) if isinstance(value, int | float) else default


def _headers(request_data: RequestData | None) -> dict[str, str]:
    if request_data is None or request_data.contains_files:
        return HEADERS
    return HEADERS | {"Content-Type": "application/json"}


def _body(request_data: RequestData | None) -> bytes | aiohttp.FormData | None:
    if request_data is None:
        return None
    if not request_data.contains_files:
        return request_data.json_payload
    # quote_fields=False sends file names as UTF-8, as Telegram expects, and not percent-encoded.
    form = aiohttp.FormData(quote_fields=False)
    for name, value in request_data.json_parameters.items():
        form.add_field(name, value)
    for name, (file_name, content, content_type) in request_data.multipart_data.items():
        form.add_field(name, content, filename=file_name, content_type=content_type)
    return form


async def _note_begin(
    _session: aiohttp.ClientSession, context: SimpleNamespace, params: aiohttp.TraceRequestHeadersSentParams
) -> None:
    context.trace_request_ctx.has_begun = True
    context.trace_request_ctx.unsent = int(params.headers.get("Content-Length", 0))


async def _note_chunk(
    _session: aiohttp.ClientSession, context: SimpleNamespace, params: aiohttp.TraceRequestChunkSentParams
) -> None:
    context.trace_request_ctx.unsent -= len(params.chunk)


async def _read(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        chunks.append(chunk)
        size += len(chunk)
        if size > max_bytes:
            raise Unreadable("the response is too long", b"".join(chunks))
    return b"".join(chunks)


def _date_of(response: aiohttp.ClientResponse) -> datetime | None:
    try:
        date = email.utils.parsedate_to_datetime(response.headers.get("Date", ""))
    except ValueError:
        return None
    return None if date.tzinfo is None else date.astimezone(UTC) + HALF_A_SECOND


async def telegram_time(base_url: str, proxy: Proxy | None, *, within: timedelta) -> datetime | None:
    """Ask a Bot API server for the time; None without a response. Needs no token."""
    timeout = aiohttp.ClientTimeout(total=within.total_seconds())
    connector = connector_to(proxy, limit=1, keepalive_s=IDLE_CONNECTION_S)
    session = aiohttp.ClientSession(connector=connector, timeout=timeout, proxy=url_of(proxy))
    try:
        async with session, session.head(base_url, allow_redirects=False) as found:
            return _date_of(found)
    except (aiohttp.ClientError, OSError, ValueError, *SOCKS_FAILURES):
        return None


def _check_answer(status: int, payload: bytes) -> None:
    """Refuse a response that cannot come from the Bot API, before python-telegram-bot judges by the status alone.

    A proxy's 404 page would otherwise count as a wrong token. A 5xx page is from the gateway in front of the Bot API,
    which may have passed the call on; with any other status, something responded instead of passing it on.
    """
    if payload.startswith(b'{"ok":true,"result":'):
        return
    is_success = 200 <= status < 300
    try:
        answer = _json_object(payload)
    except Unreadable:
        answer = {}
    if "result" in answer if is_success else _is_refusal(answer):
        return
    reason = f"HTTP {status}, not a Telegram response"
    if is_success:
        raise Unreadable(reason, payload)
    raise MaybeSent(reason) if status >= 500 else NeverSent(reason)


def _is_refusal(answer: dict[str, object]) -> bool:
    parameters = answer.get("parameters") or {}
    return (
        isinstance(answer.get("description"), str)
        and isinstance(parameters, dict)
        and all(type(parameters.get(name, 0)) is int for name in ("migrate_to_chat_id", "retry_after"))
    )


def _json_object(payload: bytes) -> dict[str, object]:
    try:
        answer = json.loads(payload.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise Unreadable("not a Telegram response", payload)
    return answer


def _reason(error: Exception, *, has_begun: bool, proxy: Proxy | None) -> str:
    """Say in a few words what happened. Never quotes aiohttp's messages, which contain the URL."""
    if proxy is not None and not has_begun and (reason := reason_of_proxy(error, proxy)):
        return reason
    match error:
        case asyncio.TimeoutError():
            return "no response in time" if has_begun else "no connection in time"
        case aiohttp.ClientConnectorDNSError():
            return "the host name cannot be resolved"
        case aiohttp.ClientSSLError() | aiohttp.ClientOSError(__cause__=ssl.SSLError()):
            return "the TLS handshake failed"
        case aiohttp.ServerDisconnectedError():
            return "the connection was closed"
        case aiohttp.ClientPayloadError():
            return "the response was cut off"
        case ValueError():
            return "the address cannot be used"
        case OSError(errno=int(number)) if number > 0:
            return os.strerror(number).lower()
    return type(error).__name__
