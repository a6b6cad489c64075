"""Text as a terminal shows it: the last state of each line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifybot.rendering.cleaning import replayed
from notifybot.rendering.terminal import width


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("copy 10%\rcopy 50%\rcopy 100%", "copy 100%"),
        ("copy 10%\rcopy 50%\rcopy 100%\r\ndone\n", "copy 100%\ndone\n"),
        ("copying backup.tar\rdone", "doneing backup.tar"),
        ("copying backup.tar\r\x1b[Kdone", "done"),
        ("copying\x1b[2K\rdone", "done"),
        ("abcdef\x1b[3D\x1b[1Kx", "   xef"),
        ("abc\x1b[1Gx\x1b[3Cy", "xbc y"),
        ("|\b/\b-\b\\\bok", "ok"),
        ("N\bNA\bAM\bME\bE", "NAME"),
        ("_\bf_\bi_\bl_\be", "file"),
        ("\b\b\bab", "ab"),
        ("100%   \r\x1b[32m  7%\x1b[0m", "  7%"),
        ("a\tb\rxyz", "xyz     b"),
        ("漢字 full\rok", "ok字 full"),
        ("漢字\rx", "x 字"),
        ("a漢\bx", "a x"),
        ("e\u0301te\u0301\rx", "xte\u0301"),
        ("one\r\vtwo\rx", "one\nxwo"),
        ("old\rmac\rtext", "text"),
        ("\x1b]0;title\x07abc\rX", "Xbc"),
        ("abc\r", "abc"),
        ("abc\r\r\n", "abc\n"),
        ("plain \x1b[31mred\x1b[0m\ttab", "plain \x1b[31mred\x1b[0m\ttab"),
        ("\x1b[999999999Cx\rend", "end" + " " * 497 + "x"),
    ],
)
def test_what_a_terminal_overwrites_is_gone(given: str, shown: str) -> None:
    assert replayed(given) == (shown, ())


@given(st.text(st.sampled_from("ab漢\u0301🔥\r\b\t\n\v\x1b[]0123;CDGKm \x9b"), max_size=40))
def test_every_text_has_a_last_state(text: str) -> None:
    shown, _ = replayed(text)

    assert not {"\b", "\r"} & set(shown)
    assert replayed(shown) == (shown, ())


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("漢字", 4), ("e\u0301", 1), ("", 0), ("🔥", 2)])
def test_the_width_is_in_columns(text: str, columns: int) -> None:
    assert width(text) == columns
