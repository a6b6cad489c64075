"""Refusals as `application/problem+json`, without internals."""

import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from aiohttp import HttpVersion10, web
from pydantic import PlainSerializer, ValidationError

from notifybot.errors import NotifybotError, TooManyRequests, Unauthenticated, Unavailable
from notifybot.web.documents import OPTIONAL, SERVER, encode

RETRY_AFTER_S = 1
MAX_QUOTED = 80
CHALLENGE = 'Bearer realm="notifybot"'
"""RFC 6750, section 3."""
SPEAK_HTTP = "Use HTTP/1.1, with lines of at most 8190 bytes and at most 128 headers."
log = logging.getLogger(__name__)
MESSAGES = {
    "missing": "this field is required",
    "string_type": "this must be text",
    "bool_type": "this must be true or false",
    "int_type": "this must be a whole number",
    "float_type": "this must be a number",
    "list_type": "this must be a list",
    "tuple_type": "this must be a list",
    "dict_type": "this must be an object",
    "model_type": "this must be an object",
}
"""pydantic's error types in words for callers who do not know Python."""


@dataclass(frozen=True)
class FieldProblem:
    """An error in one field; `loc` is its path, empty for the whole body."""

    loc: tuple[str | int, ...]
    msg: str


class InvalidFields(NotifybotError):
    """The request is readable, but fields in it are invalid."""

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        first = problems[0]
        where = ".".join(map(str, first.loc))
        super().__init__(f"{where}: {first.msg}" if where else first.msg)
        self.problems = tuple(problems)


class RequestTooSlow(NotifybotError):
    code = 408
    title = "Request took too long"


def problems_of(error: ValidationError) -> list[FieldProblem]:
    """Convert pydantic's errors, without the caller's input."""
    return [
        FieldProblem(found["loc"], _sentence(found["type"], found["msg"]))
        for found in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def _sentence(kind: str, message: str) -> str:
    if kind in MESSAGES:
        return MESSAGES[kind]
    return message.removeprefix("Value error, ").removeprefix("Assertion failed, ")


def shortened(text: str) -> str:
    """Shorten a caller's text for an error message."""
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}…"


def _sendable(text: str) -> str:
    """Replace lone surrogates: a caller can send them in JSON, but UTF-8 has none."""
    return text.encode("utf-8", "replace").decode()


Text = Annotated[str, PlainSerializer(_sendable, return_type=str)]


@dataclass(slots=True, kw_only=True)
class ErrorDocument:
    """An error in one field; `loc` is its path, empty for the whole body."""

    loc: list[str | int]
    msg: Text


@dataclass(slots=True, kw_only=True)
class ProblemDocument:
    """A refusal, as RFC 9457 has it. `errors` only where fields are wrong."""

    type: str = "about:blank"
    title: str
    status: int
    detail: Text
    hint: Annotated[Text | None, OPTIONAL] = None
    errors: Annotated[list[ErrorDocument] | None, OPTIONAL] = None


def response(error: NotifybotError) -> web.Response:
    document = ProblemDocument(title=error.title, status=error.code, detail=error.detail, hint=error.hint)
    if isinstance(error, InvalidFields):
        document.errors = [ErrorDocument(loc=_loc(found), msg=found.msg) for found in error.problems]
    return _response(document, _headers(error))


def _loc(found: FieldProblem) -> list[str | int]:
    return [_sendable(each) if isinstance(each, str) else each for each in found.loc]


def _headers(error: NotifybotError) -> dict[str, str]:
    match error:
        case Unavailable():
            return {"Retry-After": str(RETRY_AFTER_S)}
        case TooManyRequests(retry_after_s=seconds):
            return {"Retry-After": str(seconds)}
        case Unauthenticated(is_wrong=is_wrong):
            return {"WWW-Authenticate": CHALLENGE + (', error="invalid_token"' if is_wrong else "")}
    return {}


def _response(document: ProblemDocument, headers: dict[str, str]) -> web.Response:
    return web.Response(
        body=encode(document),
        status=document.status,
        content_type="application/problem+json",
        headers={**SERVER, **headers},
    )


def from_status(status: int, detail: str, *, hint: str | None = None, allow: str | None = None) -> web.Response:
    """Make a problem for a refusal of aiohttp."""
    title = HTTPStatus(status).phrase.capitalize()
    headers = {} if allow is None else {"Allow": allow}
    return _response(ProblemDocument(title=title, status=status, detail=detail, hint=hint), headers)


def raw(error: NotifybotError) -> bytes:
    """Write a refusal as a whole HTTP response, for a connection that is closed before its request is read."""
    answer = response(error)
    assert isinstance(answer.body, bytes)
    head = f"HTTP/1.1 {answer.status} {answer.reason}\r\nConnection: close\r\nContent-Length: {len(answer.body)}\r\n"
    named = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items() if name != "Content-Length")
    return f"{head}{named}\r\n".encode() + answer.body


def unreadable() -> web.Response:
    """Refuse a request that is not HTTP, and close the connection."""
    answer = from_status(400, "This is not a valid HTTP request.", hint=SPEAK_HTTP)
    answer.force_close()
    return answer


def of_library(error: web.HTTPException) -> web.Response:
    """Convert a refusal that aiohttp makes before it looks for a handler."""
    if error.status == HTTPStatus.EXPECTATION_FAILED:
        return from_status(error.status, "The only supported expectation is 100-continue.")
    return from_status(error.status, f"The request was refused: {error.reason}.")


def internal(path: str, error: BaseException | None) -> web.Response:
    """Log an unexpected error under an incident id, and return 500 with that id."""
    incident = secrets.token_hex(6)
    extra = {"action": "internal_error", "incident": incident, "path": path}
    log.error("request failed", exc_info=error, extra=extra)
    return from_status(500, f"notifybot has an internal error; see its log under the id {incident}.")


@web.middleware
async def as_problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        if request.version < HttpVersion10:
            raise NotifybotError("This is not a valid HTTP request: it has no version.", hint=SPEAK_HTTP)
        return await handler(request)
    except NotifybotError as error:
        return response(error)
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        detail = f"{shortened(request.path)} allows {allowed}, not {shortened(error.method)}."
        return from_status(405, detail, allow=allowed)
    except web.HTTPNotFound:
        where = shortened(request.path or request.raw_path)
        return from_status(404, f"There is no {where}; GET / lists the endpoints.")
    except (ConnectionError, web.HTTPException):
        raise  # the caller is gone, or _ProblemProtocol converts it
    except Exception as error:  # noqa: BLE001 - logged with an id that the caller gets
        return internal(request.path, error)
