"""Build plain text and its formatting while parsing markup."""

from dataclasses import dataclass, field, replace

from notifybot.rendering.split import MAX_TEXT_UNITS, VISIBLE

MAX_ADDRESS = 2048
MARKS_PER_PART = 500
"""Formatting that a part of a text can use up: what Telegram shows of it, what it drops, and links written out."""


class Unparseable(Exception):
    """Telegram would refuse this text. `reason` is one sentence with the position."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Span:
    """Formatting of the code points from `begin` up to `end` (exclusive); otherwise like `Entity`."""

    type: str
    begin: int
    end: int
    url: str | None = None
    language: str | None = None


@dataclass(frozen=True)
class Room:
    """The most that can be shown of one text. A parser stops once it has more: a text of 1 MB would otherwise become
    hundreds of megabytes of formatting."""

    characters: int
    marks: int

    @classmethod
    def of(cls, parts: int) -> "Room":
        """Return room for so many messages, and for the first words that need another one."""
        return cls((parts + 1) * MAX_TEXT_UNITS, (parts + 1) * MARKS_PER_PART)


MOST = Room.of(100)
"""As many parts as the config allows."""


@dataclass
class TextBuilder:
    """Plain text in pieces, and properly nested spans of formatting. `length` counts code points.

    `lost`: links that Telegram would refuse, with their addresses as written. `begun` counts formatting that has begun.
    """

    room: Room = MOST
    pieces: list[str] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    lost: list[Span] = field(default_factory=list)
    length: int = 0
    begun: int = 0
    is_cut: bool = False
    """The rest of the source is not in it."""

    @property
    def is_full(self) -> bool:
        """Return True if there is more than `room`, so that the rest need not be parsed."""
        return self.length > self.room.characters or self.begun > self.room.marks

    def write(self, text: str) -> None:
        self.pieces.append(text)
        self.length += len(text)

    def mark(self, kind: str, begin: int, *, url: str | None = None, language: str | None = None) -> None:
        """Format the text from `begin` on, if there is any."""
        if self.length > begin:
            self.spans.append(Span(kind, begin, self.length, url, language))

    def lose_link(self, begin: int, address: str) -> None:
        """Note a link from `begin` on that Telegram would refuse."""
        if self.length > begin and address:
            self.lost.append(Span("text_link", begin, self.length, address))

    def address_since(self, place: "Place") -> str:
        """Return the text since `place` as a URL; "" if it is too long for one."""
        return "".join(self.pieces[place.piece :]) if self.length - place.length <= MAX_ADDRESS else ""

    @property
    def is_blank(self) -> bool:
        return not any(VISIBLE.search(piece) for piece in self.pieces)

    @property
    def place(self) -> "Place":
        return Place(self.length, len(self.pieces))

    def begin(self) -> "Place":
        """Return the place where formatting begins."""
        self.begun += 1
        return self.place

    def cut(self) -> None:
        """Keep what has room, and no formatting behind it."""
        self.is_cut = True
        end = self.room.characters
        self.pieces = ["".join(self.pieces)[:end]]
        self.length = len(self.pieces[0])
        self.spans, self.lost = (
            [replace(span, end=min(span.end, end)) for span in spans if span.begin < end]
            for spans in (self.spans, self.lost)
        )


@dataclass(frozen=True)
class Place:
    """A position in a draft: code points and pieces before it."""

    length: int
    piece: int


def where(source: str, at: int) -> str:
    """Describe the position `at` as line and column."""
    line = source.count("\n", 0, at) + 1
    return f"line {line}, column {at - source.rfind(chr(10), 0, at)}"
