"""Connections from a field's daemon to Telegram: direct, through a proxy, through TLS, or by name."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.field import names
from benchmarks.field.proxy import SilentProxy, silent_proxy
from benchmarks.lab.process import Home


class Way(StrEnum):
    DIRECT = "direct"
    PROXY = "proxy"
    """Through a proxy that can go silent."""
    TLS = "tls"
    """Through TLS, with a proxy in front that can go silent during or after the handshake."""
    NAME = "name"
    """By a host name that can stop resolving."""


@dataclass
class Road:
    """A connection that was set up, with its proxy if there is one, and its daemon's settings in `home`."""

    home: Home
    url: str
    proxy: SilentProxy | None = None
    known: Path = field(default_factory=Path)
    """The name resolves while this file exists."""


@contextlib.asynccontextmanager
async def road(way: Way, folder: Path, url: str) -> AsyncIterator[Road]:
    """Set up the connection to the server at `url`, for a daemon whose home is `folder`."""
    match way:
        case Way.DIRECT:
            yield Road(Home(folder), url)
        case Way.PROXY:
            async with silent_proxy(url) as (proxy, proxy_url):
                yield Road(Home(folder), proxy_url, proxy)
        case Way.TLS:
            certificate, key = await _certificate(folder)
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificate, key)
            home = Home(folder, environment={"SSL_CERT_FILE": str(certificate)})
            async with (
                silent_proxy(url, tls=context) as (_, tls_url),
                silent_proxy(tls_url) as (proxy, proxy_url),
            ):
                yield Road(home, proxy_url, proxy)
        case Way.NAME:
            known = folder / "known"
            known.touch()
            environment = {names.KNOWN_WHILE: str(known), "NO_PROXY": names.NAME, "no_proxy": names.NAME}
            home = Home(folder, program=names.__name__, environment=environment)
            yield Road(home, f"http://{names.NAME}:{urlsplit(url).port}", known=known)


async def _certificate(folder: Path) -> tuple[Path, Path]:
    """Create a self-signed certificate for 127.0.0.1; return it and its key."""
    certificate, key = folder / "tls.crt", folder / "tls.key"
    made = await asyncio.create_subprocess_exec(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-days", "2", "-subj", "/CN=notifybot test", "-addext", "subjectAltName=IP:127.0.0.1"),
        *("-out", str(certificate), "-keyout", str(key)),
        stderr=asyncio.subprocess.DEVNULL,
    )
    if await made.wait():
        raise RuntimeError("openssl failed to create a certificate")
    return certificate, key
