"""Fetching a file by its https URL from a public server, for callers who must not reach anything else through us.

Each hop is checked alike. Its name is resolved once, every address must be public, and the connection goes to exactly
these addresses: no second look-up can lead elsewhere. Redirects are followed by hand. There are no proxies, no cookies,
no credentials and no decompression.
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

MOST_REDIRECTS = 5
MOST_URL_CHARACTERS = 4096
MOST_ADDRESSES = 16
AT_ONCE = 16
HTTPS_PORT = 443
FIRST_FREE_PORT = 1024
"""Besides 443, only ports from here on: the others belong to mail, SSH and the like, which a TLS hello can upset."""
UNUSUAL = re.compile(r"[\s\x00-\x20\x7f\\]")
REDIRECTS = frozenset({301, 302, 303, 307, 308})
RETRYABLE = frozenset({408, 425, 429})
HEADERS = {"User-Agent": f"notifybot/{__version__}", "Accept-Encoding": "identity", "Accept": "*/*"}
HINT = "Send the file itself, or the https URL of a file on a public server."
NO_PUBLIC_SERVER = "The URL does not lead to a public server."
"""Also where a name does not exist, so that nobody learns which names do inside of our network."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class FetchFailed(NotifybotError):
    """The file was not fetched, and nothing of it is kept; `is_temporary` when it may work later."""

    title = "Not fetched"

    def __init__(self, reason: str, *, is_temporary: bool = False) -> None:
        super().__init__(reason, hint=HINT)
        self.reason = reason
        self.is_temporary = is_temporary


@dataclass(frozen=True)
class FetchedFile:
    """`name` is safe, and of the server's choice or the URL's."""

    file: StoredFile
    name: str


@dataclass(frozen=True)
class FetchTimeouts:
    """Seconds: for all of it, for a connection with TLS, and for the next bytes."""

    total: float = 30.0
    connect: float = 10.0
    read: float = 10.0


class SystemResolver:
    """Look names up as the system does, on threads of its own: a slow name server holds up nothing else."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="names")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Return the addresses of a host. Raises OSError."""
        look_up = lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)  # noqa: E731
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return [str(address[0]) for *_, address in found]

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class Fetcher:
    """Fetches files into a store. Tests give a resolver, a TLS context and rules of their own."""

    def __init__(
        self,
        store: FileStore,
        *,
        resolve: Resolve,
        tls: ssl.SSLContext | None = None,
        may_reach: Callable[[Address], bool] = is_public,
        waits: FetchTimeouts | None = None,
    ) -> None:
        self._store = store
        self._resolve = resolve
        self._tls = tls or ssl.create_default_context()
        self._may_reach = may_reach
        self._waits = waits or FetchTimeouts()
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def fetch(self, url: str) -> FetchedFile:
        """Store what is at `url`. Raises FetchFailed, and Unavailable when the store cannot keep it."""
        try:
            async with asyncio.timeout(self._waits.total), self._turns:
                return await self._follow(_checked(url))
        except TimeoutError:
            raise FetchFailed("The server took too long.", is_temporary=True) from None
        except (FetchFailed, Unavailable):
            raise
        except NotifybotError as error:  # too large, or empty
            raise FetchFailed(error.detail) from None

    async def _follow(self, url: URL) -> FetchedFile:
        for _ in range(1 + MOST_REDIRECTS):
            found = await self._get(url)
            if isinstance(found, FetchedFile):
                return found
            url = found
        raise FetchFailed("The server redirects too often.")

    async def _get(self, url: URL) -> FetchedFile | URL:
        """One request: the file, or where it is said to be instead."""
        addresses = await self._addresses(url)
        with _refusing():
            async with self._session(addresses) as session, session.get(url, allow_redirects=False) as response:
                if response.status in REDIRECTS:
                    return _redirected(url, response)
                _check(response)
                self._store.refuse_larger(response.content_length or 0)
                file = await self._store.receive(response.content.iter_any())
                return FetchedFile(file, _name(response, file.media_type))

    async def _addresses(self, url: URL) -> list[Address]:
        """All addresses of the host; raises FetchFailed unless each of them may be reached."""
        host, port = url.raw_host or "", url.port or HTTPS_PORT
        fixed = _literal(host)
        addresses = [fixed] if fixed else await self._looked_up(host, port)
        if not addresses or not all(map(self._may_reach, addresses)):
            raise FetchFailed(NO_PUBLIC_SERVER)
        return addresses[:MOST_ADDRESSES]

    async def _looked_up(self, host: str, port: int) -> list[Address]:
        try:
            return [ipaddress.ip_address(address) for address in await self._resolve(host, port)]
        except socket.gaierror as error:
            is_temporary = error.errno == socket.EAI_AGAIN
            reason = "The name in the URL cannot be looked up now." if is_temporary else NO_PUBLIC_SERVER
            raise FetchFailed(reason, is_temporary=is_temporary) from None
        except (OSError, ValueError):
            raise FetchFailed(NO_PUBLIC_SERVER) from None

    def _session(self, addresses: Sequence[Address]) -> aiohttp.ClientSession:
        waits = aiohttp.ClientTimeout(
            total=self._waits.total, sock_connect=self._waits.connect, sock_read=self._waits.read
        )
        connector = aiohttp.TCPConnector(
            resolver=_Fixed(addresses),
            use_dns_cache=False,
            ssl=self._tls,
            force_close=True,
            socket_factory=_only_to(addresses),
        )
        return aiohttp.ClientSession(
            connector=connector,
            timeout=waits,
            headers=HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=PIECE_BYTES,
        )


class _Fixed(AbstractResolver):
    """Answers with the addresses that were checked, whatever the name means by now."""

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
        """Nothing is open."""


def _only_to(addresses: Sequence[Address]) -> SocketFactoryType:
    """Make sockets for these addresses alone: the last look before a connection, whoever chose where it leads."""

    def make(destination: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, (host, *_) = destination
        if ipaddress.ip_address(host) not in addresses:
            raise OSError("this address was not checked")
        return socket.socket(family, kind, protocol)

    return make


def _family(address: Address) -> socket.AddressFamily:
    return socket.AF_INET if address.version == 4 else socket.AF_INET6


def _checked(url: str) -> URL:
    """The URL as it is requested; raises FetchFailed for one that never is."""
    if len(url) > MOST_URL_CHARACTERS or UNUSUAL.search(url):
        raise FetchFailed("The URL is too long, or holds blanks or backslashes.")
    try:
        parsed = URL(url)
        port, host = parsed.port, parsed.raw_host
    except ValueError:
        raise FetchFailed("This is not a URL.") from None
    if parsed.scheme != "https" or not host:
        raise FetchFailed("Only https URLs are fetched.")
    if "@" in parsed.raw_authority:
        raise FetchFailed("URLs with a user or a password are not fetched.")
    if port is None or (port != HTTPS_PORT and port < FIRST_FREE_PORT):
        raise FetchFailed(f"Files are fetched from port {HTTPS_PORT}, or from {FIRST_FREE_PORT} on.")
    return parsed.with_fragment(None)


def _literal(host: str) -> Address | None:
    try:
        return literal(host)
    except ValueError:
        raise FetchFailed("The URL's host is neither a name nor an address in its usual form.") from None


def _redirected(url: URL, response: aiohttp.ClientResponse) -> URL:
    location = response.headers.get("Location", "")
    try:
        return _checked(str(url.join(URL(location))) if location else "")
    except ValueError:
        raise FetchFailed("The server redirects to something that is not a URL.") from None


def _check(response: aiohttp.ClientResponse) -> None:
    """Refuse answers that are no whole file."""
    status, headers = response.status, response.headers
    if status != HTTPStatus.OK:
        is_temporary = status >= 500 or status in RETRYABLE
        raise FetchFailed(f"The server answered with status {status}.", is_temporary=is_temporary)
    if headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise FetchFailed("The server sends the file compressed, which it was not asked to.")
    # Without either, a file that was cut short looks like a whole one.
    if "Content-Length" not in headers and "chunked" not in headers.get("Transfer-Encoding", "").lower():
        raise FetchFailed("The server does not say where the file ends.")


def _name(response: aiohttp.ClientResponse, media_type: str) -> str:
    """The name in Content-Disposition, else the last part of the URL."""
    header = Message()
    given = response.headers.get("Content-Disposition", "")
    # A name that is not ASCII may stand there as it is, in UTF-8 or anything else.
    header["Content-Disposition"] = given.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return safe_name(header.get_filename() or response.url.name, media_type)


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """The library's exceptions, which quote addresses, as sentences of ours. Time-outs stay what they are."""
    try:
        yield
    except TimeoutError:
        raise
    except aiohttp.ClientConnectorCertificateError:
        raise FetchFailed("The server's certificate is not trusted.") from None
    except aiohttp.ClientSSLError:
        raise FetchFailed("A secure connection to the server was not possible.") from None
    except aiohttp.ClientResponseError:
        raise FetchFailed("The server's answer is not readable HTTP.") from None
    except aiohttp.ClientConnectorError:
        raise FetchFailed("The server cannot be reached.", is_temporary=True) from None
    except (aiohttp.ClientError, OSError):
        raise FetchFailed("The connection broke off before the whole file was there.", is_temporary=True) from None
