"""Time zones by the names that people write."""

import functools
import re
from datetime import UTC, datetime, tzinfo

from notifybot.errors import did_you_mean

_NAME = re.compile(r"(?!posix/|right/)[A-Za-z]+(/[A-Za-z0-9_+-]+){1,2}")
_FORM = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}")
"""Of any name, also of one without a slash, such as GB."""
_NO_ZONES = frozenset({"localtime", "Factory", "posixrules"})
"""Files next to the zones that mean the zone of this machine."""
_YEARS = range(2000, 2038)
AREAS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")


@functools.lru_cache(1024)
def zone_of(name: str) -> tzinfo:
    """Return the zone of this name; UTC if this system does not know it, since old names get dropped.

    The only place that opens a zone: a stored name may vanish with an upgrade, and must not fail anyone's request.
    """
    if name == "UTC":
        return UTC
    # Imported late: zoneinfo scans a folder of files, and UTC needs none of them.
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        return UTC


def is_known_zone(name: str) -> bool:
    return name == "UTC" or zone_of(name) is not UTC


def zone_in_use(name: str) -> str:
    """Return the name of the zone that counts: this one, or UTC."""
    return name if is_known_zone(name) else "UTC"


def find_or_keep_zone(text: str) -> str:
    """Return a zone as `find_zone` does, or an unknown one as it is written, if it has the form of a name.

    For what is read at startup: a zone that an upgrade has dropped must not keep the daemon from starting.
    """
    try:
        return find_zone(text)
    except ValueError:
        if _FORM.fullmatch(text.strip()) is None:
            raise
        return text.strip()


def find_zone(text: str) -> str:
    """Return the IANA name of a time zone: `Europe/Berlin` for `europe/berlin` or `Berlin`; `new york` works too.

    Raises ValueError(sentence, hint) for an unknown one; the hint has the nearest name.
    """
    name = text.strip()
    if _is_exact(name):
        return name
    folded = "_".join(name.casefold().split())
    zone = _zones().get(folded) or _cities().get(folded)
    if zone is None:
        near = did_you_mean(folded, {*_zones(), *_cities()})
        meant = None if near is None else _zones().get(near) or _cities()[near]
        hint = "Write it like Europe/Berlin." if meant is None else f"Did you mean {meant}?"
        raise ValueError("this time zone is not known here", hint)
    return zone


def _is_exact(name: str) -> bool:
    """Return True if a zone has exactly this name, without reading the list of all zones."""
    return name == "UTC" or (_NAME.fullmatch(name) is not None and is_known_zone(name))


@functools.cache
def _zones() -> dict[str, str]:
    from zoneinfo import available_timezones

    return {zone.casefold(): zone for zone in available_timezones() - _NO_ZONES}


@functools.cache
def _cities() -> dict[str, str]:
    """Return zones by the last part of their name, if only one zone has it, or several with the same clock."""
    cities: dict[str, list[str]] = {}
    for folded, zone in _zones().items():
        area, _, city = folded.rpartition("/")
        if area and not area.startswith("etc") and city not in _zones():
            cities.setdefault(city, []).append(zone)
    return {city: max(zones, key=len) for city, zones in cities.items() if len(zones) == 1 or _is_one_place(zones)}


def _is_one_place(zones: list[str]) -> bool:
    """Return True for Asia/Istanbul and Europe/Istanbul, False for US/Eastern and Canada/Eastern."""
    return all(zone.startswith(AREAS) for zone in zones) and len({_clock(zone) for zone in zones}) == 1


def _clock(zone: str) -> tuple[object, ...]:
    """Return the offsets of a zone's clock, twice a year."""
    return tuple(datetime(year, month, 1, tzinfo=zone_of(zone)).utcoffset() for year in _YEARS for month in (1, 7))


def zones_of(area: str) -> list[str]:
    """Return the zones of one of AREAS, sorted."""
    return sorted(zone for zone in _zones().values() if zone.startswith(f"{area}/"))
