"""Connections through a proxy, and what their failures mean. No text contains the user or the password."""

import os
import socket

import aiohttp
from aiohttp_socks import ProxyConnectionError, ProxyConnector, ProxyError, ProxyTimeoutError
from yarl import URL

from notifybot.config.proxies import Proxy

SOCKS_FAILURES = (ProxyConnectionError, ProxyTimeoutError, ProxyError, EOFError)
"""Raised while a connection through SOCKS is made. EOFError: the proxy closes it."""
REPLIES = {
    1: "it failed",
    2: "its rules do not allow it",
    3: "the network is unreachable",
    4: "the host is unreachable, or its name is unknown there",
    5: "the connection was refused",
    6: "it took too many hops",
}
"""Codes of RFC 1928."""


def connector_to(proxy: Proxy | None, *, limit: int, keepalive_s: float) -> aiohttp.TCPConnector:
    """Return a pool of connections, through SOCKS if the proxy speaks it. The proxy resolves names."""
    if proxy is None or not proxy.is_socks:
        return aiohttp.TCPConnector(limit=limit, keepalive_timeout=keepalive_s)
    return ProxyConnector(
        proxy.host,
        proxy.port,
        username=proxy.user,
        password=proxy.password if proxy.user is None else proxy.password or "",
        rdns=True,
        limit=limit,
        keepalive_timeout=keepalive_s,
    )


def url_of(proxy: Proxy | None) -> URL | None:
    """Return the URL of an HTTP proxy, with the user and the password."""
    if proxy is None or proxy.is_socks:
        return None
    return URL.build(scheme=proxy.scheme, user=proxy.user, password=proxy.password, host=proxy.host, port=proxy.port)


def reason_of_proxy(error: Exception, proxy: Proxy) -> str | None:
    """Say what went wrong at the proxy; None if the failure is not the proxy's."""
    match error:
        case aiohttp.ClientHttpProxyError(status=407):
            return _about_credentials(proxy)
        case aiohttp.ClientHttpProxyError():
            return f"the proxy {proxy} returned {error.status}"
        case aiohttp.ClientConnectorDNSError():
            return f"the name of the proxy {proxy} cannot be resolved"
        case aiohttp.ClientProxyConnectionError():
            return f"no connection to the proxy {proxy}: {_words(error.os_error)}"
        case ProxyConnectionError():
            return f"no connection to the proxy {proxy}: {_words(_root(error))}"
        case ProxyTimeoutError() | TimeoutError():
            return f"no connection through the proxy {proxy} in time"
        case ProxyError(error_code=int(code)):
            return f"the proxy {proxy} does not reach Telegram: {REPLIES.get(code, f'it replied {code}')}"
        case ProxyError() if "authentication" in str(error).lower():
            return _about_credentials(proxy)
        case ProxyError() | EOFError():
            return f"the proxy {proxy} does not answer as SOCKS5 does"
    return None


def _about_credentials(proxy: Proxy) -> str:
    if proxy.user is None:
        return f"the proxy {proxy} wants a user and a password"
    return f"the proxy {proxy} refused the user or the password"


def _root(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _words(error: BaseException) -> str:
    if isinstance(error, socket.gaierror):
        return "its name cannot be resolved"
    number = getattr(error, "errno", None)
    return os.strerror(number).lower() if isinstance(number, int) and number > 0 else type(error).__name__
