"""Rate limit for wrong credentials, for each address."""

import hashlib
import ipaddress
import logging
from collections import OrderedDict, deque
from datetime import datetime, timedelta
from math import ceil

from notifybot.errors import TooManyRequests

BURST = 10
"""Wrong credentials that are checked without delay."""
INTERVAL = timedelta(seconds=5)
"""Interval after the burst."""
LONGEST_WAIT = timedelta(minutes=5)
"""Limit for callers who share an attacker's address."""
MAX_ADDRESSES = 4096
MAX_VALID = 1024
VALID_FOR = timedelta(minutes=10)
COUNTED_FOR = timedelta(hours=1)
MAX_COUNTED = 100_000
WARN_FROM = 20
IPV6_NETWORK = 64
"""Prefix bits: one host usually has a whole /64."""
log = logging.getLogger(__name__)


class Throttle:
    """Limits wrong credentials, of MAX_ADDRESSES addresses at most.

    A credential that was valid in the last VALID_FOR is always checked: behind a proxy all callers share an address,
    and an attacker there must not lock the others out.
    """

    def __init__(self) -> None:
        self._penalties: OrderedDict[str, datetime] = OrderedDict()
        """End of the penalty of each address."""
        self._valid: OrderedDict[bytes, datetime] = OrderedDict()
        self._failures: deque[datetime] = deque(maxlen=MAX_COUNTED)
        self._last_address = ""

    def move(self, step: timedelta) -> None:
        """Follow a step of the clock."""
        self._penalties = OrderedDict((network, at + step) for network, at in self._penalties.items())
        self._valid = OrderedDict((credential, at + step) for credential, at in self._valid.items())
        self._failures = deque((at + step for at in self._failures), maxlen=MAX_COUNTED)

    def check(self, address: str, credential: str, now: datetime) -> None:
        """Raise TooManyRequests if this address must wait."""
        ends_at = self._penalties.get(_network(address))
        if ends_at is None or ends_at - now <= (BURST - 1) * INTERVAL or self._was_valid(credential, now):
            return
        self._count(address, now)
        wait_s = ceil((ends_at - now - (BURST - 1) * INTERVAL).total_seconds())
        raise TooManyRequests(
            "Too many wrong credentials from this address.",
            hint=f"Try again in {wait_s} seconds.",
            retry_after_s=wait_s,
        )

    def note_valid(self, credential: str, now: datetime) -> None:
        key = _key(credential)
        self._valid[key] = now
        self._valid.move_to_end(key)
        if len(self._valid) > MAX_VALID:
            self._valid.popitem(last=False)

    def note_invalid(self, address: str, now: datetime) -> None:
        network = _network(address)
        ends_at = max(self._penalties.get(network, now), now) + INTERVAL
        self._penalties[network] = min(ends_at, now + LONGEST_WAIT)
        self._penalties.move_to_end(network)
        if len(self._penalties) > MAX_ADDRESSES:
            self._penalties.popitem(last=False)
        self._count(address, now)
        # One line each, for tools like fail2ban; the rate limit keeps them few.
        log.info("wrong credentials", extra={"action": "credentials_refused", "address": address})

    def _count(self, address: str, now: datetime) -> None:
        self._failures.append(now)
        self._last_address = address

    def warning(self, now: datetime) -> str | None:
        """Return a warning about the last hour, if it had WARN_FROM failures."""
        count = self._recent(now)
        if count < WARN_FROM:
            return None
        many = f"At least {count}" if count == MAX_COUNTED else str(count)
        return f"{many} wrong credentials over TCP in the last hour, most recently from {self._last_address}."

    def _recent(self, now: datetime) -> int:
        while self._failures and now - self._failures[0] > COUNTED_FOR:
            self._failures.popleft()
        return len(self._failures)

    def _was_valid(self, credential: str, now: datetime) -> bool:
        valid_at = self._valid.get(_key(credential))
        return valid_at is not None and now - valid_at <= VALID_FOR


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
