"""Expected refusals: one sentence for people, a hint what to do, and an HTTP status."""

from collections.abc import Collection


class NotifybotError(Exception):
    """Base of every expected refusal, for HTTP, the command line and Telegram alike.

    `code`: HTTP status; `title`: constant per class; `detail`: one sentence; `hint`: what to do.
    """

    code = 400
    title = "Invalid request"
    is_callers_fault = True
    """Exit code 2 on the command line, else 1."""

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
    """The caller is unknown. `is_wrong`: they presented credentials, and these are not valid."""

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
    """The caller is over a rate limit; nothing was done. `retry_after_s`: when to retry."""

    code = 429
    title = "Too many requests"

    def __init__(self, detail: str, *, hint: str | None = None, retry_after_s: int = 1) -> None:
        super().__init__(detail, hint=hint)
        self.retry_after_s = retry_after_s


class Unavailable(NotifybotError):
    """Nothing was accepted; the caller should retry."""

    code = 503
    title = "Not available now"
    is_callers_fault = False


class StartRefused(NotifybotError):
    """The daemon cannot start until its operator fixes something; exit code 2."""

    code = 500
    title = "Cannot start"


def did_you_mean(word: str, known: Collection[str]) -> str | None:
    """Return the known word closest to `word`, None if none is close."""
    import difflib  # rarely needed, and client commands import this module

    return next(iter(difflib.get_close_matches(word, sorted(known), n=1)), None)
