"""Queue of updates: kept for 24 hours, confirmed by a higher offset, polled or pushed to a webhook."""

import json
from collections import deque
from dataclasses import dataclass

from notifybot.sandbox.values import JsonObject
from notifybot.sandbox.world.signals import Signal

KEPT_S = 24 * 3600.0
FIRST_UPDATE_ID = 800_000_001
# Telegram limits a getUpdates response to 4 MiB.
MAX_ANSWER_BYTES = 1 << 22

KINDS = frozenset(
    {
        "message",
        "edited_message",
        "channel_post",
        "edited_channel_post",
        "business_connection",
        "business_message",
        "edited_business_message",
        "deleted_business_messages",
        "guest_message",
        "message_reaction",
        "message_reaction_count",
        "inline_query",
        "chosen_inline_result",
        "callback_query",
        "shipping_query",
        "pre_checkout_query",
        "purchased_paid_media",
        "poll",
        "poll_answer",
        "my_chat_member",
        "chat_member",
        "chat_join_request",
        "chat_boost",
        "removed_chat_boost",
        "managed_bot",
    }
)
DEFAULT_KINDS = KINDS - {"chat_member", "message_reaction", "message_reaction_count"}


@dataclass(frozen=True, slots=True)
class Update:
    """An update as delivered; `at` in Unix seconds."""

    update_id: int
    at: float
    body: JsonObject

    @property
    def size(self) -> int:
        return len(json.dumps(self.body))


class UpdateQueue:
    """Unconfirmed updates, oldest first."""

    def __init__(self) -> None:
        self.allowed = DEFAULT_KINDS
        self.arrived = Signal()
        self._waiting: deque[Update] = deque()
        self._next_id = FIRST_UPDATE_ID

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, kind: str, payload: JsonObject, now: float) -> None:
        """Queue an update; drop kinds that the bot did not ask for, as Telegram does."""
        if kind not in self.allowed:
            return
        self._waiting.append(Update(self._next_id, now, {"update_id": self._next_id, kind: payload}))
        self._next_id += 1
        self.arrived.fire()

    def allow(self, kinds: list[object] | None) -> None:
        """Choose the kinds to queue from now on. None changes nothing; no known kind means the default."""
        if kinds is not None:
            self.allowed = KINDS.intersection(str(kind) for kind in kinds) or DEFAULT_KINDS

    def fetch(self, offset: int, limit: int, now: float) -> list[JsonObject]:
        """Drop the updates that `offset` confirms, and return at most `limit` from there.

        A negative offset counts from the end of the queue. An offset past the next update confirms nothing.
        """
        self._expire(now)
        start = self._next_id + offset if offset < 0 else offset
        if start <= self._next_id:
            self._forget_before(start)
        return self._first(limit)

    def first(self, now: float) -> Update | None:
        """Return the oldest update without confirming it."""
        self._expire(now)
        return self._waiting[0] if self._waiting else None

    def confirm(self, update_id: int) -> None:
        """Drop an update and all before it."""
        self._forget_before(update_id + 1)

    def clear(self) -> None:
        self._waiting.clear()

    def _forget_before(self, update_id: int) -> None:
        while self._waiting and self._waiting[0].update_id < update_id:
            self._waiting.popleft()

    def _expire(self, now: float) -> None:
        while self._waiting and self._waiting[0].at < now - KEPT_S:
            self._waiting.popleft()

    def _first(self, limit: int) -> list[JsonObject]:
        chosen: list[JsonObject] = []
        room = MAX_ANSWER_BYTES
        for update, _ in zip(self._waiting, range(limit), strict=False):
            room -= update.size
            if room <= 0:
                break
            chosen.append(update.body)
        return chosen
