"""When something is meant to happen: what `--at`, `--every` and `--time-zone` say, and how times are said back."""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from notifybot.cli.moments import FORMS, read_moment, read_repetition
from notifybot.cli.output import in_full, now, say
from notifybot.cli.tree import UsageError
from notifybot.time_zones import find_zone

LOCAL_TIME = Path("/etc/localtime")
ZONES = "/zoneinfo/"


@dataclass(frozen=True)
class Timing:
    """`every` and `time_zone` are as the daemon takes them; times are said in `zone`, None is this machine's."""

    at: datetime | None
    every: str | None
    time_zone: str | None
    zone: tzinfo | None


def timing_of(arguments: argparse.Namespace) -> Timing:
    """Raises UsageError for words that are no time, and for a time that is over."""
    zone = None if arguments.time_zone is None else zone_named(arguments.time_zone)
    if arguments.at is None and arguments.every is None:
        raise UsageError("--time-zone goes with --at or --every.", hint="Say when it is to be sent.")
    at = None if arguments.at is None else moment_ahead(arguments.at, zone)
    if arguments.every is None:
        return Timing(at, None, None, zone)
    every = read_repetition(arguments.every)
    return Timing(at, every, zone.key if zone else _zone_of(every), zone)


def moment_ahead(text: str, zone: tzinfo | None = None) -> datetime:
    """The moment that is meant. Raises UsageError where it is none, or over."""
    at = now()
    try:
        moment = read_moment(text, at, zone)
    except (ValueError, OverflowError):
        raise UsageError(f"`{text}` is no time.", hint=f"Write it like {FORMS}.") from None
    if moment <= at:
        raise UsageError(f"`{text}` is over.", hint="Name a time that lies ahead.")
    return moment


def zone_named(name: str) -> ZoneInfo:
    """Raises UsageError for a name that no zone has, with the nearest."""
    try:
        return ZoneInfo(find_zone(name))
    except ValueError as error:
        what, hint = error.args
        raise UsageError(f"`{name}`: {what}.", hint=hint) from error


def say_times(times: Sequence[datetime], zone: tzinfo | None) -> None:
    for each in times:
        say(f"  {in_full(each, now(), zone)}")


def _zone_of(every: str) -> str | None:
    """In which zone a repetition is meant where none is named: this machine's; a span is the same in all."""
    if every.startswith("every "):
        return None
    name = zone_of_this_machine(os.environ)
    if name is None:
        raise UsageError("This machine's time zone has no name.", hint="Name one: --time-zone Europe/Berlin, say.")
    return name


def zone_of_this_machine(environ: Mapping[str, str], local_time: Path = LOCAL_TIME) -> str | None:
    """The IANA name of the zone that local times are in; None where it has none, or it cannot be found."""
    named = environ.get("TZ")
    if named is not None:
        name = named.removeprefix(":") or "UTC"
    else:
        name = str(local_time.resolve()).partition(ZONES)[2] if local_time.exists() else "UTC"
    try:
        return find_zone(name)
    except ValueError:
        return None
