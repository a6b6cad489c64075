"""The text of a message without its markup, for lists."""

from notifybot.rendering.cleaning import clean
from notifybot.rendering.render import read_markup

MAX_CHARACTERS = 2048
"""In a list."""
MAX_READ = 16_384
"""Of the text as written. Parsing ends before, as soon as one message is full."""


def plain_text(content: str, parse_mode: str | None) -> str:
    """Return the beginning of a text as people read it, or as written if its markup is invalid."""
    shown = read_markup(content[:MAX_READ], parse_mode, max_parts=1)
    return clean(shown.text, shown.entities)[0][:MAX_CHARACTERS]
