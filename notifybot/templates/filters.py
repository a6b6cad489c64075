"""Filters, tests and methods that templates have: those of Jinja and Python that a message needs, and ours."""

import json
from collections.abc import Mapping
from datetime import timedelta
from functools import partial, wraps
from typing import Any

from jinja2 import Environment, pass_environment
from jinja2.compiler import operators
from jinja2.filters import FILTERS, make_attrgetter
from jinja2.runtime import LoopContext
from jinja2.tests import TESTS

from notifybot.rendering.markup import ParseMode
from notifybot.templates.calls import TYPE_TESTS, Function, call
from notifybot.templates.errors import Unfit, kind, must_exist
from notifybot.templates.escaping import MarkedUp, as_block, as_code, escaped
from notifybot.templates.limits import MAX_CHARACTERS, check_length, pay_for, size_of, spend
from notifybot.times.spans import format_span

TESTS_OF_JINJA = "divisibleby even odd lower upper in eq equalto == ne != gt greaterthan > ge >= lt lessthan < le <="
FILTERS_OF_JINJA = (
    "abs capitalize count d default dictsort filesizeformat first float groupby int items last length list lower map "
    "max min reject rejectattr reverse select selectattr sort title trim truncate unique upper"
)
STRING_METHODS = (
    "upper lower title capitalize strip startswith endswith split splitlines removeprefix removesuffix partition "
    "rpartition isdigit find count"
)
METHODS: Mapping[type, frozenset[str]] = {
    dict: frozenset(("items", "keys", "values", "get")),
    str: frozenset(STRING_METHODS.split()),
    LoopContext: frozenset(("cycle", "changed")),
}
OF_TEXTS = frozenset(("capitalize", "lower", "title", "trim", "truncate", "upper"))
OF_NUMBERS = frozenset(("abs", "divisibleby", "even", "odd", "round"))
"""With a string `%` formats and `*` repeats."""
MAX_PLACES = 30
"""Python computes 10**places, which has no time limit."""


def filters(mode: ParseMode | None) -> dict[str, Function]:
    """All filters of templates in this parse mode; names that begin with _ are the environment's."""
    jinja: dict[str, Function] = {name: FILTERS[name] for name in FILTERS_OF_JINJA.split()}
    ours: dict[str, Function] = {
        "code": lambda value: as_code(written(value), mode),
        "duration": _duration,
        "e": partial(escape, mode=mode),
        "escape": partial(escape, mode=mode),
        "join": _joined(mode),
        "json": _json,
        "pre": lambda value: as_block(written(value), mode),
        "replace": _replace,
        "round": _round,
        "safe": lambda value: MarkedUp(written(value)),
        "string": written,
        "sum": _sum,
    }
    bounded = {name: _bounded(f"the filter {name}", name, each) for name, each in (jinja | ours).items()}
    return {"_compare": _compare, "_each": _each, "_slice": _slice, **bounded}


def tests() -> dict[str, Function]:
    """All tests of templates: after `is`, in select(), and as comparisons."""
    found: dict[str, Any] = {name: TESTS[name] for name in (*TYPE_TESTS, *TESTS_OF_JINJA.split())}
    found["not in"] = lambda value, container: value not in container
    return {
        name: _bounded(name if name in operators.values() else f"the test {name}", name, each)
        for name, each in found.items()
    }


def _bounded(label: str, name: str, function: Function) -> Function:
    place = 1 if hasattr(function, "jinja_pass_arg") else 0  # Jinja passes its surroundings first

    @wraps(function, assigned=())
    def run(*args: Any, **named: Any) -> object:
        value = args[place]
        if name not in TYPE_TESTS and name not in ("d", "default"):
            must_exist(value)
        if name in OF_NUMBERS and not is_number(value):
            raise Unfit(f"{label} takes a number, not {kind(value)}")
        if name in OF_TEXTS:
            value = str(written(value))
        return call(label, name, partial(function, *args[:place]), value, *args[place + 1 :], **named)

    return run


# Operations that the environment rewrites as filters, so that they count against the step budget


def _each(items: Any, nodes: int) -> Any:
    """Charge for a loop: all its nodes in each iteration."""
    must_exist(items)
    if not isinstance(items, list | dict | str):
        raise Unfit(f"for does not work with {kind(items)}")
    spend(len(items) * nodes)
    return items


@pass_environment
def _compare(environment: Environment, value: object, *rest: Any) -> bool:
    """Evaluate a chain such as `1 < n <= 5`: a sign and the next value, in turn."""
    for sign, other in zip(rest[::2], rest[1::2], strict=True):
        if not environment.call_test(sign, value, (other,)):
            return False
        value = other
    return True


def _slice(value: object, *bounds: object) -> object:
    must_exist(value)
    return call("[:]", "_slice", lambda items: items[slice(*bounds)], value)


# Strings


def written(value: object) -> str:
    """Turn a value into text: null is empty, lists and objects are JSON."""
    match value:
        case str():
            return value
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            pay_for(value)
            return str(value)
        case list() | tuple() | dict():
            return _json(value)
    must_exist(value)
    raise Unfit("this value cannot be printed; to call a method, add () after its name")


def escape(value: object, mode: ParseMode | None) -> MarkedUp:
    """Escape a value for the parse mode, unless it is markup already."""
    return value if isinstance(value, MarkedUp) else escaped(written(value), mode)


def _joined(mode: ParseMode | None) -> Function:
    @pass_environment
    def join(environment: Environment, values: Any, separator: object = "", attribute: Any = None) -> str:
        """Make one string. If a part is markup, the others are escaped, and the whole is markup."""
        parts = [written(each) for each in map(make_attrgetter(environment, attribute), values)]
        between = written(separator)
        is_markup = any(isinstance(each, MarkedUp) for each in (*parts, between))
        if is_markup:
            parts, between = [escape(each, mode) for each in parts], escape(between, mode)
        check_length(sum(map(len, parts)) + len(between) * len(parts))
        return MarkedUp(between.join(parts)) if is_markup else between.join(parts)

    return join


def _replace(value: object, old: object, new: object, count: int = -1) -> str:
    text, this, that = written(value), written(old), written(new)
    check_length(len(text) + text.count(this) * len(that))
    return text.replace(this, that, count)


def _json(value: object) -> str:
    pay_for(value)
    check_length(size_of(value, stop_above=MAX_CHARACTERS, characters_per_step=1))
    return json.dumps(value, ensure_ascii=False)


# Numbers


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _round(value: Any, precision: int = 0, method: Any = "common") -> Any:
    if not isinstance(precision, int) or abs(precision) > MAX_PLACES:
        raise Unfit(f"round takes -{MAX_PLACES} to {MAX_PLACES} decimal places")
    return FILTERS["round"](value, precision, method)


@pass_environment
def _sum(environment: Environment, values: Any, attribute: Any = None, start: Any = 0) -> Any:
    if not is_number(start):  # adding up lists takes the square of their number
        raise Unfit("sum adds up numbers")
    return FILTERS["sum"](environment, values, attribute, start)


def _duration(seconds: Any) -> str:
    """Turn seconds into what people say: 5400 is 1h30m."""
    if not is_number(seconds) or not 0 <= seconds < 10**9:
        raise Unfit("duration takes a number of seconds")
    return format_span(timedelta(seconds=round(seconds)))
