"""Fetch URLs as Telegram's servers would: only pages that a test provides, or from this machine."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urljoin, urlsplit

import aiohttp

from notifybot.sandbox.bot_api.uploads import ATTACHED
from notifybot.sandbox.bot_api.webhook import is_loopback
from notifybot.sandbox.bot_api.wire import bad_request
from notifybot.sandbox.world.files import MediaKind
from notifybot.sandbox.world.spool import Content, Incoming, Source, Spool, Unfetched

# Telegram's limits for files by URL are half of those for uploads, or less.
MAX_BYTES = {MediaKind.PHOTO: 5 * 1024 * 1024, MediaKind.DOCUMENT: 20 * 1024 * 1024}
DOCUMENT_TYPES = frozenset({"application/pdf", "application/zip"})
MAX_REDIRECTS = 5
FETCH_TIMEOUT_S = 10.0
CHUNK_BYTES = 256 * 1024
UNREACHED = Unfetched("WEBPAGE_CURL_FAILED")
WRONG_TYPE = Unfetched("WEBPAGE_MEDIA_EMPTY")


@dataclass(frozen=True, slots=True)
class WebPage:
    """The page at a URL. A `location` redirects; a `status` other than 2xx is an error."""

    body: bytes = b""
    content_type: str = "text/html"
    status: int = 200
    location: str | None = None


Web = Mapping[str, WebPage]


@dataclass(frozen=True, slots=True)
class Found:
    """The response of a URL; `content` is None if Telegram would not accept it."""

    content: Content | None
    mime_type: str
    location: str | None


def is_address(reference: str) -> bool:
    """Return True if Telegram takes a file reference for a URL: if it contains a dot."""
    return "." in reference and not reference.startswith(ATTACHED)


def checked_address(reference: str) -> str:
    """Return a URL with its scheme; raise Telegram's 400 for URLs that it never requests."""
    url = reference if "://" in reference else f"http://{reference}"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise bad_request("invalid file HTTP URL specified: Wrong URL") from error
    if parts.scheme.lower() not in ("http", "https"):
        raise bad_request("invalid file HTTP URL specified: Unsupported URL protocol")
    if not host:
        raise bad_request("invalid file HTTP URL specified: URL host is empty")
    return url


async def fetch_all(web: Web, wanted: Mapping[str, MediaKind], spool: Spool) -> dict[str, Source | Unfetched]:
    """Fetch all URLs among the references, each for its kind of media."""
    addresses = [reference for reference in wanted if is_address(reference)]
    found = [await _fetch(web, reference, wanted[reference], spool) for reference in addresses]
    return dict(zip(addresses, found, strict=True))


async def _fetch(web: Web, reference: str, kind: MediaKind, spool: Spool) -> Source | Unfetched:
    url = checked_address(reference)
    try:
        async with asyncio.timeout(FETCH_TIMEOUT_S):
            found = await _follow(web, url, spool, MAX_BYTES[kind])
    except (TimeoutError, aiohttp.ClientError, OSError):
        return UNREACHED
    if found is None or found.content is None:
        return UNREACHED
    is_fitting = found.mime_type in DOCUMENT_TYPES
    if kind is MediaKind.PHOTO:
        is_fitting = found.mime_type.startswith("image/")
    if not found.content.size or not is_fitting:
        return WRONG_TYPE
    return Source(found.content, unquote(urlsplit(url).path.rpartition("/")[2]), found.mime_type)


async def _follow(web: Web, url: str, spool: Spool, limit: int) -> Found | None:
    """Follow redirects; None if there are too many, or nothing is found."""
    for _ in range(MAX_REDIRECTS + 1):
        found = await _look(web, url, spool, limit)
        if found is None or found.location is None:
            return found
        url = urljoin(url, found.location)
    return None


async def _look(web: Web, url: str, spool: Spool, limit: int) -> Found | None:
    if (page := web.get(url)) is not None:
        is_taken = 200 <= page.status < 300 and len(page.body) <= limit
        return Found(spool.keep(page.body) if is_taken else None, page.content_type, page.location)
    if not is_loopback(urlsplit(url).hostname or ""):
        return None
    incoming = spool.begin()
    try:
        return await _ask(url, incoming, limit)
    finally:
        incoming.discard()


async def _ask(url: str, incoming: Incoming, limit: int) -> Found:
    """Request a URL on this machine."""
    async with aiohttp.ClientSession() as client, client.get(url, allow_redirects=False, ssl=False) as answer:
        location = answer.headers.get("Location") if 300 <= answer.status < 400 else None
        is_taken = 200 <= answer.status < 300
        async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
            incoming.write(chunk)
            if incoming.size > limit:
                return Found(None, answer.content_type, None)
        return Found(incoming.finish() if is_taken else None, answer.content_type, location)
