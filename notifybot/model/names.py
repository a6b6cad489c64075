"""Names that people gave themselves in Telegram, as far as they can be seen."""

import re
import unicodedata

_BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef"
"""Fillers and selectors that Unicode counts as letters, symbols or marks."""
_IS_BLANK = re.compile(f"[{_BLANK}]")
_EDGES = re.compile("^[\\s\u115f\u1160\u2800\u3164\uffa0]+|[\\s\u115f\u1160\u2800\u3164\uffa0]+$")


def visible_name(*names: str | None) -> str:
    """Return the first of these with a visible character, without blanks around it; "" if there is none.

    Telegram lets people call themselves U+3164, which looks like nothing.
    """
    found = next((name for name in names if name is not None and any(map(_is_visible, name))), "")
    return _EDGES.sub("", found)


def _is_visible(character: str) -> bool:
    """Return False for spaces, controls, format characters, unassigned ones and fillers."""
    return unicodedata.category(character)[0] not in "CZ" and _IS_BLANK.match(character) is None
