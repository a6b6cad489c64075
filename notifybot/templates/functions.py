"""The filters and functions that templates have. Each does work in proportion to what it is given, and pays for it."""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial, wraps
from typing import cast

from jinja2 import pass_context
from jinja2.filters import FILTERS
from jinja2.runtime import Context, Undefined

from notifybot.rendering.markup import ParseMode
from notifybot.templates import lists
from notifybot.templates.budget import (
    MOST_BITS,
    MOST_CHARACTERS,
    SCANNED_A_STEP,
    fits,
    is_larger,
    look_at,
    look_through,
    spend,
    too_long,
)
from notifybot.templates.comparing import compared
from notifybot.templates.escaping import MarkedUp, as_block, as_code, escaped
from notifybot.templates.words import Unfit, is_number, kind, must_be_there, saying
from notifybot.times.spans import format_span

Filter = Callable[..., object]
MOST_PLACES = 30
"""After the point, and before it: Python makes 10**places of them, whatever that takes."""
MOST_SIGNS = 100
"""That are taken off the ends of a text: each of its signs is looked for among them."""
BASES = range(2, 37)
EACH, JOINED, MADE, KEY = "_each", "_joined", "_made", "_key"
COMPARED, SLICED, RANGE = "_compared", "_sliced", "_range"
"""What loops, `~`, lists, the names in objects, comparisons, `[a:b]` and range() become: no template can name them."""
OF_ANYTHING = ("d", "default")
"""Also of what is missing."""
BY_ATTRIBUTE = ("map", "selectattr", "rejectattr", "sort", "groupby", "unique", "min", "max", "sum", "join")
ITEM_BY_ITEM = ("map", "reject", "rejectattr", "select", "selectattr")
PAYING = frozenset({"d", "default", "join", EACH, JOINED, COMPARED, RANGE, KEY, *lists.filters()}) - {"reverse"}
"""They look at one item, or pay for themselves."""


def filters(mode: ParseMode | None) -> dict[str, Filter]:
    """All filters of templates in this parse mode."""
    theirs = cast("Mapping[str, Filter]", FILTERS)
    join = partial(_join, mode=mode)
    own: dict[str, Filter] = {
        EACH: _each,
        JOINED: join,
        MADE: lambda value: value,
        KEY: _key,
        COMPARED: compared,
        SLICED: _sliced,
        RANGE: _range,
        "join": join,
        "replace": _replace,
        "json": _json,
        "string": written,
        "duration": _duration,
        "code": lambda value: as_code(written(value), mode),
        "pre": lambda value: as_block(written(value), mode),
        "escape": lambda value: _once(value, mode),
        "e": lambda value: _once(value, mode),
        "safe": lambda value: MarkedUp(written(value)),
        "d": theirs["d"],
        "default": theirs["default"],
        "int": _int,
        "float": _float,
        "trim": lambda value, signs=None: _trimmed(written(value), signs),
        "round": _round,
    }
    texts = {name: _of_text(theirs[name]) for name in ("capitalize", "lower", "title", "upper")}
    numbers = {name: _of_number(name, theirs[name]) for name in ("abs", "filesizeformat")}
    kept = {"truncate": _truncate, **texts, **numbers, **lists.filters()}
    return {name: _paid(name, each) for name, each in {**kept, **own}.items()}


def _paid(name: str, filter_: Filter) -> Filter:
    """The same, paid for, and with our words for what does not fit."""
    place = 1 if hasattr(filter_, "jinja_pass_arg") else 0  # some are given their surroundings first
    called = f"the filter {name}" if not name.startswith("_") else name.strip("_")

    @wraps(filter_)
    def run(*args: object, **named: object) -> object:
        value, spare = args[place], len(args) - place - 1 + len(named)
        spend(1 + spare // SCANNED_A_STEP)
        if name not in PAYING:
            look_at(value)
        if name not in OF_ANYTHING:
            must_be_there(value)
        if name in ITEM_BY_ITEM:
            args = (*args[:place], lists.items_of(value), *args[place + 1 :])
        for each in (*args[place + 1 :], *named.values()):
            lists.path_fits(each if name in BY_ATTRIBUTE else None)
        brackets = ", or what stands in its brackets" if spare else ""
        with saying(f"{called} does not fit {kind(value)}{brackets}"):
            result = lists.as_list(filter_(*args, **named))
        fits(result)
        return result

    return run


# What the language itself does


@pass_context  # so that it is done anew each time, and paid for, also where the items are known before
def _each(_: Context, value: object, a_turn: int) -> list[object]:
    """What a loop goes through; each turn takes so many steps."""
    items = lists.items_of(value)
    spend(len(items) * (a_turn - 1))
    return items


def _key(value: object) -> object:
    """The name of a field that a template makes."""
    must_be_there(value)
    if isinstance(value, list | dict):
        raise Unfit(f"a field is called by a text or a number, not by {kind(value)}")
    return value


def _sliced(value: object, start: int | None, stop: int | None, step: int | None) -> object:
    must_be_there(value)
    if not isinstance(value, str | list):
        raise Unfit(f"{kind(value)} cannot be cut")
    part = slice(start, stop, step)
    with saying(f"{kind(value)} cannot be cut so"):
        spend(len(range(*part.indices(len(value)))) if isinstance(value, list) else 0)
        return value[part]


def _range(_: object, *bounds: object) -> list[int]:
    if not 1 <= len(bounds) <= 3 or not all(isinstance(each, int) for each in map(_key, bounds)):
        raise Unfit("range() takes one to three whole numbers")
    found = range(*cast("tuple[int, ...]", bounds))
    spend(len(found) // SCANNED_A_STEP)
    return list(found)


# Texts


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
            raise Unfit("this is no value that can be written: where it is a method, add ()")


def _join(values: object, between: object = "", attribute: str | None = None, *, mode: ParseMode | None) -> str:
    """One text of all. Where one of them is markup, the others are escaped, and all of it is markup."""
    found = [
        value[attribute] if isinstance(value, Mapping) and attribute else value for value in lists.items_of(values)
    ]
    texts = [written(each) for each in found]
    middle = written(between)
    if any(isinstance(each, MarkedUp) for each in (*texts, middle)):
        return MarkedUp(_glued([_once(each, mode) for each in texts], _once(middle, mode)))
    return _glued(texts, middle)


def _glued(texts: list[str] | list[MarkedUp], between: str) -> str:
    _would_fit(sum(map(len, texts)) + len(between) * len(texts))
    return between.join(texts)


def _replace(value: object, old: object, new: object, count: int = -1) -> str:
    text, this, that = written(value), written(old), written(new)
    _would_fit(len(text) + text.count(this) * len(that))
    return text.replace(this, that, count)


def _would_fit(characters: int) -> None:
    """Before it is made: a short text many times in another is a very long one."""
    if characters > MOST_CHARACTERS:
        raise too_long()


def _json(value: object) -> str:
    look_through(value)
    if is_larger(value, MOST_CHARACTERS):
        raise too_long()
    with saying("this cannot be written as JSON"):
        return json.dumps(value, ensure_ascii=False)


def _of_text(filter_: Filter) -> Filter:
    return lambda value: filter_(str(written(value)))


def _trimmed(text: str, signs: object) -> str:
    """Without these signs at its ends, or without blanks."""
    if isinstance(signs, str) and len(signs) > MOST_SIGNS:
        raise Unfit(f"the filter trim takes at most {MOST_SIGNS} signs")
    return text.strip(cast("str | None", signs))


def _truncate(value: object, length: int = 255, killwords: bool = False, end: str = "...", leeway: int = 5) -> str:
    text, ending = written(value), written(end)
    if length < len(ending) or leeway < 0:
        raise Unfit(f"a text is cut to at least {len(ending)} signs, and its leeway is 0 or more")
    if len(text) <= length + leeway:
        return text
    cut = text[: length - len(ending)]
    return (cut if killwords else cut.rsplit(" ", 1)[0]) + ending


# Numbers


def _of_number(name: str, filter_: Filter) -> Filter:
    def run(value: object, *args: object, **named: object) -> object:
        number = _float(value, None) if name == "filesizeformat" and isinstance(value, str) else value
        if not is_number(number):
            raise Unfit(f"the filter {name} takes a number, not {kind(value)}")
        return filter_(number, *args, **named)

    return run


def _round(value: object, precision: int = 0, method: str = "common") -> object:
    if not is_number(value):
        raise Unfit(f"the filter round takes a number, not {kind(value)}")
    if not isinstance(precision, int) or not -MOST_PLACES <= precision <= MOST_PLACES:
        raise Unfit(f"numbers are rounded to a whole number of places, -{MOST_PLACES} to {MOST_PLACES}")
    if method not in ("common", "ceil", "floor"):
        raise Unfit("the method of rounding is 'common', 'ceil' or 'floor'")
    fits(value)
    return cast("Mapping[str, Filter]", FILTERS)["round"](value, precision, method)


def _int(value: object, default: object = 0, base: int = 10) -> object:
    """A whole number; `default` where the value is none. Very long texts are none either."""
    if base not in BASES:
        raise Unfit("the base of a number is 2 to 36")
    try:
        if isinstance(value, str):
            return int(value, base) if len(value) <= MOST_BITS else default
        return int(cast("float", value))
    except (TypeError, ValueError, OverflowError):
        pass
    try:
        return int(float(cast("float", value)))
    except (TypeError, ValueError, OverflowError):
        return default


def _float(value: object, default: object = 0.0) -> object:
    try:
        return float(cast("float", value))
    except (TypeError, ValueError, OverflowError):
        return default


def _duration(seconds: object) -> str:
    """Seconds as people say them: 5400 is 1h30m."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 10**9:
        raise Unfit("a duration is a number of seconds")
    return format_span(timedelta(seconds=round(seconds)))


# What is written at last


def _once(value: object, mode: ParseMode | None) -> MarkedUp:
    return value if isinstance(value, MarkedUp) else escaped(written(value), mode)


def finalizer(mode: ParseMode | None) -> Filter:
    """What an expression's value becomes in the text: escaped, unless it is markup already."""
    return partial(_once, mode=mode)
