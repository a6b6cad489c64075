"""Telegram's rate limits as pure buckets: allowance, bans, and calls during bans.

Telegram documents about 30 messages per second overall, one per second in a chat with short bursts, and 20 per minute
in a group. The size of a burst is not documented; CHAT_BURST is an estimate.
"""

import math
from collections import deque
from dataclasses import dataclass, field

from notifybot.sandbox.values import JsonObject

OVERALL_PER_SECOND = 30
GROUP_PER_MINUTE = 20
CHAT_INTERVAL_S = 1.0
CHAT_BURST = 5
# Telegram punishes bots that keep calling: each call during a ban extends it by this much.
PROLONGED_BY_S = 1
# Calls for other chats in flight when a global ban starts are refused, but do not count against the bot.
ON_THE_WAY_S = 0.25


@dataclass(slots=True)
class Window:
    """At most `count` calls in any `seconds`."""

    count: int
    seconds: float
    taken: deque[float] = field(default_factory=deque)

    def wait(self, now: float, count: int = 1) -> float:
        """Return the seconds until `count` more calls fit, 0 for now."""
        while self.taken and self.taken[0] <= now - self.seconds:
            self.taken.popleft()
        too_many = len(self.taken) + min(count, self.count) - self.count
        return 0.0 if too_many <= 0 else self.taken[too_many - 1] + self.seconds - now

    def take(self, now: float, count: int = 1) -> None:
        self.taken.extend([now] * count)


@dataclass(slots=True)
class Bucket:
    """One call each `interval` seconds, or up to `burst` at once after a pause. It is full again at `full_at`."""

    interval: float
    burst: int
    full_at: float = 0.0

    def wait(self, now: float, count: int = 1) -> float:
        """Return the seconds until `count` more calls fit (at most a full burst), 0 for now."""
        return max(0.0, self.full_at - now - (self.burst - min(count, self.burst)) * self.interval)

    def take(self, now: float, count: int = 1) -> None:
        self.full_at = max(self.full_at, now) + count * self.interval


@dataclass(slots=True)
class Ban:
    """Matching calls are refused until `until`, and count against the bot from `known_at` (Unix seconds).

    No chat means every chat.
    """

    until: float
    known_at: float
    chat_id: int | None = None
    method: str | None = None

    def covers(self, method: str, chat_id: int | None, *, is_paced: bool) -> bool:
        """Return True if the ban covers this call. A ban without a method covers all paced calls."""
        if self.method is not None and self.method != method:
            return False
        if self.method is None and not is_paced:
            return False
        return self.chat_id is None or self.chat_id == chat_id

    def as_json(self) -> JsonObject:
        return {"chat_id": self.chat_id, "method": self.method, "until": self.until}


class Limits:
    """Buckets and bans of one bot. `calls_into_ban` counts the calls during a known ban."""

    def __init__(self, *, enabled: bool = True) -> None:
        self.enabled = enabled
        self.bans: list[Ban] = []
        self.calls_into_ban = 0
        self._overall = Window(OVERALL_PER_SECOND, 1.0)
        self._chats: dict[int, Bucket] = {}
        self._groups: dict[int, Window] = {}

    def ban(self, seconds: int, now: float, *, chat_id: int | None = None, method: str | None = None) -> None:
        """Start a ban."""
        known_at = now if chat_id is not None else now + ON_THE_WAY_S
        self.bans.append(Ban(now + seconds, known_at, chat_id, method))

    def active_bans(self, now: float) -> list[Ban]:
        """List active bans and drop expired ones."""
        self.bans = [ban for ban in self.bans if ban.until > now]
        return self.bans

    def banned_for(self, method: str, chat_id: int | None, now: float, *, is_paced: bool) -> int:
        """Return the whole seconds that this call is banned, 0 for none. A call during a known ban extends it."""
        if not self.bans:
            return 0
        hit = [ban for ban in self.active_bans(now) if ban.covers(method, chat_id, is_paced=is_paced)]
        if not hit:
            return 0
        longest = max(hit, key=lambda ban: ban.until)
        if longest.known_at <= now:
            self.calls_into_ban += 1
            longest.until += PROLONGED_BY_S
        return math.ceil(longest.until - now)

    def take(self, chat_id: int, now: float, *, is_group: bool, count: int = 1) -> int:
        """Count a call of `count` messages. Return 0, or the whole seconds of the ban that it causes."""
        if not self.enabled:
            return 0
        chat = self._chats.setdefault(chat_id, Bucket(CHAT_INTERVAL_S, CHAT_BURST))
        own: list[Window | Bucket] = [chat]
        if is_group:
            own.append(self._groups.setdefault(chat_id, Window(GROUP_PER_MINUTE, 60.0)))
        if wait := max(bucket.wait(now, count) for bucket in own):
            return self._earned(wait, now, chat_id)
        if wait := self._overall.wait(now, count):
            return self._earned(wait, now, None)
        for bucket in (*own, self._overall):
            bucket.take(now, count)
        return 0

    def _earned(self, wait: float, now: float, chat_id: int | None) -> int:
        seconds = math.ceil(wait)
        self.ban(seconds, now, chat_id=chat_id)
        return seconds
