"""Draw tables for monospaced text."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from notifybot.rendering.markup.builder import TextBuilder
from notifybot.rendering.markup.commonmark_blocks import BlockWriter
from notifybot.rendering.terminal import width

MAX_PADDED_WIDTH = 40
"""Columns are padded up to this width; longer cells break the alignment."""

BETWEEN, CROSSING, LINE = " │ ", "─┼─", "─"


@dataclass
class Table:
    """Cells of a table; `ends` is the alignment of each column: "left", "right" or "center"."""

    lines: tuple[int, int]
    ends: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)

    def add_column(self, style: str) -> None:
        self.ends.append(style.removeprefix("text-align:") or "left")

    def add_row(self) -> None:
        self.rows.append([])

    def add_cell(self, cell: TextBuilder) -> None:
        text = "".join(cell.pieces)
        self.rows[-1].append(text)
        self.links += [(text[span.begin : span.end], span.url) for span in cell.spans if span.url]

    def write(self, page: BlockWriter) -> None:
        """Write the table, and its links below it: monospaced text cannot contain links."""
        page.write_block("\n".join(self._drawn()), self.lines, is_code=True)
        for place, (text, url) in enumerate(self.links):
            page.draft.write(" · " if place else "\n")
            begin = page.draft.length
            page.draft.write(text)
            page.draft.mark("text_link", begin, url=url)

    def _drawn(self) -> Iterator[str]:
        widths = [min(max(map(width, column)), MAX_PADDED_WIDTH) for column in zip(*self.rows, strict=True)]
        for number, row in enumerate(self.rows):
            cells = map(_padded, row, widths, self.ends)
            yield BETWEEN.join(cells).rstrip(" ")
            if number == 0:
                yield CROSSING.join(LINE * each for each in widths)


def _padded(text: str, columns: int, end: str) -> str:
    missing = max(columns - width(text), 0)
    left = {"left": 0, "right": missing, "center": missing // 2}[end]
    return " " * left + text + " " * (missing - left)
