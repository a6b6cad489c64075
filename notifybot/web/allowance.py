"""Count what a request takes of its caller's allowance; the only place that decides how it is refused."""

from aiohttp import web

from notifybot.auth.allowance import Allowed
from notifybot.auth.permissions import Caller
from notifybot.errors import NotifybotError, TooManyRequests, Unavailable
from notifybot.messages.new_message import Acceptance, NewMessage
from notifybot.web.guard import CALLERS, known_caller_of
from notifybot.web.route import RUNTIME, runtime_of

INBOUND = "/in/"
"""Programs that post here give up after a 429, and repeat after a 503."""
_NOUNS = {Allowed.MESSAGES: "messages", Allowed.ALERTS: "alerts", Allowed.BYTES: "bytes"}


async def accept(request: web.Request, new: NewMessage) -> Acceptance:
    """Accept a message; return once it is on disk. Raises the refusal if it is refused, or over the allowance."""
    _take(request, Allowed.ALERTS if new.is_alert else Allowed.MESSAGES, 1)
    return await runtime_of(request).batcher.accept(new)


def count(app: web.Application, caller: Caller, path: str, size: int, new: NewMessage) -> None:
    """Count a body of this size and its message, for the short way. Raises like `accept`."""
    _take_of(app, caller, path, Allowed.BYTES, size)
    _take_of(app, caller, path, Allowed.ALERTS if new.is_alert else Allowed.MESSAGES, 1)


def count_bytes(request: web.Request, count: int) -> None:
    """Count bytes that have arrived and are about to be stored. Raises like `accept`."""
    _take(request, Allowed.BYTES, count)


def _take(request: web.Request, kind: Allowed, amount: int) -> None:
    caller = known_caller_of(request)
    if caller is not None:
        _take_of(request.app, caller, request.path, kind, amount)


def _take_of(app: web.Application, caller: Caller, path: str, kind: Allowed, amount: int) -> None:
    wait_s = app[CALLERS].allowances.take(caller, kind, amount, app[RUNTIME].clock.now())
    if wait_s is not None:
        raise refusal(path, caller.account, kind, wait_s)


def refusal(path: str, account: str, kind: Allowed, wait_s: int) -> NotifybotError:
    """Return the error for a caller above the allowance, on this path."""
    detail = f"{account} sends too many {_NOUNS[kind]}."
    hint = f"Try again in {wait_s} seconds. The limit is callers.{kind} in the daemon's config."
    if path.startswith(INBOUND):
        return Unavailable(detail, hint=hint)
    return TooManyRequests(detail, hint=hint, retry_after_s=wait_s)
