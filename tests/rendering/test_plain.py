"""The text of a message without its markup."""

import pytest

from notifybot.rendering.plain import MAX_CHARACTERS, plain_text


@pytest.mark.parametrize(
    ("content", "parse_mode", "shown"),
    [
        ("<b>Disk</b> &amp; more", "HTML", "Disk & more"),
        ("<b>Disk</b>", None, "<b>Disk</b>"),
        ("<b>Disk", "HTML", "<b>Disk"),
        ("*Disk* of _db1_ \\- full", "MarkdownV2", "Disk of db1 - full"),
        ("*Disk* full", "Markdown", "Disk full"),
        ("**Disk** of `db1`\n\n- one\n- two", "CommonMark", "Disk of db1\n\n• one\n• two"),
        ("a <b> b", "Mono", "a <b> b"),
        ("10 %\r90 %", None, "90 %"),
        ("\x1b[31mred\x1b[0m", None, "red"),
        ("<script>", "HTML", "<script>"),
        ("**x** " * 2000, "CommonMark", ("x " * 2000)[:MAX_CHARACTERS]),
        ("", "HTML", ""),
    ],
)
def test_a_list_shows_what_people_read(content: str, parse_mode: str | None, shown: str) -> None:
    assert plain_text(content, parse_mode) == shown
