"""HTTP(S) to a daemon on another machine, through http.client: certificate checks, a bearer token, and proxies.

Imported only when a URL is given: http.client and ssl take four times as long to import as everything else here.
"""

import contextlib
import http.client
import os
import ssl
import urllib.request
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from notifybot.client.errors import NotPermitted, Refused, RetryAdvice, Unreachable
from notifybot.client.unix_http import (
    CHUNK_BYTES,
    MAX_BODY_BYTES,
    MAX_FILE_BYTES,
    AnswerLost,
    HttpRequest,
    HttpResponse,
    NotHttp,
    Sink,
)

URL_HINT = "Give the daemon's address, such as https://alerts.example.org, with --url or $NOTIFYBOT_URL."
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Address:
    """A host and a port; `login` is a proxy's `user:password`, never shown."""

    scheme: str
    host: str
    port: int
    path: str = ""
    login: str | None = None


def parse_address(url: str) -> Address:
    """Read a daemon's or a proxy's URL. Raises Refused, without repeating what may be a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Refused("The daemon's URL cannot be read.", hint=URL_HINT) from error
    if parts.scheme not in PORTS or not parts.hostname or parts.query or parts.fragment or not _is_plain(url):
        raise Refused("The daemon's URL is not of the form http(s)://HOST[:PORT][/PATH].", hint=URL_HINT)
    login = None if parts.username is None else f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    port = PORTS[parts.scheme] if port is None else port
    return Address(parts.scheme, parts.hostname, port, parts.path.rstrip("/"), login)


def _is_plain(url: str) -> bool:
    return url.isascii() and url.isprintable() and " " not in url


class Remote:
    """Connections to one daemon over HTTP(S). The proxy comes from the environment, as curl takes it."""

    def __init__(self, url: str, token: str | None = None, *, ca_file: str | os.PathLike[str] | None = None) -> None:
        self._address = parse_address(url)
        if self._address.login is not None:
            raise Refused("The daemon's URL has a user name or a password.", hint="Use a token: $NOTIFYBOT_TOKEN.")
        if token is not None and not (token.isascii() and token.isprintable() and token and " " not in token):
            raise Refused("The token is not one word.", hint="Copy it again: `notifybot token create` prints it.")
        self._headers = {"Accept": "application/json", "User-Agent": "notifybot-client", "Connection": "close"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._ca_file = ca_file
        self.name = f"{self._address.scheme}://{self._address.host}:{self._address.port}"

    def exchange(self, request: HttpRequest, *, timeout_s: float, sink: Sink | None = None) -> HttpResponse:
        """Send `request` and read the response. Raises Unreachable if nothing was sent, AnswerLost if it may have been.

        `timeout_s` limits each wait on the network. A `sink` gets the body of a 200 response chunk by chunk.
        """
        proxy = self._proxy()
        connection = self._connected(proxy, timeout_s)
        try:
            self._send(connection, request, proxy)
            with connection.getresponse() as response:
                return _response(response, sink)
        except TimeoutError as error:
            raise AnswerLost("no response came in time") from error
        except OSError as error:
            raise AnswerLost("the connection broke before the response was complete") from error
        except http.client.IncompleteRead as error:
            raise AnswerLost("the connection was closed before the response was complete") from error
        except http.client.HTTPException as error:
            raise NotHttp("the response is not HTTP") from error
        finally:
            connection.close()

    def _send(self, connection: http.client.HTTPConnection, request: HttpRequest, proxy: Address | None) -> None:
        headers, target, body = dict(self._headers), self._address.path + request.target, request.body
        if proxy is not None and self._address.scheme == "http":
            headers |= _proxy_headers(proxy)
            target = self.name + target
        if body is not None:
            headers |= {"Content-Type": body.media_type, "Content-Length": str(body.length)}
        # A daemon that refuses an upload responds before it has read all of it.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.request(request.method, target, body=None if body is None else body.chunks(), headers=headers)

    def _connected(self, proxy: Address | None, timeout_s: float) -> http.client.HTTPConnection:
        connection = self._connection(proxy or self._address, timeout_s)
        if proxy is not None and self._address.scheme == "https":
            connection.set_tunnel(self._address.host, self._address.port, headers=_proxy_headers(proxy))
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise self._not_connected(error, proxy) from error
        except http.client.HTTPException as error:
            connection.close()
            raise Unreachable(
                f"The proxy {_place(proxy or self._address)} does not speak HTTP.", hint="Check $HTTPS_PROXY."
            ) from error
        return connection

    def _connection(self, first: Address, timeout_s: float) -> http.client.HTTPConnection:
        if self._address.scheme == "http":
            return http.client.HTTPConnection(first.host, first.port, timeout=timeout_s)
        return http.client.HTTPSConnection(first.host, first.port, timeout=timeout_s, context=self._context())

    def _context(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self._ca_file)
        except OSError as error:
            raise Refused(
                f"The CA file {self._ca_file} cannot be read: {error.strerror or error}.",
                hint="Name a readable file of PEM certificates.",
            ) from error

    def _proxy(self) -> Address | None:
        """Return the proxy that the environment names for this daemon."""
        if urllib.request.proxy_bypass(f"{self._address.host}:{self._address.port}"):
            return None
        named = urllib.request.getproxies_environment()
        url = named.get(self._address.scheme) or named.get("all")
        if not url:
            return None
        proxy = parse_address(url if "://" in url else f"http://{url}")
        if proxy.scheme != "http":
            raise Refused("The proxy is not of the form http://HOST:PORT.", hint="Check $HTTPS_PROXY and $HTTP_PROXY.")
        return proxy

    def _not_connected(self, error: OSError, proxy: Address | None) -> Exception:
        """Make the error for a connection that was never made: nothing was sent."""
        if isinstance(error, ssl.SSLCertVerificationError):
            return NotPermitted(
                f"The certificate of {self.name} is not trusted: {error.verify_message}.",
                hint="Use the name in the certificate; for a CA of your own, set $SSL_CERT_FILE to its certificate.",
            )
        through = f" through the proxy {_place(proxy)}" if proxy else ""
        reason = "no response came in time" if isinstance(error, TimeoutError) else error.strerror or str(error)
        failure = Unreachable(f"Cannot connect to {self.name}{through}: {reason}.", hint=URL_HINT)
        if isinstance(error, ConnectionRefusedError):
            failure.retry = RetryAdvice.IF_RESTARTING
        return failure


def _place(address: Address) -> str:
    return f"{address.host}:{address.port}"


def _proxy_headers(proxy: Address) -> Mapping[str, str]:
    if proxy.login is None:
        return {}
    return {"Proxy-Authorization": f"Basic {b64encode(proxy.login.encode()).decode('ascii')}"}


def _response(response: http.client.HTTPResponse, sink: Sink | None) -> HttpResponse:
    headers = {name.lower(): value for name, value in response.getheaders()}
    gathered = bytearray()
    to_sink = sink if response.status == http.client.OK else None
    most, take = (MAX_BODY_BYTES, gathered.extend) if to_sink is None else (MAX_FILE_BYTES, to_sink)
    taken = 0
    for chunk in _chunks(response):
        taken += len(chunk)
        if taken > most:
            raise NotHttp("the response is too large")
        take(chunk)
    if response.length:  # read() of a size tells of an early end only by this
        raise AnswerLost("the connection was closed before the response was complete")
    return HttpResponse(response.status, headers, bytes(gathered))


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    while chunk := response.read(CHUNK_BYTES):
        yield chunk
