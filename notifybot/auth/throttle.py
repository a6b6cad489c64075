"""Rate limit for guesses: credentials that were never valid, for each address and kind of credential."""

import ipaddress
import logging
from collections import OrderedDict, deque
from datetime import datetime, timedelta
from math import ceil

from notifybot.errors import TooManyRequests

BURST = 10
"""Guesses that are answered with 401 without delay."""
INTERVAL = timedelta(seconds=5)
"""Interval after the burst."""
LONGEST_WAIT = timedelta(minutes=5)
MAX_GUESSERS = 4096
PREFIXES = ("nb_", "eyJ")
"""Beginnings of API tokens and JWTs. All other credentials count together."""
COUNTED_FOR = timedelta(hours=1)
MAX_COUNTED = 100_000
WARN_FROM = 20
IPV6_NETWORK = 64
"""Prefix bits: one host usually has a whole /64."""
log = logging.getLogger(__name__)


class Throttle:
    """Limits guesses, of MAX_GUESSERS at most.

    Only call it for wrong credentials: a right one is always let in, since behind a proxy all callers share an address,
    and an attacker or a broken client there must not lock the others out. So this does not hide from a guesser that a
    guess is right, which 256 random bits do; it keeps the log short, and makes broken clients slow down.
    """

    def __init__(self) -> None:
        self._penalties: OrderedDict[tuple[str, str], datetime] = OrderedDict()
        """End of the penalty of each guesser."""
        self._failures: deque[datetime] = deque(maxlen=MAX_COUNTED)
        self._last_address = ""

    def note_guess(self, address: str, credential: str, now: datetime) -> None:
        """Count a guess. Raise TooManyRequests if its guesser must wait."""
        self._count(address, now)
        guesser = (_network(address), next((each for each in PREFIXES if credential.startswith(each)), ""))
        ends_at = max(self._penalties.get(guesser, now), now)
        if ends_at - now > (BURST - 1) * INTERVAL:
            wait_s = ceil((ends_at - now - (BURST - 1) * INTERVAL).total_seconds())
            raise TooManyRequests(
                "Too many wrong credentials from this address.",
                hint=f"Try again in {wait_s} seconds. A right credential is accepted at once.",
                retry_after_s=wait_s,
            )
        self._penalties[guesser] = min(ends_at + INTERVAL, now + LONGEST_WAIT)
        self._penalties.move_to_end(guesser)
        if len(self._penalties) > MAX_GUESSERS:
            self._penalties.popitem(last=False)
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


def _network(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return address
    return str(ipaddress.ip_network((found, IPV6_NETWORK), strict=False))
