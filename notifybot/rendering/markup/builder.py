"""Text while it is being read: what was written so far, and which formatting was found in it."""

from dataclasses import dataclass, field

from notifybot.rendering.split import VISIBLE

MAX_ADDRESS = 2048


class Unparseable(Exception):
    """Telegram would refuse this text. `reason` is one plain sentence and says where."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Span:
    """Formatting of the code points from `begin` to before `end`. The rest is as in `rendering.Entity`."""

    type: str
    begin: int
    end: int
    url: str | None = None
    language: str | None = None


@dataclass
class TextBuilder:
    """Plain text, in pieces, and the spans of its formatting, which never cross. `length` counts code points."""

    pieces: list[str] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    length: int = 0

    def write(self, text: str) -> None:
        self.pieces.append(text)
        self.length += len(text)

    def mark(self, kind: str, begin: int, *, url: str | None = None, language: str | None = None) -> None:
        """Format what was written from `begin` on, unless that is nothing."""
        if self.length > begin:
            self.spans.append(Span(kind, begin, self.length, url, language))

    def address_since(self, place: "Place") -> str:
        """Return what was written since `place` for use as an address; "" where it is too long to be one."""
        return "".join(self.pieces[place.piece :]) if self.length - place.length <= MAX_ADDRESS else ""

    @property
    def is_blank(self) -> bool:
        return not any(VISIBLE.search(piece) for piece in self.pieces)

    @property
    def place(self) -> "Place":
        return Place(self.length, len(self.pieces))


@dataclass(frozen=True)
class Place:
    """How much a draft held: code points and pieces."""

    length: int
    piece: int


def where(source: str, at: int) -> str:
    """Say for people where the character `at` of `source` stands."""
    line = source.count("\n", 0, at) + 1
    return f"line {line}, column {at - source.rfind(chr(10), 0, at)}"
