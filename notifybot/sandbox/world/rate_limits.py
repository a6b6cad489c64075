"""Telegram's pacing as pure buckets: what a bot may send, how long a ban lasts, who called into it.

Telegram publishes about 30 messages a second overall, one a second in a chat with short bursts, and 20 a minute in a
group. What a chat bears in a burst is not published; CHAT_BURST is an estimate.
"""

import math
from collections import deque
from dataclasses import dataclass, field

from notifybot.sandbox.values import JsonObject

OVERALL_PER_SECOND = 30
GROUP_PER_MINUTE = 20
CHAT_INTERVAL_S = 1.0
CHAT_BURST = 5
# Telegram punishes bots that go on calling; each call into a ban makes it this much longer.
PROLONGED_BY_S = 1
# Calls for other chats that were on their way when a ban of all chats began are refused, but not held against the bot.
ON_THE_WAY_S = 0.25


@dataclass(slots=True)
class Window:
    """At most `count` calls in any `seconds`."""

    count: int
    seconds: float
    taken: deque[float] = field(default_factory=deque)

    def wait(self, now: float, count: int = 1) -> float:
        """Seconds until `count` more calls fit; 0 when they fit now."""
        while self.taken and self.taken[0] <= now - self.seconds:
            self.taken.popleft()
        too_many = len(self.taken) + min(count, self.count) - self.count
        return 0.0 if too_many <= 0 else self.taken[too_many - 1] + self.seconds - now

    def take(self, now: float, count: int = 1) -> None:
        self.taken.extend([now] * count)


@dataclass(slots=True)
class Bucket:
    """One call each `interval` seconds, and up to `burst` at once after a rest. `full_at`: when it is at rest again."""

    interval: float
    burst: int
    full_at: float = 0.0

    def wait(self, now: float, count: int = 1) -> float:
        """Seconds until `count` more calls fit, or as many as fit after a rest; 0 when they fit now."""
        return max(0.0, self.full_at - now - (self.burst - min(count, self.burst)) * self.interval)

    def take(self, now: float, count: int = 1) -> None:
        self.full_at = max(self.full_at, now) + count * self.interval


@dataclass(slots=True)
class Ban:
    """Calls that match are refused before `until`, and held against the bot from `known_at` on (Unix seconds).

    No chat means every chat.
    """

    until: float
    known_at: float
    chat_id: int | None = None
    method: str | None = None

    def covers(self, method: str, chat_id: int | None, *, is_paced: bool) -> bool:
        """Whether this call runs into the ban: one for a method covers that, any other all that is paced."""
        if self.method is not None and self.method != method:
            return False
        if self.method is None and not is_paced:
            return False
        return self.chat_id is None or self.chat_id == chat_id

    def as_json(self) -> JsonObject:
        return {"chat_id": self.chat_id, "method": self.method, "until": self.until}


class Limits:
    """All buckets and bans of one bot. `calls_into_ban` counts the calls that came while a ban was known."""

    def __init__(self, *, enabled: bool = True) -> None:
        self.enabled = enabled
        self.bans: list[Ban] = []
        self.calls_into_ban = 0
        self._overall = Window(OVERALL_PER_SECOND, 1.0)
        self._chats: dict[int, Bucket] = {}
        self._groups: dict[int, Window] = {}

    def ban(self, seconds: int, now: float, *, chat_id: int | None = None, method: str | None = None) -> None:
        """Refuse from now on what the ban covers."""
        known_at = now if chat_id is not None else now + ON_THE_WAY_S
        self.bans.append(Ban(now + seconds, known_at, chat_id, method))

    def active_bans(self, now: float) -> list[Ban]:
        """List the bans that are not over, and forget the others."""
        self.bans = [ban for ban in self.bans if ban.until > now]
        return self.bans

    def banned_for(self, method: str, chat_id: int | None, now: float, *, is_paced: bool) -> int:
        """Whole seconds that a ban still forbids this call, 0 if none does. Calls into a known ban prolong it."""
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
        """Count one call in a chat, of `count` messages. Returns 0, or the whole seconds of the ban that it earned."""
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
