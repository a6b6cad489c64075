"""Time zones by the names that people give them."""

import difflib
import functools
import re

_NAME = re.compile(r"(?!posix/|right/)[A-Za-z]+(/[A-Za-z0-9_+-]+){1,2}")
_NO_ZONES = frozenset({"localtime", "Factory", "posixrules"})
"""They stand beside the zones, and mean whatever this machine is set to."""


def find_zone(text: str) -> str:
    """The IANA name that is meant: `Europe/Berlin`, also written `europe/berlin` or `Berlin`; a city of two words as
    `new york`. Raises ValueError(what, hint) where none is, naming the nearest."""
    name = text.strip()
    if _is_exact(name):
        return name
    folded = "_".join(name.casefold().split())
    zone = _zones().get(folded) or _cities().get(folded)
    if zone is None:
        near = next(iter(difflib.get_close_matches(folded, [*_zones(), *_cities()], n=1)), None)
        meant = None if near is None else _zones().get(near) or _cities()[near]
        hint = "Write it like Europe/Berlin." if meant is None else f"Did you mean {meant}?"
        raise ValueError("this time zone is not known here", hint)
    return zone


def _is_exact(name: str) -> bool:
    """Whether a zone has this very name; to find out needs no list of all."""
    if name == "UTC":
        return True
    if not _NAME.fullmatch(name):
        return False
    # zoneinfo is imported late: it looks through a folder of files, and UTC needs none of them.
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
    """The last words of zones, where only one zone has them."""
    cities: dict[str, list[str]] = {}
    for folded, zone in _zones().items():
        area, _, city = folded.rpartition("/")
        if area and not area.startswith("etc"):
            cities.setdefault(city, []).append(zone)
    return {city: zones[0] for city, zones in cities.items() if len(zones) == 1 and city not in _zones()}


AREAS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")


def zones_of(area: str) -> list[str]:
    """The zones of one of AREAS, by their names."""
    return sorted(zone for zone in _zones().values() if zone.startswith(f"{area}/"))
