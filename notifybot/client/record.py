"""Records: classes with named fields that cannot change, like frozen dataclasses. Standard library only.

Importing dataclasses takes 5 ms, and it compiles a constructor for each class: a third of what `notifybot send` took.
A record has the same constructor, equality, hash, repr and match patterns. `read` makes one from JSON.
"""

TYPE_CHECKING = False  # importing typing takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn, TypeVar, dataclass_transform

    T = TypeVar("T")
else:

    def dataclass_transform(**_: object) -> object:
        return lambda function: function


MISSING = object()
"""The default of a field that must be given."""


class Field:
    """One field: its annotation, its default, and `key`, its name in JSON; None for the whole object."""

    __slots__ = ("annotation", "default", "key", "name")

    def __init__(self, name: str, annotation: object, default: object, key: str | None) -> None:
        self.name = name
        self.annotation = annotation
        self.default = default
        self.key = key


class _Key:
    """A field's name in JSON and its default, until the class is complete."""

    __slots__ = ("default", "name")

    def __init__(self, name: str | None, default: object) -> None:
        self.name = name
        self.default = default


def key(name: str, default: "Any" = MISSING) -> "Any":
    """Declare a field that the JSON calls `name`."""
    return _Key(name, default)


def whole() -> "Any":
    """Declare a field that is read from the whole JSON object instead of one of its fields."""
    return _Key(None, MISSING)


@dataclass_transform(frozen_default=True, field_specifiers=(key, whole))
def record(*, kw_only: bool = False) -> "Callable[[type[T]], type[T]]":
    """Make a class a record of its annotated fields, in their order; `kw_only` takes them by name alone.

    Fields are the class's own: a record does not inherit those of another.
    """

    def made(kind: "type[T]") -> "type[T]":
        found = tuple(_field(kind, name, annotation) for name, annotation in kind.__annotations__.items())
        positional = () if kw_only else tuple(field.name for field in found)
        methods = {"__init__": _init, "__repr__": _repr, "__eq__": _equal, "__hash__": _hash}
        frozen = {"__setattr__": _refuse_to_set, "__delattr__": _refuse_to_set}
        for name, value in (methods | frozen | {"__match_args__": positional, FIELDS: found}).items():
            setattr(kind, name, value)
        return kind

    return made


FIELDS = "__record_fields__"


def is_record(kind: type) -> bool:
    return hasattr(kind, FIELDS)


def fields_of(kind: type) -> tuple[Field, ...]:
    """List the fields of a record, in their order."""
    found: tuple[Field, ...] = getattr(kind, FIELDS)
    return found


def _field(kind: type, name: str, annotation: object) -> Field:
    given = vars(kind).get(name, MISSING)
    if not isinstance(given, _Key):
        return Field(name, annotation, given, name)
    # As in a dataclass, the class has the default itself, and no attribute without one.
    if given.default is MISSING:
        delattr(kind, name)
    else:
        setattr(kind, name, given.default)
    return Field(name, annotation, given.default, given.name)


def _init(self: object, /, *given: object, **named: object) -> None:
    kind = type(self)
    places: tuple[str, ...] = getattr(kind, "__match_args__", ())
    if len(given) > len(places):
        raise TypeError(f"{kind.__name__}() takes {len(places)} positional arguments but {len(given)} were given")
    placed = dict(zip(places, given, strict=False))
    for twice in placed.keys() & named.keys():
        raise TypeError(f"{kind.__name__}() got multiple values for argument {twice!r}")
    named |= placed
    fields = fields_of(kind)
    for unknown in named.keys() - {field.name for field in fields}:
        raise TypeError(f"{kind.__name__}() got an unexpected keyword argument {unknown!r}")
    for field in fields:
        if named.setdefault(field.name, field.default) is MISSING:
            raise TypeError(f"{kind.__name__}() is missing the argument {field.name!r}")
    vars(self).update(named)  # __setattr__ refuses


def _values(self: object) -> tuple[object, ...]:
    values = vars(self)
    return tuple(values[field.name] for field in fields_of(type(self)))


def _repr(self: object) -> str:
    shown = (f"{field.name}={vars(self)[field.name]!r}" for field in fields_of(type(self)))
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _equal(self: object, other: object) -> bool:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self: object) -> int:
    return hash(_values(self))


def _refuse_to_set(self: object, name: str, _: object = None) -> "NoReturn":
    raise AttributeError(f"cannot change {name!r}: a {type(self).__name__} is frozen")
