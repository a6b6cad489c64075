"""The filters, tests and functions that templates have. Each does work in proportion to what it is given."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import partial, wraps
from typing import cast

from jinja2.filters import FILTERS
from jinja2.runtime import Undefined
from jinja2.tests import TESTS

from notifybot.durations import format_span
from notifybot.markup import ParseMode
from notifybot.templates.budget import MOST_CHARACTERS, MOST_STEPS, TooMuch, fits, spend, too_long
from notifybot.templates.escaping import MarkedUp, as_block, as_code, escaped

Filter = Callable[..., object]
AS_JINJA_HAS_THEM = (
    "abs capitalize count d default dictsort first float groupby int items last length list lower map max min reject"
    " rejectattr reverse round select selectattr sort sum title trim truncate unique upper filesizeformat"
)
TESTS_KEPT = (
    "boolean defined divisibleby eq equalto even false float ge greaterthan gt in integer iterable le lessthan lower lt"
    " mapping ne none number odd sequence string true undefined upper == != > >= < <="
)
EACH, JOINED, MADE = "_each", "_joined", "_made"
"""What loops, `~`, and lists and objects that a template writes become: no template can name them."""


def filters(mode: ParseMode | None) -> dict[str, Filter]:
    """All filters of templates in this parse mode."""
    own: dict[str, Filter] = {
        EACH: _each,
        JOINED: lambda values: _join(values, ""),
        MADE: lambda value: value,
        "join": _join,
        "replace": _replace,
        "json": _json,
        "string": written,
        "duration": _duration,
        "code": lambda value: as_code(written(value), mode),
        "pre": lambda value: as_block(written(value), mode),
        "escape": lambda value: _once(value, mode),
        "e": lambda value: _once(value, mode),
        "safe": lambda value: MarkedUp(written(value)),
    }
    theirs = cast("Mapping[str, Filter]", FILTERS)
    kept = {name: theirs[name] for name in AS_JINJA_HAS_THEM.split()}
    return {name: _bounded(each) for name, each in {**kept, **own}.items()}


def tests() -> dict[str, Filter]:
    theirs = cast("Mapping[str, Filter]", TESTS)
    return {name: theirs[name] for name in TESTS_KEPT.split()}


def bounded_range(*bounds: int) -> range:
    found = range(*bounds)
    if len(found) > MOST_STEPS:
        raise TooMuch(f"it takes more than {MOST_STEPS:,} steps")
    return found


def written(value: object) -> str:
    """How a value stands in a text: null is nothing, lists and objects are JSON."""
    match value:
        case str():
            return value
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            fits(value)
            return str(value)
        case Undefined():
            return str(value)  # raises
        case list() | tuple() | dict():
            return _json(value)
        case _:
            raise TypeError("this is no value that can be written: where it is a method, add ()")


def _bounded(filter_: Filter) -> Filter:
    """The same, paid for. Some of Jinja's are given their surroundings first."""
    place = 1 if hasattr(filter_, "jinja_pass_arg") else 0

    @wraps(filter_)
    def run(*args: object, **kwargs: object) -> object:
        spend(args[place])
        result = filter_(*args, **kwargs)
        fits(result)
        return result

    return run


def _each(value: Iterable[object]) -> list[object]:
    items = list(value)
    spend(items)
    return items


def _join(values: Iterable[object], between: str = "", attribute: str | None = None) -> str:
    found = [value[attribute] if isinstance(value, Mapping) and attribute else value for value in values]
    spend(found)
    texts = list(map(written, found))
    _would_fit(sum(map(len, texts)) + len(between) * len(texts))
    return between.join(texts)


def _replace(value: object, old: str, new: str, count: int = -1) -> str:
    text = written(value)
    _would_fit(len(text) + text.count(old) * len(new))
    return text.replace(old, new, count)


def _would_fit(characters: int) -> None:
    """Before it is made: a short text many times in another is a very long one."""
    if characters > MOST_CHARACTERS:
        raise too_long()


def _json(value: object) -> str:
    try:
        fits(value)
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        raise TypeError("this cannot be written as JSON") from None


def _duration(seconds: object) -> str:
    """Seconds as people say them: 5400 is 1h30m."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 10**9:
        raise TypeError("a duration is a number of seconds")
    return format_span(timedelta(seconds=round(seconds)))


def _once(value: object, mode: ParseMode | None) -> MarkedUp:
    return value if isinstance(value, MarkedUp) else escaped(written(value), mode)


def finalizer(mode: ParseMode | None) -> Filter:
    """What an expression's value becomes in the text: escaped, unless it is markup already."""
    return partial(_once, mode=mode)
