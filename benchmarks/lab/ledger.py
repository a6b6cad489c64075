"""What the outside world knows: what was asked, what was accepted, what stood in the chats, and who pressed."""

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
"""So many are meant for a moment that lies up to SOON_S ahead."""
SOON_S = 4.0


class Fate(StrEnum):
    """What happens to a message once people see it."""

    NOTICE = "notice"
    """Nothing is asked of anybody."""
    ANSWERED = "answered"
    """An alert that somebody answers as soon as it is seen."""
    ANSWERED_LATE = "answered late"
    """An alert that is left alone until it has escalated, and then answered in the escalation chat."""
    IGNORED = "ignored"
    """An alert that escalates and is closed by time."""


SHARES = {Fate.NOTICE: 30, Fate.ANSWERED: 35, Fate.ANSWERED_LATE: 15, Fate.IGNORED: 20}
# escalate_after and close_after in seconds.
DEADLINES = {Fate.ANSWERED: (3, 60), Fate.ANSWERED_LATE: (1, 60), Fate.IGNORED: (2, 4)}


@dataclass(frozen=True)
class Wish:
    """A message that a caller is to hand over. `mark` is its client_id, and stands in its text to find it again."""

    mark: str
    chat_id: int
    fate: Fate
    files: tuple[Attached, ...] = ()
    send_at: str | None = None
    """ISO 8601; None: at once."""

    @property
    def shown_files(self) -> list[bytes]:
        """Their contents as they stand in a chat: pictures first."""
        return [file.content for field in ("photo", "document") for file in self.files if file.field == field]

    @property
    def is_alert(self) -> bool:
        return self.fate is not Fate.NOTICE

    @property
    def body(self) -> dict[str, str | int | bool]:
        """The request's JSON, or what a form says beside its files."""
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
    """One Telegram message that shows a wish, or the first of an album of it; `at` in Unix seconds is when Telegram
    accepted it. `part` is what it shows: its text, or files and maybe the text too."""

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
    """One wish and what became of it. `accepted_at` in Unix seconds is when the caller read the 2xx."""

    wish: Wish
    message_id: str | None = None
    accepted_at: float = 0.0
    other_ids: set[str] = field(default_factory=set)
    """What a repeated request was answered, where that was not the first id."""
    copies: list[Copy] = field(default_factory=list)
    presses: list[Press] = field(default_factory=list)

    @property
    def is_shown(self) -> bool:
        """Its text stood in a chat."""
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
        """A message of a fate that chance decides, for that chat or for any."""
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
        """How many accepted messages stand in no chat yet."""
        return sum(1 for entry in self.entries.values() if entry.message_id is not None and not entry.is_shown)

    def owner_of(self, content: bytes) -> tuple[Entry, int] | None:
        """Whose file this is, and the how many-th of it."""
        return self._files.get(_digest(content))

    def shown_in(self, text: str) -> Entry | None:
        """The entry that this text shows; None for any other text, and for what was forgotten."""
        found = MARK.search(text)
        return None if found is None else self.entries.get(found.group())

    def forget(self, entries: Sequence[Entry]) -> None:
        """Drop what was judged, so that a long run does not grow."""
        for entry in entries:
            del self.entries[entry.wish.mark]
            for content in entry.wish.shown_files:
                del self._files[_digest(content)]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _soon(rng: random.Random) -> str:
    """Some seconds ahead: a daemon that is killed meanwhile may be back by then, or not."""
    return (Clock().now() + timedelta(seconds=rng.uniform(0, SOON_S))).isoformat()
