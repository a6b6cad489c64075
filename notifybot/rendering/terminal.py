"""Show text as a terminal would: what it overwrites, erases and moves within a line."""

import re
import unicodedata
from dataclasses import dataclass, field

TAB = 8
WIDEST = 500
"""Columns that a tab or a cursor movement can reach; text itself may be longer."""
LONGEST = 8192
"""Characters that one character can move or erase, so that a line of a million of them takes no hours."""

# ECMA-48: control sequences, strings such as a window's title, and escapes of two characters. A string without an end
# is text, although a terminal would swallow it.
_SEQUENCE = r"(?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]"
ESCAPE = re.compile(rf"{_SEQUENCE}|\x1b[\]PX^_][^\n\x07\x1b]{{0,2048}}+(?:\x07|\x1b\\)|\x1b[ -/]*+[0-~]")
LINE_END = re.compile(r"(?<!\r)(?:\r++\n|\r*+[\v\f\x85\u2028\u2029])")
"""What ends a line besides a newline; a carriage return alone does not."""
_MOVEMENT = r"(?:\x1b\[|\x9b)(?P<count>[0-9]*)(?P<verb>[CDGK])"
_MOVES = re.compile(rf"[\r\b]|{_MOVEMENT}")
MOVING_LINE = re.compile(rf"^[^\n]*?(?:{_MOVES.pattern})[^\n]*", re.MULTILINE)
_PIECE = re.compile(rf"[^\n]{{1,{LONGEST}}}(?:(?=\r)|\Z)|[^\n]{{1,{LONGEST}}}")
_TOKEN = re.compile(rf"{_MOVEMENT}|{ESCAPE.pattern}|(?P<ascii>[ -~]+)|(?P<one>.)")


def width(text: str) -> int:
    """Count columns: two for wide characters, none for combining ones."""
    return len(text) if text.isascii() else sum(map(_character_width, text))


def _character_width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


@dataclass
class _Row:
    """One line of a terminal. A wide character has two cells, the second one empty."""

    cells: list[str] = field(default_factory=list)
    column: int = 0

    def write(self, characters: str, cells_each: int = 1) -> None:
        self.cells.extend(" " * (self.column - len(self.cells)))
        begin, end = self.column, self.column + len(characters) * cells_each
        if self.cells[begin : begin + 1] == [""]:
            self.cells[begin - 1] = " "
        if self.cells[end : end + 1] == [""]:
            self.cells[end] = " "
        self.cells[begin:end] = characters if cells_each == 1 else [characters, ""]
        self.column = end

    def combine(self, mark: str) -> None:
        """Add a mark to the character before the cursor."""
        before = min(self.column, len(self.cells)) - 1
        while before > 0 and not self.cells[before]:
            before -= 1
        if before < 0:
            self.write(mark)
        else:
            self.cells[before] += mark

    def move(self, verb: str, count: int | None) -> None:
        match verb:
            case "C":
                self.column = max(self.column, min(self.column + (count or 1), WIDEST))
            case "D":
                self.column = max(self.column - (count or 1), 0)
            case "G":
                self.column = min((count or 1) - 1, max(WIDEST, len(self.cells)))
            case "K":
                self._erase(count or 0)

    def _erase(self, count: int) -> None:
        if count == 1 and self.column + 1 < len(self.cells):
            self.cells[: self.column + 1] = [" "] * (self.column + 1)
        else:
            del self.cells[0 if count else self.column :]

    def control(self, character: str) -> None:
        match character:
            case "\r":
                self.column = 0
            case "\b":
                self.column = max(self.column - 1, 0)
            case "\t":
                self.column += TAB - self.column % TAB if self.column < WIDEST else 1


def last_state(line: str) -> str:
    """Return the last state of one line. What is written before the last LONGEST characters or so stays."""
    done, state = list[str](), ""
    for piece in _PIECE.finditer(line):
        if len(state) > LONGEST:
            done += (state, "\n" if piece[0].startswith("\r") else "")
            state = ""
        state = _state_after(state + piece[0])
    return "".join((*done, state)).rstrip(" ")


def _state_after(line: str) -> str:
    row = _Row()
    for found in _TOKEN.finditer(line):
        if found["verb"]:
            row.move(found["verb"], int(found["count"][:6]) if found["count"] else None)
        elif found["ascii"]:
            row.write(found["ascii"])
        elif found["one"]:
            _write(row, found["one"])
    return "".join(row.cells)


def _write(row: _Row, character: str) -> None:
    if unicodedata.category(character) == "Cc":
        row.control(character)
    elif cells := _character_width(character):
        row.write(character, cells)
    else:
        row.combine(character)
