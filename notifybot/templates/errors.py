"""Errors of templates, in the words of those who write them."""

from collections.abc import Mapping

from jinja2 import ChainableUndefined, StrictUndefined, Undefined
from jinja2.runtime import LoopContext

KINDS: Mapping[type, str] = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
    tuple: "a list",
    dict: "an object",
    type(None): "null",
    Undefined: "a missing value",
    LoopContext: "loop",
}
MAX_SHOWN_NAME = 64


class Unfit(Exception):
    """A value does not fit what the template does with it."""


class Unrenderable(Exception):
    """A template cannot be rendered. `line` counts from 1 (None: unknown); `is_missing`: data lacks something."""

    def __init__(self, what: str, line: int | None, *, is_missing: bool = False) -> None:
        super().__init__(what)
        self.what = what
        self.line = line
        self.is_missing = is_missing


class Missing(ChainableUndefined, StrictUndefined):
    """A value that data does not have: fine to ask for (`if`, `or`, `is defined`, `default`), an error to use."""

    __slots__ = ()

    def __bool__(self) -> bool:  # type: ignore[override] # StrictUndefined raises
        return False

    @property
    def _undefined_message(self) -> str:
        name = self._undefined_name
        what = repr(name)[:MAX_SHOWN_NAME] if isinstance(name, str | int) else "an item"
        return self._undefined_hint or f"{what} is missing from {kind(self._undefined_obj)}"


def kind(value: object) -> str:
    """Name the type of a value as JSON does, and those of a list's items."""
    if not isinstance(value, list | tuple) or not value:
        return _kind(value)
    return f"a list of {' and '.join(sorted({_kind(each).split()[-1] + 's' for each in value}))}"


def _kind(value: object) -> str:
    return next((words for each, words in KINDS.items() if isinstance(value, each)), "data")


def must_exist(*values: object) -> None:
    """Raise UndefinedError for a missing value."""
    for value in values:
        if isinstance(value, Undefined):
            str(value)
