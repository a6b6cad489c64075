"""Record of a run from the outside: messages requested, accepted and posted, and presses."""

import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from benchmarks.lab.attached import Attached, attached
from notifybot.times.clock import Clock

MARK = re.compile(r"\bm\d{7}\b")
LATER = 0.2
"""Share of messages that are scheduled, up to SOON_S ahead."""
SOON_S = 4.0


class Fate(StrEnum):
    """Fate of a message once it is posted."""

    NOTICE = "notice"
    """A notice: nobody has to react."""
    ANSWERED = "answered"
    """An alert that is acknowledged as soon as it is seen."""
    ANSWERED_LATE = "answered late"
    """An alert that is acknowledged in the escalation chat once it has escalated."""
    IGNORED = "ignored"
    """An alert that escalates and closes by timeout."""


SHARES = {Fate.NOTICE: 30, Fate.ANSWERED: 35, Fate.ANSWERED_LATE: 15, Fate.IGNORED: 20}
# escalate_after and close_after, in seconds
DEADLINES = {Fate.ANSWERED: (3, 60), Fate.ANSWERED_LATE: (1, 60), Fate.IGNORED: (2, 4)}


@dataclass(frozen=True)
class Wish:
    """A message to send. `mark` is its client_id, and part of its text to find it again."""

    mark: str
    chat_id: int
    fate: Fate
    files: tuple[Attached, ...] = ()
    send_at: str | None = None
    """ISO 8601; None: send at once."""

    @property
    def shown_files(self) -> list[bytes]:
        """Return the contents in the order in which they are posted: pictures first."""
        return [file.content for field in ("photo", "document") for file in self.files if file.field == field]

    @property
    def is_alert(self) -> bool:
        return self.fate is not Fate.NOTICE

    @property
    def body(self) -> dict[str, str | int | bool]:
        """Return the request's JSON, or the form's fields other than files."""
        fields: dict[str, str | int | bool] = {
            "caption" if self.files else "content": f"disk {self.mark} is full",
            "channel_id": self.chat_id,
            "source": "lab",
            "client_id": self.mark,
            "acknowledge": self.is_alert,
        }
        if self.is_alert:
            fields["escalate_after"], fields["close_after"] = DEADLINES[self.fate]
        if self.send_at is not None:
            fields["send_at"] = self.send_at
        return fields


@dataclass(frozen=True)
class Copy:
    """One Telegram message of a wish, or the first one of its album. `at`, in Unix seconds, is when Telegram
    accepted it. `part` is its content: the text, or files with or without the text."""

    chat_id: int
    message_id: int
    at: float
    part: str = "text"
    has_text: bool = True


@dataclass(frozen=True)
class Press:
    """One press of Acknowledge, `at` in Unix seconds."""

    user_id: int
    at: float


@dataclass
class Entry:
    """One wish and its outcome. `accepted_at`, in Unix seconds, is when the caller read the 2xx."""

    wish: Wish
    message_id: str | None = None
    accepted_at: float = 0.0
    other_ids: set[str] = field(default_factory=set)
    """Ids other than the first one that repeated requests returned."""
    copies: list[Copy] = field(default_factory=list)
    presses: list[Press] = field(default_factory=list)

    @property
    def is_shown(self) -> bool:
        """Return True if its text was posted."""
        return any(copy.has_text for copy in self.copies)


class Ledger:
    """All entries by their mark."""

    def __init__(self, rng: random.Random, chat_ids: Sequence[int]) -> None:
        self._rng = rng
        self._chat_ids = chat_ids
        self._last = 0
        self.entries: dict[str, Entry] = {}
        self._files: dict[str, tuple[Entry, int]] = {}

    def new_wish(self, chat_id: int | None = None) -> Entry:
        """Return a message with a random fate, for that chat or a random one."""
        self._last += 1
        fate = self._rng.choices(list(SHARES), list(SHARES.values()))[0]
        chosen = self._rng.choice(self._chat_ids) if chat_id is None else chat_id
        mark = f"m{self._last:07}"
        has_extras = chat_id is None
        files = attached(mark, self._rng) if has_extras else ()
        is_for_later = has_extras and self._rng.random() < LATER
        entry = Entry(Wish(mark, chosen, fate, files, _soon(self._rng) if is_for_later else None))
        self.entries[mark] = entry
        self._files |= {_digest(content): (entry, number) for number, content in enumerate(entry.wish.shown_files)}
        return entry

    @property
    def accepted(self) -> int:
        return sum(1 for entry in self.entries.values() if entry.message_id is not None)

    @property
    def unshown(self) -> int:
        """Return the number of accepted messages that are not posted yet."""
        return sum(1 for entry in self.entries.values() if entry.message_id is not None and not entry.is_shown)

    def owner_of(self, content: bytes) -> tuple[Entry, int] | None:
        """Return the entry of this file, and the file's position in it."""
        return self._files.get(_digest(content))

    def shown_in(self, text: str) -> Entry | None:
        """Return the entry with this text, or None if it is unknown or forgotten."""
        found = MARK.search(text)
        return None if found is None else self.entries.get(found.group())

    def forget(self, entries: Sequence[Entry]) -> None:
        """Drop judged entries, so that memory does not grow in a long run."""
        for entry in entries:
            del self.entries[entry.wish.mark]
            for content in entry.wish.shown_files:
                del self._files[_digest(content)]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _soon(rng: random.Random) -> str:
    """Return a time some seconds ahead; a daemon killed before it may or may not be back by then."""
    return (Clock().now() + timedelta(seconds=rng.uniform(0, SOON_S))).isoformat()
