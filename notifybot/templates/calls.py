"""The one gate to Python: each filter, test, method and operator is charged its steps before it runs."""

from collections.abc import Callable, Iterable
from typing import Any

from jinja2 import Undefined
from jinja2.exceptions import FilterArgumentError

from notifybot.templates.errors import Unfit, kind
from notifybot.templates.limits import CHARACTERS_PER_STEP, LimitExceeded, pay_for, size_of, spend

Function = Callable[..., Any]
STEPS_PER_CALL = 10
BY_TYPE = "boolean defined false float integer iterable mapping none number sequence string true undefined"
TYPE_TESTS = frozenset(BY_TYPE.split())
CHEAP = TYPE_TESTS | {"d", "default", "first", "get", "last", "length"}
"""They take the same time for a value of any size."""
PYTHON_ERRORS = (
    *(TypeError, ValueError, ArithmeticError, LookupError, AttributeError, AssertionError),
    FilterArgumentError,
)
"""The value does not fit; these messages are not meant for users."""


def call(label: str, name: str, function: Function, *args: Any, **named: Any) -> object:
    """Call a Python function, and charge steps for its arguments and its result. Raises LimitExceeded, Unfit.

    `label` is the function in an error.
    """
    values = (*args, *named.values())
    spend(STEPS_PER_CALL)
    is_cheap = name in CHEAP or (name in ("in", "not in") and isinstance(values[-1], dict))
    if not is_cheap:
        _pay_for_arguments(*values)
    try:
        result = _at_once(function(*args, **named))
    except ZeroDivisionError:
        raise Unfit("division by zero") from None
    except OverflowError:
        raise LimitExceeded("a number is too large") from None
    except PYTHON_ERRORS:
        raise Unfit(f"{label} does not work with {' and '.join(map(kind, values)) or 'nothing'}") from None
    if not is_cheap:
        _pay_for_result(result)
    return result


def _pay_for_arguments(value: object = None, *others: object) -> None:
    """Charge for all arguments, and for a text or attribute path that is looked up for each item of the first."""
    for each in (value, *others):
        pay_for(each)
    characters = sum(len(each) for each in others if isinstance(each, str))
    spend(_length(value) * characters // CHARACTERS_PER_STEP)


def _pay_for_result(result: object) -> None:
    """Charge for the list itself; its items were charged as arguments or when they were made."""
    spend(_length(result))
    pay_for(result if isinstance(result, str | int) else None)


def _length(value: object) -> int:
    if isinstance(value, str):
        return size_of(value, stop_above=0)
    return len(value) if isinstance(value, list | tuple) else 0


def _at_once(value: object) -> object:
    """Materialize lazy iterables here, while their steps still count against the budget."""
    if value is None or isinstance(value, str | int | float | list | dict | Undefined):
        return value
    if not isinstance(value, Iterable):
        return value
    return [list(each) if isinstance(each, tuple) else each for each in value]
