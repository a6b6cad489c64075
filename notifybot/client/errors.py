"""Errors of calls to the daemon: the text for people, and whether to retry. Standard library only."""

import errno
import json
from collections.abc import Mapping
from enum import Enum

from notifybot.client.unix_http import HttpResponse
from notifybot.errors import NotifybotError

START_HINT = "Start it with `systemctl start notifybot` or `notifybot run`"
SOCKET_HINT = "or name the right socket with --socket or $NOTIFYBOT_SOCKET."
RESTARTING = (errno.ECONNREFUSED, errno.EAGAIN, errno.ECONNABORTED)
MAX_RETRY_AFTER_S = 3600


class RetryAdvice(Enum):
    """Advice on retrying the same call."""

    NEVER = "never"
    IF_RESTARTING = "if restarting"
    """Nothing was sent, and the daemon may be restarting."""
    ALWAYS = "always"


class ClientError(NotifybotError):
    """Base of every error that a call can raise. `code` is the HTTP status, 0 without a response."""

    code = 0
    title = "Not done"
    is_callers_fault = False

    def __init__(self, detail: str, *, hint: str | None = None) -> None:
        super().__init__(detail, hint=hint)
        self.retry = RetryAdvice.NEVER
        self.retry_after_s: float | None = None


class Refused(ClientError):
    """The request has to change: the daemon returned 4xx, or the client itself refused to send it (code 0).

    `errors` are the daemon's `(field, problem)` pairs.
    """

    is_callers_fault = True

    def __init__(self, detail: str, *, hint: str | None = None, errors: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(detail, hint=hint)
        self.errors = errors


class NotPermitted(ClientError):
    """The socket's permissions do not let this user in."""

    is_callers_fault = True


class Unreachable(ClientError):
    """No daemon accepted a connection; nothing was sent."""


class NotReady(ClientError):
    """The daemon returned 429 or 5xx. `body` is the response body."""

    def __init__(self, detail: str, *, hint: str | None = None, body: bytes = b"") -> None:
        super().__init__(detail, hint=hint)
        self.body = body


class NoAnswer(ClientError):
    """The request was sent, but no response came: it may have been accepted. A message is safe to send again under the
    same `client_id`."""

    def __init__(self, detail: str, *, hint: str | None = None, client_id: str | None = None) -> None:
        super().__init__(detail, hint=hint or "The request may have gone through. Check before you retry.")
        self.retry = RetryAdvice.ALWAYS
        self.client_id = client_id

    def for_message(self, client_id: str) -> "NoAnswer":
        """Return the same error with advice about the message that was sent under this id."""
        hint = f"It may have been accepted. Send it again with the client id {client_id}: it is never accepted twice."
        return NoAnswer(self.detail, hint=hint, client_id=client_id)


class Spooled(ClientError):
    """The daemon is away, and the message is kept in the caller's spool under `number`; `reason` says why."""

    title = "Spooled"

    def __init__(self, number: int, reason: ClientError) -> None:
        super().__init__(
            f"The message is kept in your spool as number {number}: {reason.detail}",
            hint="The next `notifybot send`, or `notifybot spool flush`, hands it over.",
        )
        self.number = number
        self.reason = reason


class UnknownShape(ClientError):
    """A response that this client does not understand."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"Unexpected response: {detail}.",
            hint="Check that this is notifybot's socket, and that the daemon is not older than this client.",
        )


def from_connect(failures: Mapping[str, OSError]) -> ClientError:
    """Make the error for a list of sockets that all failed; it names the most telling one."""
    path, error = max(failures.items(), key=lambda item: _nearness(item[1]))
    if error.errno in (errno.EACCES, errno.EPERM):
        return NotPermitted(
            f"Permission denied for socket {path}.",
            hint=f"Join the group that owns it (see `ls -l {path}`) and log in again, {SOCKET_HINT}",
        )
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return Unreachable(
            f"No notifybot daemon is running: there is no socket {' or '.join(failures)}.",
            hint=f"{START_HINT}, {SOCKET_HINT}",
        )
    if error.errno in RESTARTING:
        refused = Unreachable(
            f"No notifybot daemon listens on {path}: the connection was refused.",
            hint=f"{START_HINT}; `journalctl -u notifybot` may say why it stopped.",
        )
        refused.retry = RetryAdvice.IF_RESTARTING
        return refused
    return Unreachable(
        f"Cannot connect to the socket {path}: {error.strerror or error}.", hint=f"{START_HINT}, {SOCKET_HINT}"
    )


def _nearness(error: OSError) -> int:
    """Rank a failure: a socket that exists says more than one that does not."""
    return 0 if error.errno in (errno.ENOENT, errno.ENOTDIR) else 1


def from_reply(reply: HttpResponse) -> ClientError:
    """Make the error for a status of 400 or more, from the problem document if there is one."""
    problem = _problem(reply.body)
    detail = _text(problem, "detail") or _text(problem, "title") or f"The daemon returned status {reply.status}."
    hint = _text(problem, "hint")
    failure: ClientError
    if reply.status < 500 and reply.status != 429:
        failure = Refused(detail, hint=hint, errors=_errors(problem))
    else:
        failure = NotReady(detail, hint=hint or "Try again later; `notifybot health` shows more.", body=reply.body)
        failure.retry = RetryAdvice.ALWAYS if reply.status in (429, 503) else RetryAdvice.NEVER
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
    return tuple((_field(entry.get("loc")), str(entry.get("msg", ""))) for entry in entries)


def _field(loc: object) -> str:
    return ".".join(str(part) for part in loc) if isinstance(loc, list) else str(loc or "")


def _retry_after_s(reply: HttpResponse) -> float | None:
    """Read Retry-After in seconds; the daemon does not use the other form, a date."""
    value = reply.headers.get("retry-after", "")
    return min(float(value), MAX_RETRY_AFTER_S) if value.isascii() and value.isdigit() else None
