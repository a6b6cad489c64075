"""Every refusal as `application/problem+json`, and nothing of our insides in it."""

import json
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web
from pydantic import ValidationError

from notifybot.errors import NotifybotError, Unavailable

RETRY_AFTER_S = 1
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FieldProblem:
    """What is wrong with one field; `loc` is its path, empty for the whole body."""

    loc: tuple[str | int, ...]
    msg: str


class InvalidFields(NotifybotError):
    """The request as a whole is readable, and these fields are not what they must be."""

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        first = problems[0]
        where = ".".join(map(str, first.loc))
        super().__init__(f"{where}: {first.msg}" if where else first.msg)
        self.problems = tuple(problems)


class TooLarge(NotifybotError):
    code = 413
    title = "Too large"


class UnsupportedType(NotifybotError):
    code = 415
    title = "Unsupported media type"


class TooSlow(NotifybotError):
    code = 408
    title = "Request took too long"


def from_validation(error: ValidationError) -> InvalidFields:
    """pydantic's findings in our words; what was sent is not repeated."""
    return InvalidFields(
        [FieldProblem(found["loc"], _sentence(found["type"], found["msg"])) for found in error.errors()]
    )


def _sentence(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "this field is unknown"
    if kind == "missing":
        return "this field is required"
    return message.removeprefix("Value error, ").removeprefix("Assertion failed, ")


def response(error: NotifybotError) -> web.Response:
    document: dict[str, object] = {
        "type": "about:blank",
        "title": error.title,
        "status": error.code,
        "detail": error.detail,
    }
    if error.hint is not None:
        document["hint"] = error.hint
    if isinstance(error, InvalidFields):
        document["errors"] = [{"loc": list(found.loc), "msg": found.msg} for found in error.problems]
    headers = {"Retry-After": str(RETRY_AFTER_S)} if isinstance(error, Unavailable) else {}
    return _problem(document, error.code, headers)


def _problem(document: dict[str, object], status: int, headers: dict[str, str]) -> web.Response:
    body = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
    return web.Response(body=body, status=status, content_type="application/problem+json", headers=headers)


def from_status(status: int, detail: str, *, allow: str | None = None) -> web.Response:
    """A problem for what aiohttp itself refuses."""
    title = HTTPStatus(status).phrase
    headers = {} if allow is None else {"Allow": allow}
    return _problem({"type": "about:blank", "title": title, "status": status, "detail": detail}, status, headers)


def internal(request: web.BaseRequest, error: BaseException | None) -> web.Response:
    """500 with an id that the log has; the log has the rest."""
    incident = secrets.token_hex(6)
    extra = {"action": "internal_error", "incident": incident, "path": request.path}
    log.error("a request failed inside", exc_info=error, extra=extra)
    return from_status(500, f"notifybot failed to do this; its log says why under the id {incident}.")


@web.middleware
async def as_problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except NotifybotError as error:
        return response(error)
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        return from_status(405, f"{request.path} takes {allowed}, not {error.method}.", allow=allowed)
    except web.HTTPNotFound:
        return from_status(404, f"There is nothing at {request.path}; GET / lists what there is.")
    except web.HTTPException as error:
        return from_status(error.status, error.reason)
    except ConnectionError:
        raise  # the caller is gone
    except Exception as error:  # noqa: BLE001 - logged with an id that the caller gets
        return internal(request, error)
