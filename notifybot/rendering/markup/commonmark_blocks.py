"""Write blocks with the source's blank lines, list marks, indentation and quotes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from notifybot.rendering.markup.builder import TextBuilder

BULLETS = "•◦▪"
INDENT = "    "


@dataclass
class _List:
    """A list: its next number (None for bullets), the pending mark of the current item, and the item's line."""

    number: int | None
    mark: str = ""
    line: int = 0


@dataclass
class BlockWriter:
    """Writes block by block. `last_line` is the source line after the last block, `block` the start of its text."""

    draft: TextBuilder
    last_line: int = 0
    block: int = 0
    lists: list[_List] = field(default_factory=list)
    quotes: list[int] = field(default_factory=list)
    waiting_quotes: int = 0

    def begin_block(self, lines: Sequence[int], *, indents: bool = True) -> None:
        """Start a block from these source lines (begin, end).

        `indents` is False for code, whose spaces count: it is not indented below its list item.
        """
        if self.draft.length:
            self.draft.write("\n\n" if lines[0] > self.last_line else "\n")
        self.last_line = lines[1]
        self.quotes += [self.draft.length] * self.waiting_quotes
        self.waiting_quotes = 0
        for entry in self.lists:
            self.draft.write(entry.mark or (INDENT if indents else ""))
            entry.mark = ""
        self.block = self.draft.length

    def write_block(self, text: str, lines: Sequence[int], *, language: str | None = None, is_code: bool) -> None:
        """Write lines unchanged."""
        self.begin_block(lines, indents=not is_code)
        self.draft.write(text)
        if is_code:
            self.draft.mark("pre", self.block, language=language)

    def break_line(self) -> None:
        self.draft.write("\n" + INDENT * len(self.lists))

    def begin_list(self, number: int | None) -> None:
        """Start a list with this first number, or with bullets."""
        self.lists.append(_List(number))

    def end_list(self) -> None:
        self.lists.pop()

    @property
    def is_at_item(self) -> bool:
        """Return True if the current item has no content yet."""
        return bool(self.lists and self.lists[-1].mark)

    def begin_item(self, line: int) -> None:
        entry = self.lists[-1]
        entry.line = line
        if entry.number is None:
            depth = sum(outer.number is None for outer in self.lists)
            entry.mark = f"{BULLETS[min(depth, len(BULLETS)) - 1]} "
        else:
            entry.mark = f"{entry.number}. "
            entry.number += 1

    def tick_item(self, box: str) -> None:
        """Add a checkbox to the item's mark: instead of a bullet, after a number."""
        entry = self.lists[-1]
        entry.mark = f"{box} " if entry.number is None else f"{entry.mark}{box} "

    def end_item(self) -> None:
        """End an item; an empty one shows only its mark."""
        if self.is_at_item:
            self.begin_block((self.lists[-1].line, self.lists[-1].line + 1))

    def begin_quote(self) -> None:
        self.waiting_quotes += 1

    def end_quote(self) -> None:
        if self.waiting_quotes:
            self.waiting_quotes -= 1
        else:
            self.draft.mark("blockquote", self.quotes.pop())
