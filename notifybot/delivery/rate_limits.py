"""Telegram's limits as data, and the arithmetic that keeps them.

A limit is kept by one instant, its *pace*: the moment at which a perfectly even stream of the calls so far would
be allowed the next one (the generic cell rate algorithm). The pace lies in a row, and a claim writes it before the
call goes out, so that a restart knows what was called before it.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

EARLY = timedelta(seconds=1)
"""No call is claimed so long before it may leave."""


@dataclass(frozen=True)
class RateLimit:
    """At most `burst` calls at once, then one every `interval`: in any span S at most burst + S/interval.

    Half a call in `burst` lets a call that comes late by half an interval leave the even stream as it is.
    """

    interval: timedelta
    burst: float

    def open_at(self, pace: datetime | None, now: datetime) -> datetime:
        """When the next call is allowed; `now` or earlier means at once."""
        pace = self._believed(pace, now)
        if pace is None:
            return now
        return pace - self.interval * (self.burst - 1)

    def advanced(self, pace: datetime | None, now: datetime) -> datetime:
        """The pace after one call at `now`."""
        pace = self._believed(pace, now)
        return (now if pace is None else max(pace, now)) + self.interval

    def _believed(self, pace: datetime | None, now: datetime) -> datetime | None:
        """None for a pace that lies further ahead than calls can have brought it: the clock was set back since, and
        nobody may have to wait for the old time to come again."""
        return None if pace is not None and pace - now > self.interval * (self.burst + 1) + EARLY else pace


@dataclass(frozen=True)
class RateLimits:
    """What Telegram allows, a little below its word so that jitter on the way costs no 429."""

    overall: RateLimit
    chat: RateLimit
    group: RateLimit
    group_quiet: RateLimit
    """What everything but alerts may use of a group: a quarter stays free for alerts."""


OVERALL_BURST = 1.25
JITTER = timedelta(milliseconds=30)
"""A second's first call may be slow on its way, and the first of the next one fast."""
CHAT_BURST = 3
GROUP_BURST = 3
MINUTE_MARGIN = timedelta(seconds=1)
"""The same for a group's minute."""
ALERT_SHARE = 0.25


def rate_limits(*, overall_per_second: float, chat_per_second: float, group_per_minute: float) -> RateLimits:
    """Work out the limits from Telegram's figures. The overall one carries 96 % of 30 a second."""
    minute, second = timedelta(minutes=1) + MINUTE_MARGIN, timedelta(seconds=1)
    return RateLimits(
        overall=_overall(overall_per_second),
        chat=RateLimit(_every(second, chat_per_second), burst=CHAT_BURST),
        group=_limit(group_per_minute, minute, burst=GROUP_BURST),
        group_quiet=_limit(group_per_minute * (1 - ALERT_SHARE), minute, burst=GROUP_BURST),
    )


def _overall(per_second: float) -> RateLimit:
    """An even stream; what may be caught up after a late call is taken off it."""
    second = timedelta(seconds=1)
    if per_second < 2:
        return RateLimit(_every(second, min(per_second, 1.0)), burst=1)
    return RateLimit(_every(second + JITTER, per_second - (OVERALL_BURST - 1)), OVERALL_BURST)


def _limit(calls: float, span: timedelta, *, burst: int) -> RateLimit:
    """At most `calls` in any `span`, one where it is less: all but one of a burst are taken off the even stream, for
    they show in the same span."""
    if calls < 1:
        return RateLimit(_every(span, calls), burst=1)
    burst = min(burst, int(calls))
    return RateLimit(_every(span, int(calls) - (burst - 1)), burst)


def _every(span: timedelta, calls: float) -> timedelta:
    """The interval of an even stream, rounded up: a microsecond too short would let one call too many into a span."""
    return timedelta(microseconds=math.ceil(span / timedelta(microseconds=1) / calls))


FIRST_BACKOFF = timedelta(seconds=1)
LONGEST_BACKOFF = timedelta(minutes=1)


def backoff(errors: int, *, jitter: float) -> timedelta:
    """How long to wait after the `errors`-th failure in a row (from 1): 1 s doubling to 1 min, ± 25 %.

    `jitter` is uniform in [0, 1); the caller draws it, so that this stays pure.
    """
    doubled = min(FIRST_BACKOFF * (1 << min(errors - 1, 10)), LONGEST_BACKOFF)
    return doubled * (0.75 + jitter / 2)
