"""Why a call to the daemon could not be done: what each failure says to a person, and whether to repeat the call."""

import errno
import json
from collections.abc import Mapping
from enum import Enum

from notifybot.client.unix_http import HttpResponse
from notifybot.errors import NotifybotError

START_HINT = "Start it with `systemctl start notifybot` or `notifybot run`"
NAME_HINT = "or name the right socket with --socket or $NOTIFYBOT_SOCKET."
RESTARTING = (errno.ECONNREFUSED, errno.EAGAIN, errno.ECONNABORTED)
MAX_RETRY_AFTER_S = 3600


class RetryAdvice(Enum):
    """Whether the same call may be tried again."""

    NEVER = "never"
    IF_PATIENT = "if patient"
    """Nothing was sent, and the daemon may be about to come back."""
    ALWAYS = "always"


class ClientError(NotifybotError):
    """Base of everything that a call can raise. `code` is the HTTP status, or 0 where no answer came."""

    code = 0
    title = "Not done"
    is_callers_fault = False

    def __init__(self, detail: str, *, hint: str | None = None) -> None:
        super().__init__(detail, hint=hint)
        self.repeat = RetryAdvice.NEVER
        self.retry_after_s: float | None = None


class Refused(ClientError):
    """The request itself has to change: the daemon answered 4xx, or it was seen before anything was sent (code 0).

    `errors` are the daemon's `(place, what is wrong)`.
    """

    is_callers_fault = True

    def __init__(self, detail: str, *, hint: str | None = None, errors: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(detail, hint=hint)
        self.errors = errors


class NotPermitted(ClientError):
    """The socket's permissions keep this user out."""

    is_callers_fault = True


class Unreachable(ClientError):
    """No daemon could be connected to; nothing was sent."""


class NotReady(ClientError):
    """The daemon answered 429 or 5xx. `body` is its answer as it came."""

    def __init__(self, detail: str, *, hint: str | None = None, body: bytes = b"") -> None:
        super().__init__(detail, hint=hint)
        self.body = body


class NoAnswer(ClientError):
    """The call was sent, and nobody knows whether it was done. `client_id`: a message may be sent again under it."""

    def __init__(self, detail: str, *, hint: str | None = None, client_id: str | None = None) -> None:
        super().__init__(detail, hint=hint or "It may have been done or not: look, then try again.")
        self.repeat = RetryAdvice.ALWAYS
        self.client_id = client_id

    def about(self, client_id: str) -> "NoAnswer":
        """The same failure, of a message sent under this id."""
        hint = f"It may have been accepted. Sent again with the client id {client_id}, it is not accepted twice."
        return NoAnswer(self.detail, hint=hint, client_id=client_id)


class UnknownShape(ClientError):
    """Something answered that is not what this client knows of the daemon."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"The answer is not understood: {detail}.",
            hint="Check that this is notifybot's socket, and that the daemon is as new as this client.",
        )


def from_connect(failures: Mapping[str, OSError]) -> ClientError:
    """Make the error for sockets of which none could be connected to, speaking of the one that came nearest."""
    path, error = max(failures.items(), key=lambda item: _nearness(item[1]))
    if error.errno in (errno.EACCES, errno.EPERM):
        return NotPermitted(
            f"You are not permitted to use the socket {path}.",
            hint=f"Join the group that owns it (`ls -l {path}` names it) and sign in again, {NAME_HINT}",
        )
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return Unreachable(
            f"No notifybot daemon was found: there is no socket {' or '.join(failures)}.",
            hint=f"{START_HINT}, {NAME_HINT}",
        )
    if error.errno in RESTARTING:
        refused = Unreachable(
            f"No notifybot daemon listens at {path}: the connection was refused.",
            hint=f"{START_HINT}; `journalctl -u notifybot` may say why it ended.",
        )
        refused.repeat = RetryAdvice.IF_PATIENT
        return refused
    return Unreachable(
        f"The socket {path} cannot be connected to: {error.strerror or error}.", hint=f"{START_HINT}, {NAME_HINT}"
    )


def _nearness(error: OSError) -> int:
    """A socket that exists tells more than one that does not."""
    return 0 if error.errno in (errno.ENOENT, errno.ENOTDIR) else 1


def from_reply(reply: HttpResponse) -> ClientError:
    """Make the error for an answer of 400 or more, in the daemon's own words where it has any."""
    problem = _problem(reply.body)
    detail = (
        _text(problem, "detail") or _text(problem, "title") or f"The daemon answered with the status {reply.status}."
    )
    hint = _text(problem, "hint")
    failure: ClientError
    if reply.status < 500 and reply.status != 429:
        failure = Refused(detail, hint=hint, errors=_errors(problem))
    else:
        failure = NotReady(detail, hint=hint or "Try again in a while; `notifybot health` shows more.", body=reply.body)
        failure.repeat = RetryAdvice.ALWAYS if reply.status in (429, 503) else RetryAdvice.NEVER
        failure.retry_after_s = _retry_after_s(reply)
    failure.code = reply.status
    failure.title = _text(problem, "title") or failure.title
    return failure


def _problem(body: bytes) -> Mapping[str, object]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, Mapping) else {}


def _text(problem: Mapping[str, object], name: str) -> str | None:
    value = problem.get(name)
    return value if isinstance(value, str) and value else None


def _errors(problem: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    listed = problem.get("errors")
    entries = [entry for entry in listed if isinstance(entry, Mapping)] if isinstance(listed, list) else []
    return tuple((_place(entry.get("loc")), str(entry.get("msg", ""))) for entry in entries)


def _place(loc: object) -> str:
    return ".".join(str(part) for part in loc) if isinstance(loc, list) else str(loc or "")


def _retry_after_s(reply: HttpResponse) -> float | None:
    """Retry-After in seconds; the daemon does not use its other form, a date."""
    value = reply.headers.get("retry-after", "")
    return min(float(value), MAX_RETRY_AFTER_S) if value.isascii() and value.isdigit() else None
