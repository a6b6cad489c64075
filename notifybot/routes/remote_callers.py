"""Callers on TCP: an API token, a JWT of an existing dashboard, or where the config opens a path to whom it names."""

import asyncio
import ipaddress
from contextlib import suppress
from datetime import datetime
from functools import partial

from aiohttp import web

from notifybot import tokens
from notifybot.authorisation import Caller
from notifybot.config import Config
from notifybot.errors import Unauthenticated, Unavailable
from notifybot.models import ApiToken
from notifybot.routes.route import runtime_of
from notifybot.routes.throttle import Guesses
from notifybot.runtime import Runtime

BEARER = "bearer"


class RemoteCallers:
    """Finds out who a request on TCP comes from. The address is the connection's, whatever headers say."""

    def __init__(self, config: Config, allowed: frozenset[str] | None) -> None:
        self.guesses = Guesses()
        self._accounts = config.accounts
        self._allowed = allowed

    async def caller(self, request: web.Request) -> Caller | None:
        """None: it shows nothing, and no path is open to it. Raises Unauthenticated, TooManyRequests."""
        credential = _credential(request)
        if credential is None:
            return None
        now, address = runtime_of(request).clock.now(), peer_address(request.transport)
        self.guesses.look(address, credential, now)
        found = await self._token_caller(credential, runtime_of(request), now)
        if found is None:
            self.guesses.failed(address, now)
            raise wrong()
        self.guesses.held(credential, now)
        return found

    async def _token_caller(self, secret: str, runtime: Runtime, now: datetime) -> Caller | None:
        token = await runtime.database.read(partial(tokens.find, secret=secret, now=now))
        if token is None:
            return None
        await _note_use(token, runtime, now)
        return tokens.caller_with(token, allowed=self._allowed)


async def _note_use(token: ApiToken, runtime: Runtime, now: datetime) -> None:
    if not tokens.is_use_worth_noting(token, now):
        return
    with suppress(Unavailable):  # what cannot be written down is no reason to refuse a read
        await runtime.database.write(partial(tokens.note_use, token_id=token.id, now=now))


def wrong() -> Unauthenticated:
    """One sentence for all: what exactly is wrong would help those who guess."""
    return Unauthenticated(
        "This token is not valid here: wrong, expired or revoked.",
        hint="`notifybot token list` shows which ones are; `notifybot token create NAME` makes one.",
        is_wrong=True,
    )


def _credential(request: web.Request) -> str | None:
    """What stands in the header Authorization; None without one. Raises Unauthenticated where it is no single token."""
    given = request.headers.getall("Authorization", [])
    if not given:
        return None
    scheme, _, credential = given[0].partition(" ")
    if len(given) > 1 or scheme.lower() != BEARER or not credential.strip():
        raise Unauthenticated("The header Authorization holds no token.", hint="Write: Authorization: Bearer nb_…")
    return credential.strip()


def peer_address(transport: asyncio.BaseTransport | None) -> str:
    """The address at the other end of the connection; an IPv4 address stays one where IPv6 carries it."""
    peer = transport.get_extra_info("peername") if transport is not None else None
    host = str(peer[0]) if isinstance(peer, tuple) and peer else ""
    with suppress(ValueError):
        found = ipaddress.ip_address(host.partition("%")[0])
        mapped = found.ipv4_mapped if found.version == 6 else None
        return str(mapped or found)
    return host
