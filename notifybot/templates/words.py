"""What does not fit a template, in words for those who write them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from jinja2 import Undefined
from jinja2.exceptions import FilterArgumentError

KINDS: Mapping[type, str] = {
    dict: "an object",
    list: "a list",
    tuple: "a list",
    str: "a text",
    type(None): "null",
    bool: "true or false",
    int: "a number",
    float: "a number",
}
PYTHONS = (
    *(TypeError, ValueError, ArithmeticError, LookupError, AttributeError, AssertionError),
    FilterArgumentError,
)
"""What Python and the filters of the library raise where a value does not fit, in words that are not for people."""


class Unfit(Exception):
    """A value does not fit what a template does with it."""


def kind(value: object) -> str:
    return next((words for each, words in KINDS.items() if type(value) is each), _kind_of_others(value))


def _kind_of_others(value: object) -> str:
    return "a text" if isinstance(value, str) else "what is missing" if isinstance(value, Undefined) else "this"


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def must_be_there(value: object) -> None:
    """Raise the library's UndefinedError for what is missing."""
    if isinstance(value, Undefined):
        str(value)


@contextmanager
def saying(what: str) -> Iterator[None]:
    """Whatever Python has against what is done inside is said as Unfit(what), but for what numbers have."""
    try:
        yield
    except ZeroDivisionError:
        raise Unfit("division by zero") from None
    except OverflowError:
        raise Unfit("a number grows too large") from None
    except PYTHONS:
        raise Unfit(what) from None
