"""Wrong credentials: counted, and slowed for the address that they come from."""

import hashlib
import ipaddress
import logging
from collections import OrderedDict, deque
from datetime import datetime, timedelta
from math import ceil

from notifybot.errors import TooManyRequests

BURST = 10
"""So many wrong ones in a row are looked at as they come."""
EVERY = timedelta(seconds=5)
"""After that one in so long."""
LONGEST_WAIT = timedelta(minutes=5)
"""Whoever shares a guesser's address waits no longer than this."""
MOST_ADDRESSES = 4096
MOST_KNOWN = 1024
KNOWN_FOR = timedelta(minutes=10)
COUNTED_FOR = timedelta(hours=1)
MOST_COUNTED = 100_000
WORTH_A_WARNING = 20
IPV6_NETWORK = 64
"""Bits: whoever has one IPv6 address has all of these."""
log = logging.getLogger(__name__)


class Throttle:
    """Who has shown something wrong lately, at most MOST_ADDRESSES of them.

    A credential that held a moment ago is looked at in any case: behind a proxy everybody has one address, and a
    guesser there must not lock the others out.
    """

    def __init__(self) -> None:
        self._settled: OrderedDict[str, datetime] = OrderedDict()
        """By address: when all its wrong credentials will have been waited for."""
        self._known: OrderedDict[bytes, datetime] = OrderedDict()
        self._wrong: deque[datetime] = deque(maxlen=MOST_COUNTED)
        self._last_address = ""

    def look(self, address: str, credential: str, now: datetime) -> None:
        """Let a credential be looked at. Raises TooManyRequests."""
        settled = self._settled.get(_network(address))
        if settled is None or settled - now <= (BURST - 1) * EVERY or self._held_lately(credential, now):
            return
        self._count(address, now)
        wait_s = ceil((settled - now - (BURST - 1) * EVERY).total_seconds())
        raise TooManyRequests(
            "Too many wrong credentials came from this address.",
            hint=f"Try again in {wait_s} seconds, with the right one.",
            retry_after_s=wait_s,
        )

    def held(self, credential: str, now: datetime) -> None:
        """Note that a credential was right."""
        key = _key(credential)
        self._known[key] = now
        self._known.move_to_end(key)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)

    def failed(self, address: str, now: datetime) -> None:
        """Note that a credential was wrong."""
        network = _network(address)
        settled = max(self._settled.get(network, now), now) + EVERY
        self._settled[network] = min(settled, now + LONGEST_WAIT)
        self._settled.move_to_end(network)
        if len(self._settled) > MOST_ADDRESSES:
            self._settled.popitem(last=False)
        self._count(address, now)
        # One line each, for programs that watch the log for guessers; the slowing keeps them few.
        log.info("wrong credentials", extra={"action": "credentials_refused", "address": address})

    def _count(self, address: str, now: datetime) -> None:
        self._wrong.append(now)
        self._last_address = address

    def warning(self, now: datetime) -> str | None:
        """What the operator should know of the last hour."""
        count = self._lately(now)
        if count < WORTH_A_WARNING:
            return None
        many = f"At least {count}" if count == MOST_COUNTED else str(count)
        return f"{many} wrong credentials came over TCP within an hour, the last ones from {self._last_address}."

    def _lately(self, now: datetime) -> int:
        while self._wrong and now - self._wrong[0] > COUNTED_FOR:
            self._wrong.popleft()
        return len(self._wrong)

    def _held_lately(self, credential: str, now: datetime) -> bool:
        held_at = self._known.get(_key(credential))
        return held_at is not None and now - held_at <= KNOWN_FOR


def _key(credential: str) -> bytes:
    return hashlib.sha256(credential.encode("utf-8", "surrogateescape")).digest()


def _network(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return address
    return str(ipaddress.ip_network((found, IPV6_NETWORK), strict=False))
