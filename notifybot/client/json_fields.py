"""Read the daemon's JSON field by field; raise UnknownShape where a field is not of the expected kind."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from notifybot.client.errors import UnknownShape

JsonObject = Mapping[str, object]


class JsonFields:
    """One JSON object and the kinds its fields are expected to be."""

    def __init__(self, document: object) -> None:
        if not isinstance(document, Mapping):
            raise UnknownShape("an object was expected")
        self.document: JsonObject = document

    def text(self, name: str) -> str:
        value = self.text_or_none(name)
        if value is None:
            raise UnknownShape(f"`{name}` is missing")
        return value

    def text_or_none(self, name: str) -> str | None:
        """A text; a number, as ids may be, becomes its digits."""
        match self.document.get(name):
            case None:
                return None
            case str(value):
                return value
            case int(value) if not isinstance(value, bool):
                return str(value)
        raise UnknownShape(f"`{name}` is not text")

    def truth(self, name: str) -> bool:
        return self.document.get(name) is True

    def number(self, name: str) -> float:
        """A number; 0 where it is missing or null."""
        match self.document.get(name):
            case None:
                return 0
            case int(value) | float(value) if not isinstance(value, bool):
                return value
        raise UnknownShape(f"`{name}` is not a number")

    def integer_or_none(self, name: str) -> int | None:
        match self.document.get(name):
            case None:
                return None
            case int(value) if not isinstance(value, bool):
                return value
        raise UnknownShape(f"`{name}` is not a whole number")

    def object_or_none(self, name: str) -> JsonObject | None:
        value = self.document.get(name)
        if value is None or isinstance(value, Mapping):
            return value
        raise UnknownShape(f"`{name}` is not an object")

    def moment(self, name: str) -> datetime:
        value = self.moment_or_none(name)
        if value is None:
            raise UnknownShape(f"`{name}` is missing")
        return value

    def moment_or_none(self, name: str) -> datetime | None:
        value = self.text_or_none(name)
        return None if value is None else _moment(name, value)

    def moments(self, name: str) -> tuple[datetime, ...]:
        return tuple(_moment(name, text) for text in self.texts(name))

    def each(self, name: str) -> "Iterator[JsonFields]":
        return (JsonFields(item) for item in self._list(name))

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(str(item) for item in self._list(name))

    def integers(self, name: str) -> tuple[int, ...]:
        return tuple(item for item in self._list(name) if isinstance(item, int))

    def summary(self, name: str) -> str:
        """A part's state in one text, whether the daemon says it as a word or as an object of facts."""
        match self.document.get(name):
            case None:
                return "unknown"
            case str(value):
                return value
            case Mapping() as facts:
                return ", ".join(f"{key} {value}" for key, value in facts.items())
            case value:
                return str(value)

    def _list(self, name: str) -> list[object]:
        value = self.document.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise UnknownShape(f"`{name}` is not a list")
        return value


def _moment(name: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UnknownShape(f"`{name}` is not a time") from error
    if moment.tzinfo is None:
        raise UnknownShape(f"`{name}` names no time zone")
    return moment
