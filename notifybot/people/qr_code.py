"""Draw a QR code in lines of text for a terminal."""

import segno

QUIET_ZONE = 2
"""Modules of margin; fewer than the standard's four are enough between empty lines."""
BLOCKS = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
"""By upper and lower module: a character is twice as high as wide, so it holds two modules."""


def lines_of(text: str) -> list[str]:
    """Return lines to be shown dark on light: blocks are the dark modules."""
    code = segno.make(text, error="l", micro=False)
    rows = [[bool(module) for module in row] for row in code.matrix_iter(border=QUIET_ZONE)]
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return ["".join(BLOCKS[both] for both in zip(upper, lower, strict=True)) for upper, lower in pairs]
