"""Build plain text and its formatting while parsing markup."""

from dataclasses import dataclass, field

from notifybot.rendering.split import VISIBLE

MAX_ADDRESS = 2048


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


@dataclass
class TextBuilder:
    """Plain text in pieces, and properly nested spans of formatting. `length` counts code points.

    `lost`: links that Telegram would refuse, with their addresses as written.
    """

    pieces: list[str] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    lost: list[Span] = field(default_factory=list)
    length: int = 0

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


@dataclass(frozen=True)
class Place:
    """A position in a draft: code points and pieces before it."""

    length: int
    piece: int


def where(source: str, at: int) -> str:
    """Describe the position `at` as line and column."""
    line = source.count("\n", 0, at) + 1
    return f"line {line}, column {at - source.rfind(chr(10), 0, at)}"
