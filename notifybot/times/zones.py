"""Time zones by the names that people write."""

import functools
import re

from notifybot.errors import did_you_mean

_NAME = re.compile(r"(?!posix/|right/)[A-Za-z]+(/[A-Za-z0-9_+-]+){1,2}")
_NO_ZONES = frozenset({"localtime", "Factory", "posixrules"})
"""Files next to the zones that mean the zone of this machine."""


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
    if name == "UTC":
        return True
    if not _NAME.fullmatch(name):
        return False
    # Imported late: zoneinfo scans a folder of files, and UTC needs none of them.
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        return False
    return True


@functools.cache
def _zones() -> dict[str, str]:
    from zoneinfo import available_timezones

    return {zone.casefold(): zone for zone in available_timezones() - _NO_ZONES}


@functools.cache
def _cities() -> dict[str, str]:
    """Return zones by the last part of their name, if only one zone has it."""
    cities: dict[str, list[str]] = {}
    for folded, zone in _zones().items():
        area, _, city = folded.rpartition("/")
        if area and not area.startswith("etc"):
            cities.setdefault(city, []).append(zone)
    return {city: zones[0] for city, zones in cities.items() if len(zones) == 1 and city not in _zones()}


AREAS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")


def zones_of(area: str) -> list[str]:
    """Return the zones of one of AREAS, sorted."""
    return sorted(zone for zone in _zones().values() if zone.startswith(f"{area}/"))
