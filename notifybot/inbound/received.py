"""What a program posted, and its fields, read leniently: unknown ones are ignored, wrong types are named."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from notifybot.errors import NotifybotError
from notifybot.web import json
from notifybot.web.problems import FieldProblem, InvalidFields, shortened

MAX_ITEMS = 5000
MAX_FORM_FIELDS = 200
_BOUNDARY = re.compile(r';\s*boundary=(?:"([^"]+)"|([^;\s"]+))')
_FIELD_NAME = re.compile(rb'[;\s]name="([^"]*)"')
_INVALID = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True)
class Received:
    """A request: `headers` with names in lower case, `mapping` from the route's `fields` in the config."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    mapping: Mapping[str, str] = field(default_factory=dict)
    has_topic: bool = False
    """It came to `POST /`, where ntfy takes a JSON object that names its topic."""

    @property
    def text(self) -> str:
        try:
            return self.body.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise NotifybotError(f"The body is not UTF-8: byte {error.start} is invalid.") from None

    def form(self) -> "Fields | None":
        """Return the fields of a form, urlencoded or multipart; None if the body is no form."""
        kind = self.headers.get("content-type", "")
        if kind.startswith("application/x-www-form-urlencoded"):
            return self.urlencoded()
        boundary = _BOUNDARY.search(kind)
        if not kind.startswith("multipart/form-data") or boundary is None:
            return None
        line = f"\r\n--{boundary[1] or boundary[2]}".encode("utf-8", "replace")
        parts = (b"\r\n" + self.body).split(line, MAX_FORM_FIELDS + 2)[1:-1]
        if len(parts) > MAX_FORM_FIELDS:
            raise _too_many()
        return Fields(dict(map(_form_field, parts)))

    def urlencoded(self) -> "Fields":
        try:
            return Fields(dict(parse_qsl(self.text, keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS)))
        except ValueError:
            raise _too_many() from None

    def fields(self) -> "Fields":
        """Return the fields of the JSON object in the body."""
        document = json.parse(self.text)
        if not isinstance(document, dict):
            raise NotifybotError("The body must be a JSON object.")
        return Fields(document)


@dataclass(frozen=True)
class Fields:
    """An object in a document. A missing field and null are the same: empty."""

    values: Mapping[str, object]
    path: tuple[str | int, ...] = ()

    def text(self, name: str) -> str:
        value = self.values.get(name)
        if isinstance(value, dict | list):
            raise self.refuse(name, "this must be text")
        return as_text(value)

    def needed(self, name: str) -> str:
        """Return a text that the format always has."""
        if not (found := self.text(name)).strip():
            raise self.refuse(name, "this field is required")
        return found

    def section(self, name: str) -> "Fields":
        value = self.values.get(name)
        if value is None:
            return Fields({}, (*self.path, name))
        if not isinstance(value, dict):
            raise self.refuse(name, "this must be an object")
        return Fields(value, (*self.path, name))

    def items(self, name: str) -> list["Fields"]:
        """Return the objects of a list."""
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise self.refuse(name, "this must be a list of objects")
        if len(value) > MAX_ITEMS:
            raise self.refuse(name, f"this has more than {MAX_ITEMS} entries")
        return [Fields(each, (*self.path, name, number)) for number, each in enumerate(value)]

    def texts(self, name: str) -> dict[str, str]:
        """Return an object of texts, such as labels."""
        found = self.section(name)
        return {as_text(key): found.text(key) for key in found.values}

    def refuse(self, name: str, error: str) -> InvalidFields:
        return InvalidFields([FieldProblem((*self.path, shortened(name)), error)])


def _too_many() -> NotifybotError:
    return NotifybotError(f"The form has more than {MAX_FORM_FIELDS} fields.")


def _form_field(part: bytes) -> tuple[str, str]:
    head, _, content = part.partition(b"\r\n\r\n")
    name = _FIELD_NAME.search(head)
    return (name[1].decode("utf-8", "replace") if name else "", content.decode("utf-8", "replace"))


def as_text(value: object) -> str:
    """Write a JSON value as text that can be stored and sent."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return _INVALID.sub("\ufffd", str(value))
