"""How much one rendering may do and write: whatever a template and its data say, it ends soon."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

MOST_STEPS = 20_000
"""Turns of loops, and all that filters, comparisons and the rest look at, in one rendering."""
MOST_CHARACTERS = 64_000
"""Of what is written, and of each text on the way to it."""
CHARACTERS_A_STEP = 64
SCANNED_A_STEP = 16
"""Items of a list that `x in list` compares with a small x."""
MOST_BITS = 4096
"""Of a whole number: nobody reads longer ones."""


class TooMuch(Exception):
    """A template wanted to do or write more than one message needs."""


@dataclass
class _Budget:
    steps: int = MOST_STEPS


_budget: ContextVar[_Budget] = ContextVar("budget")


@contextmanager
def budget() -> Iterator[None]:
    """What is done inside has MOST_STEPS together."""
    token = _budget.set(_Budget())
    try:
        yield
    finally:
        _budget.reset(token)


def spend(steps: int) -> None:
    """Note that so much is about to be done. Raises TooMuch."""
    left = _budget.get()
    left.steps -= steps
    if left.steps < 0:
        raise TooMuch(f"it takes more than {MOST_STEPS:,} steps")


def look_at(value: object) -> None:
    """Note that somebody looks at each item of `value`, or at all of a text. Raises TooMuch."""
    spend(1 + (len(value) if isinstance(value, list | tuple | dict) else _steps_of(value)))


def look_through(value: object) -> None:
    """Note that somebody looks at all that is in `value`, however deep; what stands there often counts as often.

    Raises TooMuch as soon as that is sure.
    """
    waiting = [value]
    while waiting:
        each = waiting.pop()
        spend(1 + _steps_of(each))
        if isinstance(each, Mapping):
            spend(len(each) // SCANNED_A_STEP)  # before so many are put aside
            waiting += [*each.keys(), *each.values()]
        elif isinstance(each, list | tuple):
            spend(len(each) // SCANNED_A_STEP)
            waiting += each


def _steps_of(value: object) -> int:
    return len(value) // CHARACTERS_A_STEP if isinstance(value, str) else 0


def look_for(value: object, items: list[object]) -> None:
    """Note that `value` is compared with each of the items. Raises TooMuch."""
    if isinstance(value, list | dict):
        look_through(items)
    spend(1 + len(items) * (1 + _steps_of(value)) // SCANNED_A_STEP)


def fits(value: object) -> None:
    """Raise TooMuch for a text or a number that is too long. Of lists and objects each item was paid for."""
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        raise TooMuch("a number grows too large")
    if isinstance(value, str) and len(value) > MOST_CHARACTERS:
        raise too_long()


def is_larger(value: object, most: int) -> bool:
    """Whether the texts and items in `value` are more than so many; what stands in it often counts as often."""
    waiting = [value]
    while waiting and most >= 0:
        each = waiting.pop()
        most -= len(each) if isinstance(each, str) else 1
        if isinstance(each, Mapping):
            waiting += [*each.keys(), *each.values()]
        elif isinstance(each, list | tuple):
            waiting += each
    return most < 0


def too_long() -> TooMuch:
    return TooMuch(f"it makes more than {MOST_CHARACTERS:,} characters")
