"""QR codes in the terminal: the lines show exactly the modules."""

import segno

from notifybot.people.qr_code import BLOCKS, QUIET_ZONE, lines_of

URL = f"https://t.me/some_bot?start={'x' * 43}"


def modules_of(lines: list[str]) -> list[list[bool]]:
    """Modules as seen: each character holds two, one above the other."""
    seen = {character: both for both, character in BLOCKS.items()}
    return [[seen[character][half] for character in line] for line in lines for half in (0, 1)]


def test_the_lines_show_the_modules_within_a_margin() -> None:
    code = [[bool(module) for module in row] for row in segno.make(URL, error="l", micro=False).matrix]

    shown = modules_of(lines_of(URL))

    inner = [row[QUIET_ZONE:-QUIET_ZONE] for row in shown[QUIET_ZONE : QUIET_ZONE + len(code)]]
    assert inner == code
    margin = [*shown[:QUIET_ZONE], *shown[QUIET_ZONE + len(code) :], *([row[0], row[-1]] for row in shown)]
    assert not any(module for row in margin for module in row)


def test_a_deep_link_fits_a_terminal_of_eighty_columns_and_twenty_four_lines() -> None:
    lines = lines_of(URL)

    assert max(map(len, lines)) <= 78
    assert len(lines) <= 24
