"""The proxy to Telegram: from `telegram.proxy`, else from the environment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import unquote, urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined] # typeshed lacks it

PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
DIRECT = "direct"
OURS = "telegram.proxy"
FORM = "a proxy looks like socks5://host:1080 or http://user:password@host:3128"
MAX_BYTES = 255
"""Of the user and the password, in SOCKS."""


@dataclass(frozen=True)
class Proxy:
    """A proxy. Its text leaves out the user and the password. `source`: the key or variable that sets it."""

    scheme: str
    host: str
    port: int
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    source: str = OURS

    def __str__(self) -> str:
        return f"{self.scheme}://{self.address} ({self.source})"

    @property
    def address(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_socks(self) -> bool:
        return self.scheme.startswith("socks")

    @property
    def is_direct(self) -> bool:
        """Return True if the config asks for no proxy."""
        return self.scheme == DIRECT


def parse_proxy(text: str) -> Proxy:
    """Read a proxy, or DIRECT. Without a scheme, it is an HTTP proxy. Raises ValueError(reason), (reason, hint)."""
    if text == DIRECT:
        return Proxy(DIRECT, "", 0)
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(FORM) from None
    if parts.scheme not in PORTS:
        raise ValueError("the scheme must be socks5, http or https", "Of SOCKS, only version 5 is supported.")
    if not host or port == 0 or parts.path not in ("", "/") or parts.query or parts.fragment or _is_odd(text):
        raise ValueError(FORM)
    user, password = (None if part is None else unquote(part) for part in (parts.username, parts.password))
    found = Proxy(parts.scheme, host, port or PORTS[parts.scheme], user, password)
    _check_credentials(found)
    return found


def _check_credentials(proxy: Proxy) -> None:
    both = (proxy.user or "", proxy.password or "")
    if proxy.is_socks and any("\ud800" <= character <= "\udfff" for character in "".join(both)):
        raise ValueError("in SOCKS, the user and the password are UTF-8")
    if proxy.is_socks and any(len(text.encode()) > MAX_BYTES for text in both):
        raise ValueError(f"in SOCKS, the user and the password have at most {MAX_BYTES} bytes")
    if not proxy.is_socks and any(ord(character) > 0xFF for character in "".join(both)):
        raise ValueError("in HTTP, the user and the password have only characters of Latin-1")


def proxy_to(base_url: str, configured: Proxy | None, environ: Mapping[str, str]) -> Proxy | None:
    """Return the proxy to a Bot API server; None for a direct connection. Raises ValueError(reason[, hint]), which
    never quotes the proxy.

    Without `telegram.proxy` it comes from HTTPS_PROXY (or HTTP_PROXY, for an http server) or ALL_PROXY, in lower case
    first; NO_PROXY lists exceptions. Servers on this machine get none from there.
    """
    if configured is not None:
        return None if configured.is_direct else configured
    parts = urlsplit(base_url)
    no_proxy = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    is_local = parts.netloc.startswith(("localhost", "127.", "[::1]"))
    if is_local or proxy_bypass_environment(parts.netloc, {"no": no_proxy}):
        return None
    for name in (f"{parts.scheme}_proxy", "all_proxy"):
        for variable in (name, name.upper()):
            if environ.get(variable):
                return _from_variable(variable, environ[variable])
    return None


def _from_variable(variable: str, text: str) -> Proxy | None:
    try:
        found = replace(parse_proxy(text), source=variable)
    except ValueError as error:
        reason, *hint = error.args
        raise ValueError(f"the variable {variable} is invalid: {reason}", *hint) from None
    return None if found.is_direct else found


def _is_odd(text: str) -> bool:
    return re.search(r"[\s\x00-\x1f\x7f\\]", text) is not None
