"""Times and lists of names as people read them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def local_time(moment: datetime, zone: str, *, now: datetime) -> str:
    """`10:00 UTC`, or as the clock of that zone shows it, `2026-03-03 09:00 (Europe/Berlin)`."""
    if zone == "UTC":
        return clock_time(moment, now)
    local = moment.astimezone(ZoneInfo(zone))
    is_today = local.date() == now.astimezone(ZoneInfo(zone)).date()
    return local.strftime(f"{'' if is_today else '%Y-%m-%d '}%H:%M ({zone})")


MOST_LISTED = 10


def listed(names: Sequence[str], between: str = ", ") -> str:
    """Names for a sentence, at most MOST_LISTED."""
    more = len(names) - MOST_LISTED
    return between.join(names[:MOST_LISTED]) + (f" and {more} more" if more > 0 else "")


def clock_time(moment: datetime, beside: datetime) -> str:
    """`14:02 UTC`, with the date where it is not that of `beside`."""
    utc = moment.astimezone(UTC)
    form = "%H:%M UTC" if utc.date() == beside.astimezone(UTC).date() else "%Y-%m-%d %H:%M UTC"
    return utc.strftime(form)
