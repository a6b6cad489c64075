"""How much one rendering may do and write: whatever a template and its data say, it ends soon."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

MOST_STEPS = 20_000
"""Turns of loops and items that filters look at, in one rendering."""
MOST_CHARACTERS = 64_000
"""Of what is written, and of each text on the way to it."""
CHARACTERS_A_STEP = 256
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


def spend(value: object) -> None:
    """Note that somebody looks through all of `value`. Raises TooMuch."""
    left = _budget.get()
    left.steps -= _cost(value)
    if left.steps < 0:
        raise TooMuch(f"it takes more than {MOST_STEPS:,} steps")


def _cost(value: object) -> int:
    match value:
        case str():
            return 1 + len(value) // CHARACTERS_A_STEP
        case list() | dict() | tuple() | range():
            return 1 + len(value)
        case _:
            return 1


def fits(value: object) -> None:
    """Raise TooMuch for a text, a number, a list or an object that is too large, with all that is in it."""
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        raise TooMuch("a number grows too large")
    if isinstance(value, str | list | tuple | dict) and is_larger(value, MOST_CHARACTERS):
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
