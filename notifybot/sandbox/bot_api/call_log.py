"""Log every Bot API call, so that tests can prove pacing, duplicates and calls during bans."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from notifybot.sandbox.values import JsonObject

KEPT_CALLS = 200_000


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `at` is its arrival in Unix seconds, `status` the HTTP status, 0 without a response.

    `message_id` is set if a message was sent or changed, even if the response was then cut.
    """

    n: int
    at: float
    method: str
    chat_id: int | str | None
    params: JsonObject
    status: int
    description: str | None
    message_id: int | None

    @property
    def is_accepted(self) -> bool:
        """Return True if Telegram carried out the call, even if the bot did not get the response."""
        return self.status == 200 or (self.status == 0 and self.message_id is not None)

    def as_event(self) -> JsonObject:
        return {"method": self.method, "chat_id": self.chat_id, "status": self.status, "at": self.at}

    def as_json(self) -> JsonObject:
        return {
            "n": self.n,
            "at": self.at,
            "method": self.method,
            "chat_id": self.chat_id,
            "params": self.params,
            "status": self.status,
            "description": self.description,
            "message_id": self.message_id,
        }


class CallLog:
    """The newest KEPT_CALLS calls, in order of completion."""

    def __init__(self) -> None:
        self.last = 0
        self._calls: deque[Call] = deque(maxlen=KEPT_CALLS)

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[Call]:
        return iter(self._calls)

    @property
    def next_n(self) -> int:
        """Return the number for the next call."""
        return self.last + 1

    def add(self, call: Call) -> None:
        self.last = call.n
        self._calls.append(call)

    def since(self, n: int) -> list[Call]:
        """List the kept calls after number `n`."""
        newest_first = islice(reversed(self._calls), max(0, self.last - n))
        return list(newest_first)[::-1]

    def of(self, method: str, *, chat_id: int | None = None) -> list[Call]:
        """List the calls of one method, in one chat if given."""
        return [call for call in self._calls if call.method == method and chat_id in (None, call.chat_id)]
