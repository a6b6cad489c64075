"""Read and check request bodies and queries."""

import asyncio
import functools
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from aiohttp import StreamReader, web
from pydantic import BaseModel, ConfigDict, ValidationError

from notifybot.errors import NotifybotError, TooLarge, UnsupportedType, did_you_mean
from notifybot.web import json
from notifybot.web.allowance import count_bytes
from notifybot.web.problems import FieldProblem, InvalidFields, RequestTooSlow, problems_of, shortened

MAX_BODY_BYTES = 1024 * 1024
BODY_WITHIN_S = 30.0
MAX_UNKNOWN = 10
"""Limit of unknown fields in an error; a body can have a hundred thousand."""
FORM = "application/x-www-form-urlencoded"
BLANK = " \t\r\n"
"""White space in JSON; Python strips more."""
ENCODINGS = ("utf-8", "utf8", "us-ascii")

JsonTypes = Mapping[str, frozenset[str]]
"""JSON types of each field."""

M = TypeVar("M", bound="RequestFields")


class RequestFields(BaseModel):
    """Fields of a request. Unknown fields are refused, and types are not converted."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


async def read_fields(request: web.Request, model: type[M]) -> M:
    """Read the JSON body. A missing one is an empty object."""
    return fields_of(await _read(request) if request.can_read_body else b"", model)


def fields_of(body: bytes, model: type[M]) -> M:
    """Read the fields in a JSON body."""
    document = _parse(body)
    if not isinstance(document, dict):
        raise InvalidFields([FieldProblem((), "The body must be a JSON object.")])
    return check(model, document)


async def read_form_fields(request: web.Request) -> dict[str, str]:
    """Read `application/x-www-form-urlencoded`. Raise NotifybotError for a duplicate field."""
    _check_coding(request)
    try:
        pairs = parse_qsl(
            (await read_body(request)).decode(),
            keep_blank_values=True,
            max_num_fields=MAX_UNKNOWN * 10,
            errors="strict",
        )
    except ValueError:
        raise NotifybotError("The form is not UTF-8, or has too many fields.") from None
    if len(dict(pairs)) < len(pairs):
        raise NotifybotError("The form has a field twice.")
    return dict(pairs)


def read_query(request: web.Request, model: type[M]) -> M:
    """Read the query. Raise InvalidFields for a duplicate parameter."""
    seen: dict[str, str] = {}
    for name, value in request.query.items():
        if name in seen:
            raise InvalidFields([FieldProblem((shortened(name),), "this parameter is given twice")])
        seen[name] = value
    return check(model, seen)


def check(model: type[M], given: Mapping[str, object]) -> M:
    """Return the checked fields. Raise InvalidFields with all errors, but at most MAX_UNKNOWN unknown fields."""
    names = _names(model)
    if given.keys() <= names:
        return _validated(model, given, [])
    problems = [_unknown(name, names) for name in [name for name in given if name not in names][:MAX_UNKNOWN]]
    _validated(model, {name: value for name, value in given.items() if name in names}, problems)
    raise InvalidFields(problems)


def _validated(model: type[M], given: Mapping[str, object], problems: list[FieldProblem]) -> M:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise InvalidFields([*problems, *problems_of(error)]) from None


@functools.cache
def _names(model: type[RequestFields]) -> frozenset[str]:
    return frozenset(field.alias or name for name, field in model.model_fields.items())


@functools.cache
def json_types(model: type[RequestFields]) -> JsonTypes:
    """Return the JSON types that each field takes, by its name in requests."""
    schema = model.model_json_schema()
    return {name: frozenset(_types(field, schema.get("$defs", {}))) for name, field in schema["properties"].items()}


def _types(schema: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[str]:
    if reference := schema.get("$ref"):
        yield from _types(known[reference.rpartition("/")[2]], known)
    for either in schema.get("anyOf", ()):
        yield from _types(either, known)
    if "type" in schema:
        yield schema["type"]


def _unknown(name: str, names: frozenset[str]) -> FieldProblem:
    near = did_you_mean(shortened(name), names)
    return FieldProblem((shortened(name),), "this field is unknown" + (f"; did you mean {near}?" if near else ""))


async def _read(request: web.Request) -> bytes:
    if request.headers.get("Content-Type") == "application/json" and "Content-Encoding" not in request.headers:
        return await read_body(request)
    _check_coding(request)
    kind = request.content_type
    is_json = "Content-Type" not in request.headers or kind == "application/json" or kind.endswith("+json")
    # `curl -d '{…}'` sends JSON under the media type of a form.
    if not is_json and kind != FORM:
        raise _not_json(kind)
    body = await read_body(request)
    if kind == FORM and not body.removeprefix(BOM_UTF8).lstrip().startswith(b"{"):
        raise _not_json(kind)
    return body


def _check_coding(request: web.Request) -> None:
    """Refuse compressed bodies, which can be bombs, and other encodings than UTF-8, before reading them."""
    coding = request.headers.get("Content-Encoding", "identity")
    if coding.lower() != "identity":
        raise UnsupportedType(f"The body is encoded as {shortened(coding)}.", hint="Send it without Content-Encoding.")
    charset = request.charset or ENCODINGS[0]
    if charset.lower() not in ENCODINGS:
        raise UnsupportedType(f"The body has the charset {shortened(charset)}.", hint="Send JSON in UTF-8.")


def _not_json(kind: str) -> UnsupportedType:
    return UnsupportedType(
        f"The body is {shortened(kind)}, not JSON.", hint="Send JSON with Content-Type: application/json."
    )


async def read_body(request: web.Request) -> bytes:
    """Read the whole body, within MAX_BODY_BYTES and BODY_WITHIN_S."""
    try:
        if request.content.is_eof():  # small bodies arrive with the headers
            body = _received(request.content)
        else:
            async with asyncio.timeout(BODY_WITHIN_S):
                body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise _too_large() from None
    except TimeoutError:
        raise RequestTooSlow(f"The body took more than {BODY_WITHIN_S:g} seconds.") from None
    except web.RequestPayloadError:
        raise NotifybotError("The body does not match its headers, or is incomplete.") from None
    count_bytes(request, len(body))
    return body


def _received(content: StreamReader) -> bytes:
    body = content.read_nowait()
    if len(body) > MAX_BODY_BYTES:
        raise _too_large()
    return body


def _too_large() -> TooLarge:
    return TooLarge(
        f"The body is larger than {MAX_BODY_BYTES} bytes.",
        hint="Send files, and long texts, as a form: `curl -F file=@NAME`.",
    )


def _parse(body: bytes) -> object:
    try:
        text = body.decode("utf-8-sig")  # some editors and shells write a byte order mark
    except UnicodeDecodeError as error:
        raise NotifybotError(f"The body is not UTF-8: byte {error.start} is invalid.") from None
    return json.parse(text) if text.strip(BLANK) else {}
