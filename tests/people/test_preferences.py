"""Preferences: validation, and all-or-nothing storage."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import Session

from notifybot.errors import NotifybotError
from notifybot.model.people import Person
from notifybot.people import people, preferences
from notifybot.people.preferences import PreferenceChanges
from notifybot.storage.database import Database

NOW = datetime(2026, 6, 1, 9, tzinfo=UTC)
CHOSEN = PreferenceChanges(enabled=False, time_zone="Europe/Berlin", summary_time="07:30", quiet_hours="22:00-07:00")


async def changed(database: Database, *steps: PreferenceChanges) -> Person:
    """Apply these changes one by one; return Anna's preferences."""

    def work(session: Session) -> Person:
        anna, _ = people.subscribe(session, "7", "Anna", now=NOW)
        for step in steps:
            preferences.change(session, anna, step, now=NOW)
        return anna

    return await database.write(work)


async def test_preferences_are_stored(database: Database) -> None:
    anna = await changed(database, CHOSEN)

    kept = (anna.is_enabled, anna.time_zone, anna.summary_time, anna.quiet_from, anna.quiet_until)
    assert kept == (False, "Europe/Berlin", "07:30", "22:00", "07:00")
    assert preferences.quiet_hours_of(anna) == "22:00-07:00"


async def test_none_resets_one_preference_only(database: Database) -> None:
    anna = await changed(database, CHOSEN, PreferenceChanges(time_zone=None, quiet_hours=None))

    assert (anna.time_zone, preferences.quiet_hours_of(anna)) == (None, None)
    assert (anna.is_enabled, anna.summary_time) == (False, "07:30")


async def test_one_wrong_value_changes_nothing(database: Database) -> None:
    with pytest.raises(NotifybotError):
        await changed(database, PreferenceChanges(enabled=False, time_zone="Europe/Berlin", summary_time="25:00"))

    anna = await changed(database)
    assert (anna.is_enabled, anna.time_zone) == (True, None)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        (" Berlin ", "Europe/Berlin"),
        ("new york", "America/New_York"),
        ("UTC", "UTC"),
        ("utc", "UTC"),
    ],
)
async def test_a_zone_is_found_as_people_write_it(database: Database, written: str, meant: str) -> None:
    assert (await changed(database, PreferenceChanges(time_zone=written))).time_zone == meant


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("Europe/Berln", "This time zone is not known here; did you mean Europe/Berlin?"),
        ("Berln", "did you mean Europe/Berlin?"),
        ("xxxxxxxx", "write it like Europe/Berlin"),
        ("", "write it like"),
        ("localtime", "not known here"),
        ("../../etc/passwd", "not known here"),
        ("/etc/localtime", "not known here"),
        ("Europe", "not known here"),
        ("\x00", "not known here"),
        ("Z" * 5000, "not known here"),
    ],
)
async def test_an_unknown_zone_is_refused_with_a_suggestion(database: Database, written: str, says: str) -> None:
    with pytest.raises(NotifybotError) as refused:
        await changed(database, PreferenceChanges(time_zone=written))

    assert says in refused.value.detail


@pytest.mark.parametrize(("written", "kept"), [("9:05", "09:05"), ("00:00", "00:00"), (" 23:59 ", "23:59")])
async def test_a_time_of_day_is_normalised(database: Database, written: str, kept: str) -> None:
    assert (await changed(database, PreferenceChanges(summary_time=written))).summary_time == kept


@pytest.mark.parametrize("written", ["24:00", "9", "9:5", "morning", "", "09:00:00", "-1:00", "٠٩:٠٠"])
async def test_a_malformed_time_of_day_is_refused(database: Database, written: str) -> None:
    with pytest.raises(NotifybotError, match="A time of day is written like 09:00 or 22:30"):
        await changed(database, PreferenceChanges(summary_time=written))


@pytest.mark.parametrize("written", ["22:00-7:00", "22:00 - 07:00", "22:00–07:00"])
async def test_quiet_hours_are_normalised(database: Database, written: str) -> None:
    assert preferences.quiet_hours_of(await changed(database, PreferenceChanges(quiet_hours=written))) == "22:00-07:00"


@pytest.mark.parametrize("written", ["22:00", "22:00-", "-07:00", "22:00-22:00", "22:00-07:00-08:00", "night", ""])
async def test_malformed_quiet_hours_are_refused(database: Database, written: str) -> None:
    with pytest.raises(NotifybotError, match="Quiet hours are written like 22:00-07:00"):
        await changed(database, PreferenceChanges(quiet_hours=written))


@pytest.mark.parametrize("span", [timedelta(), -timedelta(hours=1), timedelta(days=367)])
async def test_a_mute_must_end_in_the_future_within_a_year(database: Database, span: timedelta) -> None:
    with pytest.raises(NotifybotError, match="must end in the future"):
        await changed(database, PreferenceChanges(muted_until=NOW + span))
