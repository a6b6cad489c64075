"""Moments as people type them, on this machine's clock."""

import re
from datetime import date, datetime, time, timedelta

FORMS = "18:30, tomorrow 09:00 or 2026-01-31 18:30"
_TIME_ALONE = re.compile(r"(tomorrow +)?([01]?[0-9]|2[0-3]):([0-5][0-9])")


def read_moment(text: str, now: datetime) -> datetime:
    """The moment that is meant at `now`: `18:30` is the next one, and without an offset it is local time.

    Raises ValueError.
    """
    local = now.astimezone()
    found = _TIME_ALONE.fullmatch(text.strip())
    if found is None:
        return datetime.fromisoformat(text.strip()).astimezone()
    at = time(int(found[2]), int(found[3]))
    if found[1]:
        return _on(local.date() + timedelta(days=1), at)
    today = _on(local.date(), at)
    return today if today > local else _on(local.date() + timedelta(days=1), at)


def _on(day: date, at: time) -> datetime:
    return datetime.combine(day, at).astimezone()
