"""Plain-text tables."""

from collections.abc import Sequence


def table(title: str, columns: Sequence[str], rows: Sequence[tuple[str, Sequence[object]]]) -> str:
    """Format a title, a line of column names, and a line per row, with right-aligned values."""
    cells = [("", list(columns)), *((name, [str(value) for value in values]) for name, values in rows)]
    first = max(len(name) for name, _ in cells)
    widths = [max(len(values[place]) for _, values in cells) for place in range(len(columns))]
    lines = [
        "  ".join([name.ljust(first), *(value.rjust(width) for value, width in zip(values, widths, strict=True))])
        for name, values in cells
    ]
    return "\n".join([title, "", *(f"  {line}" for line in lines)])
