"""Allowance of each caller: notices, alerts and bytes per minute. Counted in memory, before anything is stored."""

from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from math import ceil

from notifybot.auth.permissions import Caller

WINDOW_S = 60.0
"""A caller may use a minute's allowance at once; it refills evenly."""
FURTHEST_S = 3600.0
"""Nobody is this far over: the clock was set back since."""
ROUNDING_S = 1e-4
MAX_ACCOUNTS = 4096
"""Accounts remembered. The least recently active one is forgotten, and starts with its whole allowance again."""
COUNTED_MINUTES = 60
MAX_NAMED = 5


class Allowed(StrEnum):
    """Kind of what is counted; the value is its key in the config."""

    MESSAGES = "messages_per_minute"
    """All that are not alerts."""
    ALERTS = "alerts_per_minute"
    BYTES = "bytes_per_minute"


class _Usage:
    """Usage of one account."""

    __slots__ = ("paces", "refused")

    def __init__(self) -> None:
        self.paces: dict[Allowed, float] = {}
        """When each allowance is whole again, in Unix seconds (the generic cell rate algorithm)."""
        self.refused: dict[int, int] = {}
        """Number of refusals in each minute."""


class Allowances:
    """Keeps the allowances; `per_minute` is the config's."""

    def __init__(self, per_minute: Mapping[Allowed, int]) -> None:
        self._seconds_each = {kind: WINDOW_S / limit for kind, limit in per_minute.items()}
        self._usage: OrderedDict[str, _Usage] = OrderedDict()

    def take(self, caller: Caller, kind: Allowed, amount: int, now: datetime) -> int | None:
        """Use some of a caller's allowance. If it is used up, return in how many seconds to retry.

        The last use may go over, and delays the next one. Admins have no limit.
        """
        if caller.is_admin:
            return None
        usage, moment = self._of(caller.account), now.timestamp()
        pace = max(usage.paces.get(kind, moment), moment)
        if pace - moment > FURTHEST_S:
            pace = moment
        if (over_s := pace - moment + self._seconds_each[kind] - WINDOW_S) > ROUNDING_S:
            _count(usage, int(moment // 60))
            return max(1, ceil(over_s))
        usage.paces[kind] = pace + amount * self._seconds_each[kind]
        return None

    def warning(self, now: datetime) -> str | None:
        """Return who was refused in the last hour, and how often."""
        first = int(now.timestamp() // 60) - COUNTED_MINUTES
        counts = {
            account: sum(count for minute, count in usage.refused.items() if minute > first)
            for account, usage in self._usage.items()
        }
        found = sorted(((count, account) for account, count in counts.items() if count), reverse=True)
        if not found:
            return None
        named = [f"{account} ({count} refused)" for count, account in found[:MAX_NAMED]]
        more = [f"{len(found) - MAX_NAMED} more"] if len(found) > MAX_NAMED else []
        return f"Callers over their allowance in the last hour: {', '.join([*named, *more])}."

    def _of(self, account: str) -> _Usage:
        usage = self._usage.get(account)
        if usage is None:
            usage = self._usage[account] = _Usage()
            if len(self._usage) > MAX_ACCOUNTS:
                self._usage.popitem(last=False)
        self._usage.move_to_end(account)
        return usage


def _count(usage: _Usage, minute: int) -> None:
    usage.refused[minute] = usage.refused.get(minute, 0) + 1
    if len(usage.refused) > COUNTED_MINUTES:
        del usage.refused[min(usage.refused)]
