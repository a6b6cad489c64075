"""Comparisons and tests. What they look at is paid for before they look."""

import operator
from collections.abc import Callable, Mapping
from functools import partial, wraps
from typing import Any, cast

from jinja2.tests import TESTS

from notifybot.templates.budget import SCANNED_A_STEP, look_at, look_for, look_through, spend
from notifybot.templates.words import Unfit, is_number, kind, must_be_there, saying

Test = Callable[..., bool]
OF_THE_LIBRARY = "boolean defined false float integer iterable mapping none number sequence string true undefined"
"""They look at a value's type alone."""
IN_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt, "gteq": operator.ge, "lt": operator.lt, "lteq": operator.le,
}  # fmt: skip


def compared(value: object, *rest: object) -> bool:
    """A chain such as `1 < n <= 5`: the first value, and then in turn a comparison's name and the next value."""
    for name, other in zip(rest[::2], rest[1::2], strict=True):
        if not _holds(cast("str", name), value, other):
            return False
        value = other
    return True


def _holds(name: str, left: object, right: object) -> bool:
    match name:
        case "eq":
            return _is_equal(left, right)
        case "ne":
            return not _is_equal(left, right)
        case "in":
            return _is_in(left, right)
        case "notin":
            return not _is_in(left, right)
        case _:
            return _is_in_order(name, left, right)


def _is_equal(left: object, right: object) -> bool:
    for value in (left, right):
        must_be_there(value)
    if isinstance(left, list | dict) and isinstance(right, list | dict):
        look_through(left)
        look_through(right)
    else:
        look_at(left if isinstance(left, str) else None)
    return left == right


def _is_in_order(name: str, left: object, right: object) -> bool:
    for value in (left, right):
        must_be_there(value)
        look_through(value)
    with saying(f"{kind(left)} and {kind(right)} have no order"):
        return IN_ORDER[name](left, right)


def _is_in(value: object, container: object) -> bool:
    for each in (value, container):
        must_be_there(each)
    match container:
        case str() if isinstance(value, str):
            look_at(container)
            look_at(value)
            return value in container
        case list():
            look_for(value, container)
            return value in container
        case dict():
            look_at(value)
            return not isinstance(value, list | dict) and value in container
    raise Unfit(f"{kind(value)} cannot be in {kind(container)}")


def _number_test(test: Callable[..., bool]) -> Test:
    """Of numbers alone: `%` with a text writes texts."""

    def is_so(*numbers: object) -> bool:
        for value in numbers:
            must_be_there(value)
        if not all(map(is_number, numbers)):
            raise Unfit("this is asked of numbers")
        return test(*numbers)

    return is_so


def _case_test(test: Callable[[str], bool]) -> Test:
    def is_so(value: object) -> bool:
        must_be_there(value)
        look_at(value)
        return isinstance(value, str) and test(value)

    return is_so


def tests() -> dict[str, Test]:
    """All tests of templates, as they stand after `is` and in select()."""
    theirs = cast("Mapping[str, Test]", TESTS)
    found = {name: theirs[name] for name in OF_THE_LIBRARY.split()}
    found |= {
        "divisibleby": _number_test(lambda value, by: value % by == 0),
        "even": _number_test(lambda value: value % 2 == 0),
        "odd": _number_test(lambda value: value % 2 == 1),
        "lower": _case_test(str.islower),
        "upper": _case_test(str.isupper),
        "in": _is_in,
    }
    named = {
        "eq": "eq equalto ==", "ne": "ne !=", "gt": "gt greaterthan >", "gteq": "ge >=", "lt": "lt lessthan <",
        "lteq": "le <=",
    }  # fmt: skip
    found |= {alias: partial(_holds, name) for name, aliases in named.items() for alias in aliases.split()}
    return {name: _paid(name, test) for name, test in found.items()}


def _paid(name: str, test: Test) -> Test:
    @wraps(test, assigned=())
    def run(*values: object, **named: object) -> bool:
        spend(1 + len(values) // SCANNED_A_STEP)
        with saying(f"the test {name} does not fit {kind(values[0])}, or what stands in its brackets"):
            return test(*values, **named)

    return run
