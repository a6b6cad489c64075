"""Time zones: the names people write, and names that this system does not know."""

from datetime import UTC, datetime, time

import pytest

from notifybot.times.display import local_time
from notifybot.times.wall_clock import Daily
from notifybot.times.zones import find_or_keep_zone, find_zone, is_known_zone, zone_in_use, zone_of

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("new york", "America/New_York"),
        # Two names for one place: the same clock.
        ("Istanbul", "Europe/Istanbul"),
        ("istanbul", "Europe/Istanbul"),
        ("Nicosia", "Europe/Nicosia"),
        ("Buenos Aires", "America/Argentina/Buenos_Aires"),
        ("cordoba", "America/Argentina/Cordoba"),
        ("Mendoza", "America/Argentina/Mendoza"),
        ("Louisville", "America/Kentucky/Louisville"),
        ("indianapolis", "America/Indiana/Indianapolis"),
        # Names without a city.
        ("utc", "UTC"),
        ("Japan", "Japan"),
        ("us/pacific", "US/Pacific"),
    ],
)
def test_a_zone_is_named_by_its_city(written: str, meant: str) -> None:
    assert find_zone(written) == meant


@pytest.mark.parametrize(
    "written",
    [
        "Pacific",
        "Eastern",
        "Central",
        "Mountain",
        "West",
        "Samoa",
        "Atlantis",
        "",
        "localtime",
        "Factory",
        "../etc/passwd",
    ],
)
def test_a_name_of_several_places_or_none_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="not known here"):
        find_zone(written)


VANISHED = ["US/Pacific-New", "Asia/Nowhere", "Mars", "GB-Scotland", "EST6", "../../etc/passwd", "Europe", "a\0b", ""]


@pytest.mark.parametrize("name", VANISHED)
def test_an_unknown_zone_counts_as_utc_wherever_a_stored_name_is_used(name: str) -> None:
    assert zone_of(name) is UTC
    assert not is_known_zone(name)
    assert zone_in_use(name) == "UTC"
    assert Daily.read(f"09:00 {name}") == Daily(time(9), "UTC")
    assert local_time(NOON, name, now=NOON) == "12:00 UTC"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Berlin", "Europe/Berlin"),
        ("US/Pacific-New", "US/Pacific-New"),
        ("Asia/Nowhere", "Asia/Nowhere"),
        ("GB-Scotland", "GB-Scotland"),
        ("America/Argentina/Nowhere", "America/Argentina/Nowhere"),
        ("EST6", "EST6"),
        ("../../etc/passwd", None),
        ("/etc/passwd", None),
        ("Not a zone", None),
        ("+2", None),
        ("", None),
    ],
)
def test_at_startup_an_unknown_zone_is_kept_if_it_has_the_form_of_one(written: str, kept: str | None) -> None:
    if kept is None:
        with pytest.raises(ValueError, match="not known here"):
            find_or_keep_zone(written)
    else:
        assert find_or_keep_zone(written) == kept
