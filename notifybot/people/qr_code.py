"""A text as a QR code, in lines of characters that a terminal shows."""

import segno

QUIET_ZONE = 2
"""Modules of margin; less than the four that the standard wants is enough where the lines around it are empty."""
BLOCKS = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
"""By upper and lower module: two modules are one character, which is twice as high as wide."""


def lines_of(text: str) -> list[str]:
    """Lines to be shown dark on light: a block stands for dark modules."""
    code = segno.make(text, error="l", micro=False)
    rows = [[bool(module) for module in row] for row in code.matrix_iter(border=QUIET_ZONE)]
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return ["".join(BLOCKS[both] for both in zip(upper, lower, strict=True)) for upper, lower in pairs]
