"""Why a job failed, in one line for people."""

import re

from notifybot.errors import NotifybotError
from notifybot.logs import redact

MOST_CHARACTERS = 300
_DRIVERS_CLASS = re.compile(r"^\([A-Za-z0-9_.]+\) ")
"""SQLAlchemy puts it before what the driver said."""


def reason_of(error: BaseException) -> str:
    """The kind of an error and the first line of what it says; no secrets.

    Where the database failed, that is what the database said, but not the statement and its values, which follow: they
    are texts of messages.
    """
    if isinstance(error, NotifybotError) and error.__cause__ is None:
        return redact(error.detail)
    told = error.__cause__ if isinstance(error, NotifybotError) else error
    kind, words = type(told).__name__, _DRIVERS_CLASS.sub("", str(told).strip())
    return redact(f"{kind}: {words.splitlines()[0]}" if words else kind)[:MOST_CHARACTERS]
