"""Fetch a file from a URL on a public server. Callers must not reach internal servers this way (SSRF).

The same checks apply to each hop: its name is resolved once, every address must be public, and the connection uses
exactly these addresses, so that a second DNS response cannot redirect it. Redirects are followed here, hop by hop. No
proxies, cookies, credentials or decompression.
"""

import asyncio
import contextlib
import ipaddress
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus

import aiohttp
from aiohttp import AddrInfoType, SocketFactoryType
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from notifybot import __version__
from notifybot.errors import NotifybotError, Unavailable
from notifybot.files.media_types import safe_name
from notifybot.files.public_addresses import Address, is_public, literal
from notifybot.files.store import PIECE_BYTES, FileStore, StoredFile

MAX_REDIRECTS = 5
MAX_URL_CHARACTERS = 4096
MAX_ADDRESSES = 16
MAX_CONCURRENT = 16
PORTS = {"https": 443, "http": 80}
FIRST_ALLOWED_PORT = 1024
"""Ports below belong to mail, SSH and the like, which a request can disturb; the scheme's own is the exception."""
UNUSUAL = re.compile(r"[\s\x00-\x20\x7f\\]")
REDIRECTS = frozenset({301, 302, 303, 307, 308})
RETRYABLE = frozenset({408, 425, 429})
HEADERS = {"User-Agent": f"notifybot/{__version__}", "Accept-Encoding": "identity", "Accept": "*/*"}
HINT = "Upload the file, or give the URL of a file on a public server."
NO_PUBLIC_SERVER = "The URL does not point to a public server."
"""Also used for unknown names, so that callers cannot probe internal DNS."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class FetchFailed(NotifybotError):
    """The fetch failed, and nothing is stored. `is_temporary` means that a retry may work."""

    title = "Not fetched"

    def __init__(self, reason: str, *, is_temporary: bool = False) -> None:
        super().__init__(reason, hint=HINT)
        self.reason = reason
        self.is_temporary = is_temporary


@dataclass(frozen=True)
class FetchedFile:
    """A stored file and its sanitized name, from the server or the URL."""

    file: StoredFile
    name: str


@dataclass(frozen=True)
class FetchTimeouts:
    """Seconds for the whole fetch, for connect and TLS handshake, and for the next bytes."""

    total: float = 30.0
    connect: float = 10.0
    read: float = 10.0


class SystemResolver:
    """Resolves names with getaddrinfo on its own threads, so that a slow name server blocks nothing else."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="names")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Return the host's addresses. Raises OSError."""
        look_up = lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)  # noqa: E731
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return [str(address[0]) for *_, address in found]

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class Fetcher:
    """Fetches files into a store. Tests inject a resolver, a TLS context and their own rules."""

    def __init__(
        self,
        store: FileStore,
        *,
        resolve: Resolve,
        tls: ssl.SSLContext | None = None,
        may_reach: Callable[[Address], bool] = is_public,
        timeouts: FetchTimeouts | None = None,
    ) -> None:
        self._store = store
        self._resolve = resolve
        self._tls = tls
        self._may_reach = may_reach
        self._timeouts = timeouts or FetchTimeouts()
        self._slots = asyncio.Semaphore(MAX_CONCURRENT)

    async def fetch(self, url: str) -> FetchedFile:
        """Fetch `url` into the store. Raises FetchFailed, and Unavailable if the store fails."""
        try:
            async with asyncio.timeout(self._timeouts.total), self._slots:
                return await self._follow(_checked(url))
        except TimeoutError:
            raise FetchFailed("The server took too long.", is_temporary=True) from None
        except (FetchFailed, Unavailable):
            raise
        except NotifybotError as error:  # too large, or empty
            raise FetchFailed(error.detail) from None

    async def _follow(self, url: URL) -> FetchedFile:
        for _ in range(1 + MAX_REDIRECTS):
            found = await self._get(url)
            if isinstance(found, FetchedFile):
                return found
            url = found
        raise FetchFailed("The server redirects too often.")

    async def _get(self, url: URL) -> FetchedFile | URL:
        """Make one request; return the file, or the redirect's target."""
        addresses, tls = await self._addresses(url), await self._tls_context()
        with _translated_errors():
            async with self._session(addresses, tls) as session, session.get(url, allow_redirects=False) as response:
                if response.status in REDIRECTS:
                    return _redirected(url, response)
                _check(response)
                self._store.refuse_larger(response.content_length or 0)
                file = await self._store.receive(response.content.iter_any())
                return FetchedFile(file, _name(response, file.media_type))

    async def _addresses(self, url: URL) -> list[Address]:
        """Return the host's addresses. Raises FetchFailed if any of them is not public."""
        host, port = url.raw_host or "", url.port or PORTS[url.scheme]
        fixed = _literal(host)
        addresses = [fixed] if fixed else await self._resolved(host, port)
        if not addresses or not all(map(self._may_reach, addresses)):
            raise FetchFailed(NO_PUBLIC_SERVER)
        return addresses[:MAX_ADDRESSES]

    async def _resolved(self, host: str, port: int) -> list[Address]:
        try:
            return [ipaddress.ip_address(address) for address in await self._resolve(host, port)]
        except socket.gaierror as error:
            is_temporary = error.errno == socket.EAI_AGAIN
            reason = "The host name in the URL cannot be resolved at the moment." if is_temporary else NO_PUBLIC_SERVER
            raise FetchFailed(reason, is_temporary=is_temporary) from None
        except (OSError, ValueError):
            raise FetchFailed(NO_PUBLIC_SERVER) from None

    async def _tls_context(self) -> ssl.SSLContext:
        """Return the TLS context, built at the first fetch because loading all CA certificates takes about 80 ms."""
        if self._tls is None:
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        return self._tls

    def _session(self, addresses: Sequence[Address], tls: ssl.SSLContext) -> aiohttp.ClientSession:
        timeouts = aiohttp.ClientTimeout(
            total=self._timeouts.total, sock_connect=self._timeouts.connect, sock_read=self._timeouts.read
        )
        connector = aiohttp.TCPConnector(
            resolver=_FixedResolver(addresses),
            use_dns_cache=False,
            ssl=tls,
            force_close=True,
            socket_factory=_only_to(addresses),
        )
        return aiohttp.ClientSession(
            connector=connector,
            timeout=timeouts,
            headers=HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=PIECE_BYTES,
        )


class _FixedResolver(AbstractResolver):
    """Returns the checked addresses, even if DNS has changed since."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=_family(address),
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""


def _only_to(addresses: Sequence[Address]) -> SocketFactoryType:
    """Make sockets for these addresses only, as a last check before connecting."""

    def make(destination: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, (host, *_) = destination
        if ipaddress.ip_address(host) not in addresses:
            raise OSError("this address was not checked")
        return socket.socket(family, kind, protocol)

    return make


def _family(address: Address) -> socket.AddressFamily:
    return socket.AF_INET if address.version == 4 else socket.AF_INET6


def _checked(url: str) -> URL:
    """Parse the URL and drop its fragment. Raises FetchFailed for URLs that are never fetched."""
    if len(url) > MAX_URL_CHARACTERS or UNUSUAL.search(url):
        raise FetchFailed("The URL is too long, or contains spaces or backslashes.")
    try:
        parsed = URL(url)
        port, host = parsed.port, parsed.raw_host
    except ValueError:
        raise FetchFailed("This is not a URL.") from None
    if parsed.scheme not in PORTS or not host:
        raise FetchFailed("Only https and http URLs are fetched.")
    if "@" in parsed.raw_authority:
        raise FetchFailed("URLs with a user name or password are not fetched.")
    usual = PORTS[parsed.scheme]
    if port is None or (port != usual and port < FIRST_ALLOWED_PORT):
        raise FetchFailed(f"Files are only fetched from port {usual}, or from ports {FIRST_ALLOWED_PORT} and above.")
    return parsed.with_fragment(None)


def _literal(host: str) -> Address | None:
    try:
        return literal(host)
    except ValueError:
        raise FetchFailed("The URL's host is neither a name nor a standard IP address.") from None


def _redirected(url: URL, response: aiohttp.ClientResponse) -> URL:
    location = response.headers.get("Location", "")
    try:
        target = _checked(str(url.join(URL(location))) if location else "")
    except ValueError:
        raise FetchFailed("The server redirects to an invalid URL.") from None
    if url.scheme == "https" and target.scheme != "https":
        raise FetchFailed("The server redirects from https to http.")
    return target


def _check(response: aiohttp.ClientResponse) -> None:
    """Refuse responses that are not a complete file."""
    status, headers = response.status, response.headers
    if status != HTTPStatus.OK:
        is_temporary = status >= 500 or status in RETRYABLE
        raise FetchFailed(f"The server responded with status {status}.", is_temporary=is_temporary)
    if headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise FetchFailed("The server compressed the file, although it was asked not to.")
    # Without either, a truncated file looks complete.
    if "Content-Length" not in headers and "chunked" not in headers.get("Transfer-Encoding", "").lower():
        raise FetchFailed("The server gives neither the length nor the end of the file.")


def _name(response: aiohttp.ClientResponse, media_type: str) -> str:
    """Return the name from Content-Disposition, else the last part of the URL."""
    header = Message()
    given = response.headers.get("Content-Disposition", "")
    # Some servers send non-ASCII names unencoded, in UTF-8 or another charset.
    header["Content-Disposition"] = given.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return safe_name(header.get_filename() or response.url.name, media_type)


@contextlib.contextmanager
def _translated_errors() -> Iterator[None]:
    """Turn aiohttp's errors, which quote addresses, into FetchFailed. Timeouts pass through."""
    try:
        yield
    except TimeoutError:
        raise
    except aiohttp.ClientConnectorCertificateError:
        raise FetchFailed("The server's certificate is not trusted.") from None
    except aiohttp.ClientSSLError:
        raise FetchFailed("The TLS handshake with the server failed.") from None
    except aiohttp.ClientResponseError:
        raise FetchFailed("The server's response is not valid HTTP.") from None
    except aiohttp.ClientConnectorError:
        raise FetchFailed("The server cannot be reached.", is_temporary=True) from None
    except (aiohttp.ClientError, OSError):
        raise FetchFailed("The connection broke before the file was complete.", is_temporary=True) from None
