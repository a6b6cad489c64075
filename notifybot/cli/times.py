"""Times as people type them: `18:30`, `+2h`, `--every '9:00'`."""

import argparse
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from notifybot.cli.output import full_date, now, print_line
from notifybot.cli.parser import UsageError
from notifybot.client.record import record
from notifybot.times.spans import parse_span
from notifybot.times.timestamps import parse_timestamp
from notifybot.times.wall_clock import moments
from notifybot.times.zones import find_zone

FORMS = "18:30, tomorrow 9:00, mon 9:00, +2h or 2026-01-31 18:30"
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SHORTEST_DAY = 3
_FROM_NOW = re.compile(r"(?:\+|in )\s*(.+)")
_TIME_OF_DAY = re.compile(r"(?:([a-z]+)\s+)?([01]?[0-9]|2[0-3])(?::([0-5][0-9]))?\s*(am|pm)?")


def read_moment(text: str, now: datetime, zone: tzinfo | None = None) -> datetime:
    """Parse a time, relative to `now`; without an offset it is in `zone`, by default this machine's.

    `18:30` and `mon 9:00` mean the next match, `today 9:00` may be past. A time that the clock skips means the
    moment of the clock change; of a time that comes twice, the first one ahead. Raises ValueError.
    """
    words = " ".join(text.split()).lower()
    if found := _FROM_NOW.fullmatch(words):
        return (now + _span(found[1])).astimezone(zone)
    if found := _TIME_OF_DAY.fullmatch(words):
        return _next_of(found, now, zone).astimezone(zone)
    moment = parse_timestamp(text)
    meant = moment if moment.tzinfo else _ahead(moments(moment.date(), moment.time(), zone), now)
    return meant.astimezone(zone)


def read_repetition(text: str) -> str:
    """Convert `15m` to `every 15m`, `9:00` and `mon 9:00` to cron expressions; other text stays."""
    words = " ".join(text.split()).lower()
    found = _TIME_OF_DAY.fullmatch(words)
    days = _days(found[1]) if found else ()
    if found and days and (at := _time(found)):
        on = "*" if len(days) == len(DAYS) else str((days[0] + 1) % len(DAYS))
        return f"{at.minute} {at.hour} * * {on}"
    try:
        return f"every {words}" if parse_span(words) else text
    except ValueError:
        return text


def _span(text: str) -> timedelta:
    span = parse_span(text)
    if span is None:
        raise ValueError("not a time")
    return span


def _next_of(found: re.Match[str], now: datetime, zone: tzinfo | None) -> datetime:
    """Find the next match; `today` may be past."""
    at, day = _time(found), found[1]
    today = now.astimezone(zone).date()
    if at is None:
        raise ValueError("not a time of day")
    if day in ("today", "tomorrow"):
        return _ahead(moments(today + timedelta(days=day == "tomorrow"), at, zone), now)
    days = _days(day)
    if not days:
        raise ValueError("not a day")
    return next(moment for moment in _on(days, at, zone, since=today) if moment > now)


def _ahead(meant: tuple[datetime, ...], now: datetime) -> datetime:
    """Pick the first that is ahead, else the first."""
    return next((moment for moment in meant if moment > now), meant[0])


def _on(days: tuple[int, ...], at: time, zone: tzinfo | None, *, since: date) -> Iterator[datetime]:
    """Yield this time of day on matching days, for a week and a day from `since`."""
    for distance in range(len(DAYS) + 1):
        day = since + timedelta(days=distance)
        if day.weekday() in days:
            yield from moments(day, at, zone)


def _days(word: str | None) -> tuple[int, ...]:
    """List the weekdays that a word means (Monday is 0): all for None or `day`, none for an unknown word."""
    if word is None or word == "day":
        return tuple(range(len(DAYS)))
    return tuple(number for number, day in enumerate(DAYS) if len(word) >= SHORTEST_DAY and day.startswith(word))


def _time(found: re.Match[str]) -> time | None:
    """Return the time of day, None for a bare number."""
    hour, minute, half = int(found[2]), found[3], found[4]
    if half is None:
        return None if minute is None else time(hour, int(minute))
    if not 1 <= hour <= 12:
        return None
    return time(hour % 12 + (12 if half == "pm" else 0), int(minute or 0))


LOCAL_TIME = Path("/etc/localtime")
ZONES = "/zoneinfo/"


@record()
class TimeOptions:
    """`every` and `time_zone` go to the daemon; `zone` is for output, None is this machine's."""

    at: datetime | None
    every: str | None
    time_zone: str | None
    zone: tzinfo | None


def time_options_of(arguments: argparse.Namespace) -> TimeOptions:
    """Read --at, --every and --time-zone. Raises UsageError, including for a time in the past."""
    zone = None if arguments.time_zone is None else zone_named(arguments.time_zone)
    if arguments.at is None and arguments.every is None:
        raise UsageError("--time-zone needs --at or --every.", hint="Say when to send the message.")
    at = None if arguments.at is None else future_moment(arguments.at, zone)
    if arguments.every is None:
        return TimeOptions(at, None, None, zone)
    every = read_repetition(arguments.every)
    return TimeOptions(at, every, zone.key if zone else _zone_of(every), zone)


def future_moment(text: str, zone: tzinfo | None = None) -> datetime:
    """Parse a time. Raises UsageError if it is invalid or in the past."""
    at = now()
    try:
        moment = read_moment(text, at, zone)
    except (ValueError, OverflowError):
        raise UsageError(f"`{text}` is not a time.", hint=f"Examples: {FORMS}.") from None
    if moment <= at:
        raise UsageError(f"`{text}` is in the past.", hint="Give a time in the future.")
    return moment


def zone_named(name: str) -> ZoneInfo:
    """Find a time zone. Raises UsageError for an unknown name, with the nearest known one."""
    try:
        return ZoneInfo(find_zone(name))
    except ValueError as error:
        what, hint = error.args
        raise UsageError(f"`{name}`: {what}.", hint=hint) from error


def print_times(times: Sequence[datetime], zone: tzinfo | None) -> None:
    for each in times:
        print_line(f"  {full_date(each, now(), zone)}")


def _zone_of(every: str) -> str | None:
    """Return the default time zone of a repetition: this machine's, None for a span."""
    if every.startswith("every "):
        return None
    name = zone_of_this_machine(os.environ)
    if name is None:
        raise UsageError("This machine's time zone has no name.", hint="Name one, such as --time-zone Europe/Berlin.")
    return name


def zone_of_this_machine(environ: Mapping[str, str], local_time: Path = LOCAL_TIME) -> str | None:
    """Return the IANA name of the local time zone, None if it has none or is unknown."""
    named = environ.get("TZ")
    if named is not None:
        name = named.removeprefix(":") or "UTC"
    else:
        name = str(local_time.resolve()).partition(ZONES)[2] if local_time.exists() else "UTC"
    try:
        return find_zone(name)
    except ValueError:
        return None
