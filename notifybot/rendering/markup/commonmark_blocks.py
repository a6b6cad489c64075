"""Blocks of a text, one below the other: blank lines as in the source, list marks, indentation and quotes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from notifybot.rendering.markup.builder import TextBuilder

BULLETS = "•◦▪"
INDENT = "    "


@dataclass
class _List:
    """A list: the number of its next item, None for bullets; its item's mark, until something follows it, and line."""

    number: int | None
    mark: str = ""
    line: int = 0


@dataclass
class BlockWriter:
    """A draft that grows block by block.

    `last_line` is the line of the source behind the last block; `block` is where that block's own text begins.
    """

    draft: TextBuilder
    last_line: int = 0
    block: int = 0
    lists: list[_List] = field(default_factory=list)
    quotes: list[int] = field(default_factory=list)
    waiting_quotes: int = 0

    def begin_block(self, lines: Sequence[int], *, indents: bool = True) -> None:
        """Go to where a block from these lines of the source, begin and end, has its place.

        `indents` says whether it stands under its list's item, which code does not: its blanks count.
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
        """Write lines that are kept as they are."""
        self.begin_block(lines, indents=not is_code)
        self.draft.write(text)
        if is_code:
            self.draft.mark("pre", self.block, language=language)

    def break_line(self) -> None:
        self.draft.write("\n" + INDENT * len(self.lists))

    def begin_list(self, number: int | None) -> None:
        """Begin a list whose first item has this number, or bullets."""
        self.lists.append(_List(number))

    def end_list(self) -> None:
        self.lists.pop()

    @property
    def is_at_item(self) -> bool:
        """Whether an item has begun and nothing of it is written."""
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
        """Put a box into the mark of the item that begins here: in place of a bullet, behind a number."""
        entry = self.lists[-1]
        entry.mark = f"{box} " if entry.number is None else f"{entry.mark}{box} "

    def end_item(self) -> None:
        """End an item; one that holds nothing has its mark alone."""
        if self.is_at_item:
            self.begin_block((self.lists[-1].line, self.lists[-1].line + 1))

    def begin_quote(self) -> None:
        self.waiting_quotes += 1

    def end_quote(self) -> None:
        if self.waiting_quotes:
            self.waiting_quotes -= 1
        else:
            self.draft.mark("blockquote", self.quotes.pop())
