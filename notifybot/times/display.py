"""Times and lists of names in texts for people."""

from collections.abc import Sequence
from datetime import UTC, datetime

from notifybot.times.zones import zone_of


def local_time(moment: datetime, zone: str, *, now: datetime) -> str:
    """Format a time as `10:00 UTC`, or as `2026-03-03 09:00 (Europe/Berlin)`; the date is left out if it is today."""
    tz = zone_of(zone)
    if tz is UTC:
        return clock_time(moment, now)
    local = moment.astimezone(tz)
    is_today = local.date() == now.astimezone(tz).date()
    return local.strftime(f"{'' if is_today else '%Y-%m-%d '}%H:%M ({zone})")


MAX_LISTED = 10


def listed(names: Sequence[str], between: str = ", ") -> str:
    """Join names for a sentence, at most MAX_LISTED."""
    more = len(names) - MAX_LISTED
    return between.join(names[:MAX_LISTED]) + (f" and {more} more" if more > 0 else "")


def clock_time(moment: datetime, beside: datetime) -> str:
    """Format a time as `14:02 UTC`, with the date if it differs from that of `beside`."""
    utc = moment.astimezone(UTC)
    form = "%H:%M UTC" if utc.date() == beside.astimezone(UTC).date() else "%Y-%m-%d %H:%M UTC"
    return utc.strftime(form)


def shorten(text: str, limit: int) -> str:
    """Cut text to at most `limit` characters, the last one an ellipsis."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
