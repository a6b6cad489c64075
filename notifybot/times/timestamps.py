"""Timestamps as RFC 3339 and ISO 8601 write them."""

import re
from datetime import datetime, timedelta

_LEAP_SECOND = re.compile(r"(?<=[0-9]{2}:[0-9]{2}:)60(?![0-9])")


def parse_timestamp(text: str) -> datetime:
    """Parse a timestamp, without a time zone if it has no offset. Raises ValueError, and OverflowError after 9999.

    RFC 3339 also has lower-case `t` and `z`, and leap seconds: Python's clock has none, so `:60` is the next second.
    """
    plain, leaps = _LEAP_SECOND.subn("59", text.strip().upper())
    return datetime.fromisoformat(plain) + timedelta(seconds=leaps)
