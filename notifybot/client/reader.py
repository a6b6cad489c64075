"""Reader for the daemon's JSON: turns objects into records by their annotations. Standard library only.

Annotations may be str, int, float, bool, datetime, a JSON object (`JsonObject`), another record, `X | None` or
`tuple[X, ...]`. A field that is missing or null gets its default, else None or () where the annotation allows that.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from types import UnionType

from notifybot.client.errors import UnknownShape
from notifybot.client.record import MISSING, fields_of, is_record

TYPE_CHECKING = False  # importing typing takes 3 ms
if TYPE_CHECKING:
    from typing import Any, TypeVar

    T = TypeVar("T")

JsonObject = Mapping[str, object]
Read = Callable[[object, str], object]
"""Converts a JSON value; the text is its path in the document, for errors."""


def read(kind: "type[T]", document: object) -> "T":
    """Read a JSON object into the record `kind`. Raises UnknownShape."""
    value: T = _read_record(kind, document, "")
    return value


def read_list(kind: "type[T]", document: object, name: str | None = None) -> "tuple[T, ...]":
    """Read a list, or the list that an object has under `name`. Raises UnknownShape."""
    if name is not None:
        document = read_object(document).get(name)
    read_items: Any = _list_reader(kind)
    items: tuple[T, ...] = () if document is None else read_items(document, name or "")
    return items


def read_object(document: object, path: str = "") -> JsonObject:
    if not isinstance(document, Mapping):
        raise UnknownShape(f"{_named(path)} is not an object")
    return document


def _read_record(kind: type, document: object, path: str) -> "Any":
    given = read_object(document, path)
    values: dict[str, object] = {}
    for name, json_name, reader, default in _plan(kind):
        value = given if json_name is None else given.get(json_name)
        if value is not None:
            values[name] = reader(value, f"{path}.{json_name}" if path and json_name else json_name or path)
        elif default is MISSING:
            raise UnknownShape(f"{_named(f'{path}.{json_name}' if path else json_name)} is missing")
        else:
            values[name] = default
    return kind(**values)


@cache
def _plan(kind: type) -> tuple[tuple[str, str | None, Read, object], ...]:
    """Each field of a record: its name, its name in the JSON, how to read it, and its value where it is missing."""
    return tuple((each.name, each.key, *_reader(each.annotation, each.default)) for each in fields_of(kind))


def _reader(annotation: "Any", default: object) -> tuple[Read, object]:
    if isinstance(annotation, UnionType):
        (annotation,) = (each for each in annotation.__args__ if each is not type(None))
        return _reader(annotation, None if default is MISSING else default)
    if getattr(annotation, "__origin__", None) is tuple:
        return _list_reader(annotation.__args__[0]), () if default is MISSING else default
    if getattr(annotation, "__origin__", None) is Mapping:
        return read_object, default
    return _item_reader(annotation), default


def _list_reader(kind: type) -> Read:
    read_item = _item_reader(kind)

    def read_items(value: object, path: str) -> "Any":
        if not isinstance(value, list):
            raise UnknownShape(f"{_named(path)} is not a list")
        return tuple([read_item(item, f"{path}[{index}]") for index, item in enumerate(value)])

    return read_items


def _item_reader(kind: type) -> Read:
    if is_record(kind):
        return lambda value, path: _read_record(kind, value, path)
    return READERS[kind]


def _text(value: object, path: str) -> str:
    """A number, as ids may be, becomes its digits."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise UnknownShape(f"{_named(path)} is not text")


def _boolean(value: object, path: str) -> bool:
    if isinstance(value, bool):
        return value
    raise UnknownShape(f"{_named(path)} is neither true nor false")


def _integer(value: object, path: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise UnknownShape(f"{_named(path)} is not a whole number")


def _number(value: object, path: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise UnknownShape(f"{_named(path)} is not a number")


def _moment(value: object, path: str) -> datetime:
    try:
        moment = datetime.fromisoformat(_text(value, path))
    except ValueError as error:
        raise UnknownShape(f"{_named(path)} is not a time") from error
    if moment.tzinfo is None:
        raise UnknownShape(f"{_named(path)} has no time zone")
    return moment


def _named(path: str | None) -> str:
    return f"`{path}`" if path else "the document"


READERS: Mapping[type, Read] = {str: _text, bool: _boolean, int: _integer, float: _number, datetime: _moment}
