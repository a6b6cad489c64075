"""Cron expressions: check them, and ask the library on which days and at which times they fall."""

import functools
import re
from datetime import UTC, date, datetime, time

from cronsim import CronSim, CronSimError

_WORDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_FIELDS = (
    ("minute", "0-59"),
    ("hour", "0-23"),
    ("day of the month", "1-31"),
    ("month", "1-12 or jan-dec"),
    ("day of the week", "0-7 or sun-sat"),
)
_PART = re.compile(r"(\*|([0-9]{1,3}|[a-z]{3})(-([0-9]{1,3}|[a-z]{3}))?)(/[0-9]{1,2})?")
"""Plain cron: the library's extensions (`L`, `#`, seconds) are refused."""
_SOME_DAY = datetime(2024, 1, 1, tzinfo=UTC)


def parse_cron(text: str) -> str:
    """Return five lowercase fields; "@daily" and its like are spelled out. Raises ValueError with one clause."""
    fields = _WORDS.get(text, text).lower().split()
    if len(fields) != len(_FIELDS):
        raise ValueError("a cron expression has five fields, like 0 9 * * mon-fri, or is a shorthand like @daily")
    for place, field in enumerate(fields):
        for part in field.split(","):
            _check_part(part, place)
    try:
        _read(" ".join(fields))
    except CronSimError as error:
        raise ValueError("this day never comes") from error
    return " ".join(fields)


def _check_part(part: str, place: int) -> None:
    """Let the library read this part alone, with stars in the other fields."""
    try:
        if not _PART.fullmatch(part):
            raise CronSimError
        CronSim(" ".join(part if at == place else "*" for at in range(len(_FIELDS))), _SOME_DAY)
    except CronSimError as error:
        name, allowed = _FIELDS[place]
        raise ValueError(f"{part!r} is not a valid {name} (use {allowed}, in ascending order)") from error


@functools.lru_cache(1024)
def _read(cron: str) -> CronSim:
    return CronSim(cron, _SOME_DAY)


def falls_on(cron: str, day: date) -> bool:
    """Return True if a cron expression, as `parse_cron` returns it, has times on this date."""
    expression = _read(cron)
    return day.month in expression.months and expression.match_day(day)


@functools.lru_cache(1024)
def times_of_day(cron: str) -> tuple[time, ...]:
    """Return the times of each day on which the expression falls, in order."""
    expression = _read(cron)
    return tuple(time(hour, minute) for hour in sorted(expression.hours) for minute in sorted(expression.minutes))
