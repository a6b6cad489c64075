"""Strict JSON (RFC 8259): no duplicate names, no NaN, limits on digits and depth."""

import functools
import json
import math
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from notifybot.errors import NotifybotError

MAX_DEPTH = 32
MAX_DIGITS = 400
"""Digits of one number; no field takes more."""
MAX_VALUES = 20_000
"""Values in one document. A list of empty lists would otherwise take twenty times the memory of its text."""


def parse(text: str) -> object:
    """Read one JSON value. Raise NotifybotError with the reason if it is invalid."""
    _check_count(text)
    try:
        document = _decoder().decode(text)
    except json.JSONDecodeError as error:
        what = error.msg.removesuffix(" at")
        raise _invalid(f"{what} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise _invalid("it is nested too deeply") from None
    if text.count("{") + text.count("[") > MAX_DEPTH:  # fewer cannot nest too deep
        _check_depth(document)
    return document


_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)


def _check_count(text: str) -> None:
    """Count values before any is built: each but the first follows a comma or a bracket."""
    if len(text) < 2 * MAX_VALUES:  # each takes two characters
        return
    outside = _STRING.sub("", text)
    if sum(map(outside.count, ",[{")) >= MAX_VALUES:
        raise NotifybotError(f"The body has more than {MAX_VALUES:,} values.")


@functools.cache
def _decoder() -> json.JSONDecoder:
    """Return the one decoder; json.loads would make one each time."""
    return json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_float, parse_int=_int)


def _invalid(reason: str) -> NotifybotError:
    return NotifybotError(f"The body is not JSON: {reason}.")


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise _invalid(f"the name {name[:80]!r} is given twice in one object")
        seen.add(name)
    return found


def _no_constant(name: str) -> NoReturn:
    raise _invalid(f"{name} is not a JSON number")


def _float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise _invalid("a number is too large")
    return value


def _int(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise _invalid(f"a number has more than {MAX_DIGITS} digits")
    return int(digits)


def _check_depth(document: object) -> None:
    level = [document]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in _children(node)]
        if not level:
            return
    raise NotifybotError(f"The body is nested deeper than {MAX_DEPTH} levels.")


def _children(node: object) -> Sequence[object]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else ()
