"""The text of a message without its markup, for lists."""

from notifybot.rendering.cleaning import clean
from notifybot.rendering.render import read_markup

MAX_CHARACTERS = 2048
"""Read of a text; parsing thousands of long ones takes seconds."""


def plain_text(content: str, parse_mode: str | None) -> str:
    """Return the beginning of a text as people read it, or as written if its markup is invalid or cut off."""
    return clean(*read_markup(content[:MAX_CHARACTERS], parse_mode))[0]
