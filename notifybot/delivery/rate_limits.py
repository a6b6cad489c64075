"""Telegram's rate limits: the figures, the limits for each chat, and the arithmetic that keeps them.

A limit is kept by one instant, its *pace*: when a perfectly even stream of the calls so far would be allowed the next
one (the generic cell rate algorithm). The pace is stored in a row, and a claim writes it before the call goes out, so
the limits hold across restarts.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

OVERALL_PER_SECOND = 30
"""For the whole bot. Telegram publishes these three figures: https://core.telegram.org/bots/faq"""
CHAT_PER_SECOND = 1
"""To one chat; short bursts are tolerated."""
GROUP_PER_MINUTE = 20
"""To one group or channel."""

OVERALL_BURST = 1.25
CHAT_BURST = 3
GROUP_BURST = 3
ALERT_SHARE = 0.25
"""Share of a group's budget that is reserved for alerts."""
JITTER = timedelta(milliseconds=30)
"""Added to a second: its first call may be slow on its way, and the first of the next second fast."""
MINUTE_MARGIN = timedelta(seconds=1)
"""Added to a group's minute, for the same reason."""
MAX_EARLY_CLAIM = timedelta(seconds=1)
"""No call is claimed this long before it may leave."""


@dataclass(frozen=True)
class RateLimit:
    """At most `burst` calls at once, then one every `interval`: in any span S at most burst + S/interval.

    Half a call in `burst` keeps the stream even when a call is late by half an interval.
    """

    interval: timedelta
    burst: float

    def next_allowed(self, pace: datetime | None, now: datetime) -> datetime:
        """Return when the next call is allowed; `now` or earlier means at once."""
        pace = self._plausible(pace, now)
        if pace is None:
            return now
        return pace - self.interval * (self.burst - 1)

    def after_call(self, pace: datetime | None, now: datetime) -> datetime:
        """Return the pace after one call at `now`."""
        pace = self._plausible(pace, now)
        return (now if pace is None else max(pace, now)) + self.interval

    def _plausible(self, pace: datetime | None, now: datetime) -> datetime | None:
        """Drop a pace that is later than calls can have moved it: the clock was set back since, and nobody should wait
        for the old time to come again."""
        return None if pace is not None and pace - now > self.interval * (self.burst + 1) + MAX_EARLY_CLAIM else pace


class ChatPaces(NamedTuple):
    """The stored paces of one chat. `quiet` counts a group's posts that are not alerts."""

    chat: datetime | None
    group: datetime | None
    quiet: datetime | None


@dataclass(frozen=True)
class RateLimits:
    """All limits, a little below Telegram's figures so that jitter on the way does not cost a 429."""

    overall: RateLimit
    chat: RateLimit
    group: RateLimit
    group_quiet: RateLimit
    """For everything but alerts in a group: ALERT_SHARE stays free."""

    def next_allowed(self, paces: ChatPaces, now: datetime, *, is_group: bool, is_alert: bool) -> datetime:
        """Return when this chat may be called; `now` or earlier means at once."""
        times = [self.chat.next_allowed(paces.chat, now)]
        if is_group:
            times.append(self.group.next_allowed(paces.group, now))
        if is_group and not is_alert:
            times.append(self.group_quiet.next_allowed(paces.quiet, now))
        return max(times)

    def after_call(self, paces: ChatPaces, now: datetime, *, is_group: bool, is_alert: bool) -> ChatPaces:
        """Return the chat's paces after one call at `now`."""
        return ChatPaces(
            chat=self.chat.after_call(paces.chat, now),
            group=self.group.after_call(paces.group, now) if is_group else paces.group,
            quiet=self.group_quiet.after_call(paces.quiet, now) if is_group and not is_alert else paces.quiet,
        )


def rate_limits(
    *,
    overall_per_second: float = OVERALL_PER_SECOND,
    chat_per_second: float = CHAT_PER_SECOND,
    group_per_minute: float = GROUP_PER_MINUTE,
) -> RateLimits:
    """Work out the limits from the figures. The overall limit carries 96 % of 30 calls per second."""
    minute, second = timedelta(minutes=1) + MINUTE_MARGIN, timedelta(seconds=1)
    return RateLimits(
        overall=_overall(overall_per_second),
        chat=RateLimit(_every(second, chat_per_second), burst=CHAT_BURST),
        group=_limit(group_per_minute, minute, burst=GROUP_BURST),
        group_quiet=_limit(group_per_minute * (1 - ALERT_SHARE), minute, burst=GROUP_BURST),
    )


def _overall(per_second: float) -> RateLimit:
    """Build the bot-wide limit: an even rate, reduced by the burst allowed after a late call."""
    second = timedelta(seconds=1)
    if per_second < 2:
        return RateLimit(_every(second, min(per_second, 1.0)), burst=1)
    return RateLimit(_every(second + JITTER, per_second - (OVERALL_BURST - 1)), OVERALL_BURST)


def _limit(calls: float, span: timedelta, *, burst: int) -> RateLimit:
    """Allow at most `calls` in any `span`. All but one call of a burst are taken off the even stream, as they fall into
    the same span."""
    if calls < 1:
        return RateLimit(_every(span, calls), burst=1)
    burst = min(burst, int(calls))
    return RateLimit(_every(span, int(calls) - (burst - 1)), burst)


def _every(span: timedelta, calls: float) -> timedelta:
    """Return the interval of an even stream, rounded up: a microsecond less would let one call too many into a span."""
    return timedelta(microseconds=math.ceil(span / timedelta(microseconds=1) / calls))


FIRST_BACKOFF = timedelta(seconds=1)
MAX_BACKOFF = timedelta(minutes=1)


def backoff(errors: int, *, jitter: float) -> timedelta:
    """Return the wait after the `errors`-th failure in a row (from 1): 1 s doubling to 1 min, ± 25 %.

    `jitter` is uniform in [0, 1), drawn by the caller.
    """
    doubled = min(FIRST_BACKOFF * (1 << min(errors - 1, 10)), MAX_BACKOFF)
    return doubled * (0.75 + jitter / 2)
