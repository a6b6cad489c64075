"""One pass over marked-up text: where the reader stands, what it has written and which entities it has found."""

import re
from dataclasses import dataclass, field

from notifybot.sandbox.formatting.entities import Entity, Json, MarkupError, utf16_len


@dataclass
class Reading:
    """`at` is the next character of `source`; `units` the UTF-16 length of what was written so far."""

    source: str
    at: int = 0
    units: int = 0
    pieces: list[str] = field(default_factory=list)
    entities: list[Entity] = field(default_factory=list)

    @property
    def next(self) -> str:
        """The next character, or "" at the end."""
        return self.source[self.at : self.at + 1]

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def sees(self, mark: str) -> bool:
        return self.source.startswith(mark, self.at)

    def take(self, pattern: re.Pattern[str]) -> str:
        """Step over what `pattern` matches here and return it; "" where it matches nothing."""
        found = pattern.match(self.source, self.at)
        if found is None:
            return ""
        self.at = found.end()
        return found[0]

    def written_since(self, piece: int) -> str:
        """Return what was written since there were `piece` pieces."""
        return "".join(self.pieces[piece:])

    def write(self, text: str) -> None:
        self.pieces.append(text)
        self.units += utf16_len(text)

    def mark(self, kind: str, offset: int, extra: Json | None = None) -> None:
        """Add an entity from `offset` to the end of what was written, unless that is empty."""
        if self.units > offset:
            self.entities.append(Entity(kind, offset, self.units - offset, extra or {}))

    def refuse(self, sentence: str, at: int | None = None) -> MarkupError:
        """Make the error that Telegram would answer; `at` is a character of the source, shown in UTF-8 bytes."""
        place = "" if at is None else f" at byte offset {self.bytes_before(at)}"
        return MarkupError(f"can't parse entities: {sentence}{place}")

    def bytes_before(self, at: int) -> int:
        return len(self.source[:at].encode())
