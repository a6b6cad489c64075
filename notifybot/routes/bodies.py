"""Request bodies and queries → checked values. Whatever is wrong is said, and nothing of it is kept."""

import asyncio
import json
import math
import zlib
from collections.abc import Sequence
from typing import Any, NoReturn, TypeVar

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import BaseModel, ConfigDict, ValidationError

from notifybot.errors import NotifybotError
from notifybot.routes.problems import FieldProblem, InvalidFields, TooLarge, TooSlow, UnsupportedType, from_validation

MAX_BODY_BYTES = 1024 * 1024
BODY_WITHIN_S = 30.0
MAX_DEPTH = 32
FORM = "application/x-www-form-urlencoded"

M = TypeVar("M", bound="Fields")


class Fields(BaseModel):
    """A request's fields: unknown ones are refused, and no type stands in for another."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


async def read_fields(request: web.Request, model: type[M]) -> M:
    """The body as `model`. A missing body is an empty object."""
    document = _parse(await _read(request)) if request.can_read_body else {}
    return check(model, document)


def read_query(request: web.Request, model: type[M]) -> M:
    """The query as `model`; each name may stand there once."""
    seen: dict[str, str] = {}
    for name, value in request.query.items():
        if name in seen:
            raise InvalidFields([FieldProblem((name,), "this parameter stands there twice")])
        seen[name] = value
    return check(model, seen)


def check(model: type[M], document: object) -> M:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise from_validation(error) from None


async def _read(request: web.Request) -> bytes:
    kind = request.content_type
    is_json = "Content-Type" not in request.headers or kind == "application/json" or kind.endswith("+json")
    # `curl -d '{…}'` says that it sends a form; what it sends is JSON all the same.
    if not is_json and kind != FORM:
        raise _not_json(kind)
    body = await _read_body(request)
    if kind == FORM and not body.lstrip().startswith(b"{"):
        raise _not_json(kind)
    return body


def _not_json(kind: str) -> UnsupportedType:
    return UnsupportedType(f"The body is {kind}, not JSON.", hint="Send JSON with Content-Type: application/json.")


async def _read_body(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise TooLarge(f"The body is larger than {MAX_BODY_BYTES} bytes.") from None
    except TimeoutError:
        raise TooSlow(f"The body did not come within {BODY_WITHIN_S:g} seconds.") from None
    except (HttpProcessingError, web.PayloadAccessError, zlib.error, ValueError):
        raise NotifybotError("The body is not what its headers say, or it broke off.") from None


def _parse(body: bytes) -> object:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotifybotError(f"The body is not UTF-8: byte {error.start} does not fit.") from None
    if not text.strip():
        return {}
    try:
        document = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_finite)
    except (json.JSONDecodeError, RecursionError, ValueError) as error:
        raise NotifybotError(f"The body is not JSON: {_reason(error)}.") from None
    _check_depth(document)
    return document


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}, column {error.colno}"
    return str(error)


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice!r:.80} stands twice in one object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError("a number is too large")
    return value


def _check_depth(document: object) -> None:
    level = [document]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in _children(node)]
        if not level:
            return
    raise NotifybotError(f"The body is nested deeper than {MAX_DEPTH} levels.")


def _children(node: object) -> Sequence[object]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else ()
