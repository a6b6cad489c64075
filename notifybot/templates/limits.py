"""Limits of one rendering: the steps it may take and the text it may make."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

MAX_STEPS = 200_000
"""Nodes of the template in each turn of a loop, and items that calls look at."""
MAX_CHARACTERS = 64_000
"""Limit for the data, the output, and every intermediate string."""
CHARACTERS_PER_STEP = 10
MAX_BITS = 4096  # of an integer: 1,233 digits
_steps_left: ContextVar[int] = ContextVar("steps_left")


class LimitExceeded(Exception):
    """The template does or makes more than one message needs."""


@contextmanager
def budget() -> Iterator[None]:
    """Give everything inside MAX_STEPS together."""
    token = _steps_left.set(MAX_STEPS)
    try:
        yield
    finally:
        _steps_left.reset(token)


def spend(steps: int) -> None:
    """Take steps from the budget, before the work is done. Raises LimitExceeded."""
    left = _steps_left.get() - max(steps, 0)  # a template can call _each through map(), with any number
    if left < 0:
        raise LimitExceeded(f"it takes more than {MAX_STEPS:,} steps")
    _steps_left.set(left)


def pay_for(value: object) -> None:
    """Charge the steps of walking a value, nested ones included. Raises LimitExceeded."""
    check_length(len(value) if isinstance(value, str) else 0)
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise LimitExceeded("a number is too large")
    spend(size_of(value, stop_above=_steps_left.get()))


def size_of(value: object, *, stop_above: int, characters_per_step: int = CHARACTERS_PER_STEP) -> int:
    """Count items and characters, each as often as it occurs. Stop counting above a size."""
    size, waiting = 0, [value]
    while waiting and size <= stop_above:
        each = waiting.pop()
        size += 1
        if isinstance(each, str):
            size += len(each) // characters_per_step
        elif isinstance(each, int):
            size += each.bit_length() // 32  # ten digits
        elif isinstance(each, dict):
            waiting += [*each, *each.values()]
        elif isinstance(each, list | tuple):
            waiting += each
    return size


def check_length(characters: int) -> None:
    """Refuse a string, best before it is made. Raises LimitExceeded."""
    if characters > MAX_CHARACTERS:
        raise LimitExceeded(f"it makes more than {MAX_CHARACTERS:,} characters")
