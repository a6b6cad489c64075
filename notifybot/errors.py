"""Expected refusals: one sentence for a person, a hint what to do, and the HTTP status that fits."""

import difflib
from collections.abc import Collection


class NotifybotError(Exception):
    """Base of every expected refusal; the same object speaks in HTTP, on the command line and in Telegram.

    `code` is an HTTP status, `title` a constant name of the kind, `detail` one sentence, `hint` what to do.
    """

    code = 400
    title = "Invalid request"

    def __init__(self, detail: str, *, hint: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint


class NotFound(NotifybotError):
    code = 404
    title = "Not found"


class Conflict(NotifybotError):
    code = 409
    title = "Conflict"


class Unauthenticated(NotifybotError):
    """Nobody knows who is calling. `is_wrong`: what they said of themselves does not hold."""

    code = 401
    title = "Unauthenticated"

    def __init__(self, detail: str, *, hint: str | None = None, is_wrong: bool = False) -> None:
        super().__init__(detail, hint=hint)
        self.is_wrong = is_wrong


class Forbidden(NotifybotError):
    code = 403
    title = "Forbidden"


class TooLarge(NotifybotError):
    code = 413
    title = "Too large"


class UnsupportedType(NotifybotError):
    code = 415
    title = "Unsupported media type"


class TooManyRequests(NotifybotError):
    """This caller asks too often; nothing was done. `retry_after_s`: when it is worth another try."""

    code = 429
    title = "Too many requests"

    def __init__(self, detail: str, *, hint: str | None = None, retry_after_s: int = 1) -> None:
        super().__init__(detail, hint=hint)
        self.retry_after_s = retry_after_s


class Unavailable(NotifybotError):
    """Nothing was accepted; the caller tries again."""

    code = 503
    title = "Not available now"


class StartRefused(NotifybotError):
    """The daemon cannot start for a reason that its operator can mend; exit code 2."""

    code = 500
    title = "Cannot start"


def did_you_mean(word: str, known: Collection[str]) -> str | None:
    """Return the known word most like `word`, if any is like it."""
    return next(iter(difflib.get_close_matches(word, sorted(known), n=1)), None)
