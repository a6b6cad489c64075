"""Converters for option values; each raises ArgumentTypeError for an invalid one."""

import argparse
import json
import math

TYPE_CHECKING = False
if TYPE_CHECKING:
    from notifybot.client import Button

PRIORITIES = ("low", "normal", "high", "critical")
STATES = ("scheduled", "initiated", "sent", "escalated", "acknowledged", "closed", "failed", "cancelled")
SCOPES = ("send", "read", "admin")
MAX_WAIT_S = 30.0
"""Longest wait that the daemon allows."""
MAX_DIGITS = 100
"""Python refuses to read numbers of thousands of digits."""


def port(text: str) -> int:
    return _whole(text, most=65_535, least=0)


def limit(text: str) -> int:
    return _whole(text, most=500, least=1)


def thread(text: str) -> int:
    return _whole(text, most=2**31 - 1, least=1)


def file_number(text: str) -> int:
    return _whole(text, most=99, least=1)


def link_button(text: str) -> "Button":
    from notifybot.client import Button

    label, url = _two_sides(text, "TEXT=URL")
    return Button(label, url=url)


def copy_button(text: str) -> "Button":
    from notifybot.client import Button

    label, value = _two_sides(text, "TEXT=VALUE")
    return Button(label, copy=value)


def _two_sides(text: str, form: str) -> tuple[str, str]:
    """Split at the first `=`; URLs may have more of them."""
    left, _, right = (side.strip() for side in text.partition("="))
    if not left or not right:
        raise argparse.ArgumentTypeError(f"`{text}` does not have the form {form}")
    return left, right


def data(text: str) -> dict[str, object]:
    """Read a JSON object, or one KEY=VALUE of it; a value that looks like a number becomes one."""
    if text.lstrip().startswith("{") or "=" not in text:
        return json_object(text)
    key, value = _two_sides(text, "KEY=VALUE")
    return {key: _number_or_text(value)}


def policy(text: str) -> str | dict[str, object]:
    """Read a policy: a name from the config, or a JSON object."""
    return json_object(text) if text.lstrip().startswith("{") else text


def _number_or_text(text: str) -> int | float | str:
    """Convert `74` and `1.5` to numbers; `1.10` or `007`, which would not survive it, stay text."""
    for kind in (int, float):
        try:
            found = kind(text)
        except ValueError:
            continue
        if str(found) == text and math.isfinite(found):
            return found
    return text


def json_object(text: str) -> dict[str, object]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise argparse.ArgumentTypeError(f"`{text}` is not a JSON object")
    return document


def _whole(text: str, *, most: int, least: int) -> int:
    is_number = text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS
    if not (is_number and least <= int(text) <= most):
        raise argparse.ArgumentTypeError(f"`{text}` is not a whole number from {least} to {most}")
    return int(text)


def scopes(text: str) -> list[str]:
    found = text.split(",")
    if not set(found) <= set(SCOPES):
        raise argparse.ArgumentTypeError(f"`{text}` is not one of {','.join(SCOPES)}")
    return list(dict.fromkeys(found))


def wait(text: str) -> float:
    seconds = number(text)
    if seconds is None or not 0 <= seconds <= MAX_WAIT_S:
        raise argparse.ArgumentTypeError(f"`{text}` is not a number of seconds from 0 to {MAX_WAIT_S:g}")
    return seconds


def number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
