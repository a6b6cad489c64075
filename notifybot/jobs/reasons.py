"""Why a job failed, in one line for people."""

from notifybot.errors import NotifybotError
from notifybot.logs import redact

MOST_CHARACTERS = 300


def reason_of(error: BaseException) -> str:
    """The kind of an error and the first line of what it says, then what led to it where it tells of that; no secrets.

    What the database says goes on with the statement and its values, which are texts of messages: one line is enough.
    """
    said = _line(error)
    if error.__cause__ is not None:
        said = f"{said} ({_line(error.__cause__)})"
    return redact(said)[:MOST_CHARACTERS]


def _line(error: BaseException) -> str:
    if isinstance(error, NotifybotError):
        return error.detail
    kind, words = type(error).__name__, str(error).strip()
    return f"{kind}: {words.splitlines()[0]}" if words else kind
