"""Aligned tables that fit the terminal, and unique prefixes of ids."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from notifybot.cli.output import Terminal, one_line

GAP = "  "
MIN_LAST_COLUMN = 12
MAX_INNER_COLUMN = 24


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], screen: Terminal) -> Iterable[str]:
    """Format an aligned table. The last column takes the rest of the width; the column STATUS is coloured."""
    cells = [[one_line(cell) for cell in row] for row in rows]
    if screen.width is not None:
        cells = [[*(cut(cell, MAX_INNER_COLUMN) for cell in row[:-1]), row[-1]] for row in cells]
    widths = [max(columns(row[index]) for row in [list(headings), *cells]) for index in range(len(headings))]
    inner = sum(widths[:-1]) + len(GAP) * (len(headings) - 1)
    room = None if screen.width is None else max(MIN_LAST_COLUMN, screen.width - inner)
    yield _row(headings, widths, room)
    for row in cells:
        words = ["" if heading != "STATUS" else cell for heading, cell in zip(headings, row, strict=True)]
        yield _row(row, widths, room, paint=[(word, screen) for word in words])


def _row(
    cells: Sequence[str], widths: Sequence[int], room: int | None, paint: Sequence[tuple[str, Terminal]] = ()
) -> str:
    padded = [cell + " " * (width - columns(cell)) for cell, width in zip(cells[:-1], widths, strict=False)]
    padded.append(cells[-1] if room is None else cut(cells[-1], room))
    for index, (word, screen) in enumerate(paint):
        padded[index] = screen.paint(word, padded[index])
    return GAP.join(padded).rstrip()


def columns(text: str) -> int:
    """Count the columns that `text` takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(map(_columns_of, text))


def _columns_of(character: str) -> int:
    import unicodedata

    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def cut(text: str, width: int) -> str:
    """Truncate `text` to `width` columns, with an ellipsis."""
    if columns(text) <= width:
        return text
    taken, room = "", width - 1
    for character in text:
        room -= _columns_of(character)
        if room < 0:
            break
        taken += character
    return taken + "…"


def short_ids(ids: Sequence[str], *, at_least: int = 13) -> Mapping[str, str]:
    """Find the shortest unique prefix of each id; 13 characters are a millisecond."""
    ordered = sorted(set(ids))
    if not ordered:
        return {}
    shared = [_shared(one, other) for one, other in pairwise(ordered)]
    needed = [max(before, after) + 1 for before, after in zip([0, *shared], [*shared, 0], strict=True)]
    return {one: one[: max(at_least, length)].rstrip("-") for one, length in zip(ordered, needed, strict=True)}


def _shared(one: str, other: str) -> int:
    """Count the characters that two different ids share at the start."""
    return next(index for index, (left, right) in enumerate(zip(one, other, strict=True)) if left != right)
