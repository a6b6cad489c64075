"""Spans ("15m"), times of day ("09:00") and snooze values ("tomorrow 09:00"): parse and format."""

import re
from dataclasses import dataclass
from datetime import time, timedelta

SHORTEST = timedelta(seconds=1)
LONGEST = timedelta(days=366)
LEAST_REMINDING = timedelta(minutes=1)
"""Shortest interval of reminders, so that they do not flood a chat."""

_SPAN = re.compile(r"(?:([0-9]{1,9})d)? ?(?:([0-9]{1,9})h)? ?(?:([0-9]{1,9})m)? ?(?:([0-9]{1,9})s)?")
_SECONDS = re.compile(r"[0-9]{1,12}")
_TIME_OF_DAY = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_TOMORROW = re.compile(r"tomorrow +(.+)")


@dataclass(frozen=True)
class Tomorrow:
    """The next calendar day at `at`, in the reader's time zone."""

    at: time


def parse_span(value: str | int) -> timedelta | None:
    """Parse "30s", "15m", "1h30m", "1d" or seconds; "never" and 0 give None.

    Raises ValueError unless the span is 1 s to 366 days.
    """
    seconds = _seconds(value)
    if seconds == 0:
        return None
    # Compared as numbers, since a timedelta of a very long span would overflow.
    if not SHORTEST.total_seconds() <= seconds <= LONGEST.total_seconds():
        raise ValueError("a span is at least 1 second and at most 366 days")
    return timedelta(seconds=seconds)


def parse_reminding(value: str | int) -> timedelta | None:
    """Parse the interval of reminders like `parse_span`; raise ValueError below LEAST_REMINDING."""
    span = parse_span(value)
    if span is not None and span < LEAST_REMINDING:
        raise ValueError(f"the shortest interval of reminders is {format_span(LEAST_REMINDING)}")
    return span


def comes_before_close(after: timedelta, close_after: timedelta | None) -> bool:
    """Return True if a step is due before the alert closes. One due at the same time never comes."""
    return close_after is None or after < close_after


def format_span(span: timedelta | None) -> str:
    """Format a span for `parse_span`, in whole seconds: "1h30m", "90d"; None as "never"."""
    if span is None:
        return "never"
    minutes, seconds = divmod(int(span.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    units = ((days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s"))
    return "".join(f"{count}{unit}" for count, unit in units if count) or "0s"


def parse_time_of_day(text: str) -> time:
    """Parse "09:00" or "9:00", on a 24-hour clock; raise ValueError otherwise."""
    found = _TIME_OF_DAY.fullmatch(text.strip())
    if found is None:
        raise ValueError("a time of day is written like 09:00 or 22:30")
    return time(int(found[1]), int(found[2]))


def parse_snooze(value: str | int) -> timedelta | Tomorrow:
    """Parse a span or "tomorrow 09:00"; raise ValueError otherwise, including for "never"."""
    found = _TOMORROW.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is not None:
        return Tomorrow(parse_time_of_day(found[1]))
    span = parse_span(value)
    if span is None:
        raise ValueError("a snooze needs an end; write a span like 1h, or tomorrow 09:00")
    return span


def format_snooze(snooze: timedelta | Tomorrow) -> str:
    """Format a snooze value for `parse_snooze`."""
    return f"tomorrow {snooze.at:%H:%M}" if isinstance(snooze, Tomorrow) else format_span(snooze)


def _seconds(value: str | int) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = value.strip() if isinstance(value, str) else ""
    if text == "never":
        return 0
    if _SECONDS.fullmatch(text):
        return int(text)
    found = _SPAN.fullmatch(text)
    if found is None or not any(found.groups()):
        raise ValueError("a span is written like 30s, 15m, 1h30m or 1d, in seconds, or never")
    days, hours, minutes, seconds = (int(count or 0) for count in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
