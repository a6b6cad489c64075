"""Names under which the daemon answers on TCP.

A page of another site can point its own name at this machine (DNS rebinding). The browser then sends that name in the
header Host, which is how its requests are told from those of real callers.
"""

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web

from notifybot.config.model import Http
from notifybot.errors import NotifybotError
from notifybot.web.problems import shortened


class WrongHost(NotifybotError):
    code = 421
    title = "Misdirected request"


@dataclass(frozen=True)
class Hosts:
    """Names that callers may use, in lower case. IP addresses are always accepted: rebinding needs a name."""

    names: frozenset[str]

    @classmethod
    def of(cls, http: Http) -> "Hosts":
        """Accept loopback names, this machine's name, and the hosts of `http.listen` and `http.public_url`."""
        listened = http.listen.host if http.listen is not None else ""
        public = (urlsplit(http.public_url).hostname if http.public_url else None) or ""
        found = {"localhost", socket.gethostname(), listened, public} - {""}
        return cls(frozenset(map(_plain, found)))

    def check(self, request: web.Request) -> None:
        """Raise WrongHost if the request was sent to another name."""
        for given in request.headers.getall("Host", []):
            if not self.is_own(given):
                raise WrongHost(
                    f"This daemon is not {shortened(given)}.",
                    hint="Use the host of http.public_url, or set it in the config to the URL that callers use.",
                )

    def is_own(self, given: str) -> bool:
        """Return True if this header names the daemon."""
        name = _host(given)
        return name in self.names or name.endswith(".localhost") or _is_address(name)


def _plain(name: str) -> str:
    return name.lower().rstrip(".")


def _host(header: str) -> str:
    """Remove the port and the brackets of an IPv6 address."""
    text = header.strip()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return _plain(text.rpartition(":")[0] if text.count(":") == 1 else text)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
