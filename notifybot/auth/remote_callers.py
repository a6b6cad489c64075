"""Callers on TCP: with an API token, a JWT of an existing dashboard, or anonymous on paths that the config opens."""

import asyncio
import ipaddress
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from aiohttp import web

from notifybot.auth import tokens
from notifybot.auth.local_callers import bounds
from notifybot.auth.permissions import Caller
from notifybot.auth.throttle import Throttle
from notifybot.config.model import Algorithm, Anonymous, Config, Jwt
from notifybot.errors import Unauthenticated, Unavailable
from notifybot.model.people import ApiToken
from notifybot.storage.database import Database
from notifybot.times.clock import Clock

BEARER = "bearer"
MAX_REASON = 200
_PROXY_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via", "Origin", "Sec-Fetch-Site")
"""Headers that proxies add, and browsers to the requests of pages."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Refusal:
    """A wrong credential. The reason is for the log: callers never learn it.

    `is_guess`: it was never valid, like a bad signature or an unknown token, and counts against its sender. Otherwise
    we or the dashboard issued it, but it is expired, revoked, or not meant for notifybot.
    """

    reason: str
    is_guess: bool


Verify = Callable[[str, datetime], str | Refusal]


class RemoteCallers:
    """Identifies callers on TCP. Their address is the connection's, never a header's."""

    def __init__(self, config: Config, database: Database, clock: Clock, *, allowed: frozenset[str] | None) -> None:
        self.throttle = Throttle()
        clock.on_step(self.throttle.move)
        self._database = database
        self._clock = clock
        self._accounts = config.accounts
        self._allowed = allowed
        self._verify = _verifier(config.http.jwt)
        self._anonymous = config.http.anonymous
        self._allowed_to_people = bounds(config.http.allow)

    async def caller(self, request: web.Request) -> Caller | None:
        """Return the caller; None without credentials on a closed path. Raise Unauthenticated or TooManyRequests."""
        credential, address = _credential(request), peer_address(request.transport)
        if credential is None:
            return self._anonymous_caller(request, address)
        now = self._clock.now()
        found = await self._bearer(credential, now)
        if isinstance(found, Caller):
            return found
        facts = {"action": "credential_refused", "reason": found.reason[:MAX_REASON], "address": address}
        log.info("credential refused", extra=facts)
        if found.is_guess:
            self.throttle.note_guess(address, credential, now)
        raise invalid_token()

    def _anonymous_caller(self, request: web.Request, address: str) -> Caller | None:
        """Return the caller that the config sets for this path and address.

        Requests through a proxy have the proxy's address, and a browser's may be made by another site: both are
        refused.
        """
        if not self._anonymous or any(name in request.headers for name in _PROXY_HEADERS):
            return None
        opened = next((each for each in self._anonymous if _opens(each, address, request.path)), None)
        return None if opened is None else Caller(opened.account, is_admin=False, allowed=self._allowed, is_local=False)

    def _person(self, account: str) -> Caller:
        return Caller(account, is_admin=False, allowed=self._allowed_to_people, is_local=False, is_person=True)

    async def _bearer(self, credential: str, now: datetime) -> Caller | Refusal:
        if credential.startswith(tokens.PREFIX):
            return await self._token_caller(credential, now)
        if self._verify is None:
            return Refusal("it is no API token, and http.jwt is not configured", is_guess=True)
        account = self._verify(credential, now)
        if isinstance(account, Refusal):
            return account
        return self._person(self._accounts.get(account, account))

    async def _token_caller(self, secret: str, now: datetime) -> Caller | Refusal:
        token = await self._database.read(partial(tokens.find, secret=secret))
        if token is None:
            return Refusal("there is no such API token", is_guess=True)
        if not tokens.is_valid(token, now):
            what = "expired" if token.revoked_at is None else "revoked"
            return Refusal(f"the API token {token.name} is {what}", is_guess=False)
        await self._record_use(token, now)
        return tokens.caller_with(token, allowed=self._allowed)

    async def _record_use(self, token: ApiToken, now: datetime) -> None:
        if not tokens.is_use_worth_recording(token, now):
            return
        with suppress(Unavailable):  # a full disk must not refuse a read
            await self._database.write(partial(tokens.record_use, token_id=token.id, now=now))


def _verifier(settings: Jwt | None) -> Verify | None:
    """Return the check of JWTs. Import its library only if JWTs are configured."""
    if settings is None:
        return None
    from notifybot.auth import jwt
    from notifybot.config import jwt_key

    file = None if settings.algorithm is Algorithm.HS256 else settings.public_key
    material = (settings.secret or "").encode() if file is None else file.read_bytes()
    trust = jwt.Trust(
        algorithm=settings.algorithm.value,
        key=jwt_key.read_key(settings.algorithm.value, material),
        issuer=settings.issuer,
        audience=settings.audience,
        account_claim=settings.account_claim,
        leeway=settings.leeway,
    )

    def verify(token: str, now: datetime) -> str | Refusal:
        try:
            return jwt.account_of(token, trust, now=now)
        except jwt.InvalidJwt as error:
            return Refusal(f"JWT: {error}", is_guess=not error.is_genuine)

    return verify


def _opens(opened: Anonymous, address: str, path: str) -> bool:
    found = _ip_address(address)
    is_near = found is not None and any(found in network for network in opened.networks)
    return is_near and any(_covers(pattern, path) for pattern in opened.paths)


def _covers(pattern: str, path: str) -> bool:
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern


def invalid_token() -> Unauthenticated:
    """Give no reason: it would help an attacker."""
    return Unauthenticated(
        "This token is wrong, expired or revoked.",
        hint="`notifybot token list` shows the valid ones; for a JWT, the daemon's log has the reason.",
        is_wrong=True,
    )


def _credential(request: web.Request) -> str | None:
    """Return the token in the header Authorization; None without it. Raise Unauthenticated unless it is one token."""
    given = request.headers.getall("Authorization", [])
    if not given:
        return None
    scheme, _, credential = given[0].partition(" ")
    if len(given) > 1 or scheme.lower() != BEARER or not credential.strip():
        raise Unauthenticated("The header Authorization has no bearer token.", hint="Send: Authorization: Bearer nb_…")
    return credential.strip()


def peer_address(transport: asyncio.BaseTransport | None) -> str:
    """Return the address at the other end; an IPv4 address also if it is mapped into IPv6."""
    return plain_address(transport.get_extra_info("peername") if transport is not None else None)


def plain_address(peer: object) -> str:
    """Return the address in a socket's name, as IPv4 if it is mapped into IPv6."""
    host = str(peer[0]) if isinstance(peer, tuple) and peer else ""
    return str(_ip_address(host) or host)


def _ip_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found
