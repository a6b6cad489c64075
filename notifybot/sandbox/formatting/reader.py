"""State of a parser: position in the source, output and entities."""

import re
from dataclasses import dataclass, field

from notifybot.sandbox.formatting.entities import Entity, Json, MarkupError, utf16_len


@dataclass
class Reading:
    """`at` is the position in `source`; `units` is the UTF-16 length of the output."""

    source: str
    at: int = 0
    units: int = 0
    pieces: list[str] = field(default_factory=list)
    entities: list[Entity] = field(default_factory=list)

    @property
    def next(self) -> str:
        """Return the next character, or "" at the end."""
        return self.source[self.at : self.at + 1]

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def sees(self, mark: str) -> bool:
        return self.source.startswith(mark, self.at)

    def take(self, pattern: re.Pattern[str]) -> str:
        """Consume and return a match of `pattern`; "" without a match."""
        found = pattern.match(self.source, self.at)
        if found is None:
            return ""
        self.at = found.end()
        return found[0]

    def written_since(self, piece: int) -> str:
        """Return the output since piece `piece`."""
        return "".join(self.pieces[piece:])

    def write(self, text: str) -> None:
        self.pieces.append(text)
        self.units += utf16_len(text)

    def mark(self, kind: str, offset: int, extra: Json | None = None) -> None:
        """Add an entity from `offset` to the end of the output, unless it is empty."""
        if self.units > offset:
            self.entities.append(Entity(kind, offset, self.units - offset, extra or {}))

    def refuse(self, sentence: str, at: int | None = None) -> MarkupError:
        """Build Telegram's error; `at` is a source position, reported as a UTF-8 byte offset."""
        place = "" if at is None else f" at byte offset {self.bytes_before(at)}"
        return MarkupError(f"can't parse entities: {sentence}{place}")

    def bytes_before(self, at: int) -> int:
        return len(self.source[:at].encode())
