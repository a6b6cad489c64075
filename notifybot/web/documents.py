"""Response documents: dataclasses from which both the JSON and its OpenAPI schema follow."""

import functools
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from aiohttp import web
from pydantic import Field, PlainSerializer, TypeAdapter, WithJsonSchema

TIMESTAMPS_CACHED = 64
"""Requests that share a commit share their timestamps."""
SERVER = {"Server": "notifybot"}
"""Hides the versions of aiohttp and Python."""
HEADERS = {"Content-Type": "application/json; charset=utf-8", **SERVER}

D = TypeVar("D")


@functools.lru_cache(TIMESTAMPS_CACHED)
def format_timestamp(at: datetime) -> str:
    """Write a moment as RFC 3339 in UTC, to the millisecond."""
    utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    return utc.isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"


Timestamp = Annotated[
    datetime,
    PlainSerializer(format_timestamp, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
OPTIONAL = Field(exclude_if=lambda value: value is None)
"""A field that the JSON leaves out while it is None."""


def named(name: str) -> Any:
    """Call a field by another name in the JSON."""
    return Field(serialization_alias=name)


def build(kind: type[D], *sources: object, **given: Any) -> D:
    """Make a document, taking each field that is not given from the first source that has an attribute of its name."""
    for field in fields(kind):  # type: ignore[arg-type] # documents are dataclasses
        if field.name not in given:
            source = next((each for each in sources if hasattr(each, field.name)), None)
            if source is not None or field.default is MISSING:
                given[field.name] = getattr(source, field.name)
    return kind(**given)


@functools.cache
def adapter_of(kind: Any) -> TypeAdapter[Any]:
    """Compile the serializer and the schema of a document type, once."""
    return TypeAdapter(kind)


def encode(document: object, kind: Any = None) -> bytes:
    """Write a document as JSON. `kind`: its type, where that is no dataclass: list[PersonDocument]."""
    document_type: Any = type(document) if kind is None else kind
    return adapter_of(document_type).serializer.to_json(document, by_alias=True)


def json_response(document: object, *, status: int = 200, kind: Any = None) -> web.Response:
    return web.Response(body=encode(document, kind), status=status, headers=HEADERS)
