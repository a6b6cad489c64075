"""The daily summary: recipients, times and contents."""

import asyncio
import os
import pwd
from datetime import UTC, datetime, timedelta

import pytest

from tests.stories.conftest import MakeWorld
from tests.stories.places import Person, Place
from tests.stories.world import World

ME = pwd.getpwuid(os.getuid()).pw_name
"""The account of the callers in stories."""
SUMMARY = "Daily summary"


async def chooses(world: World, person: Person, **columns: object) -> None:
    """Change preferences."""
    for column, value in columns.items():
        world.rows(f"UPDATE people SET {column} = ? WHERE chat_id = ?", value, str(person.id))
    await world.ticks()


async def linked(world: World, name: str = "Anna", account: str = ME, **columns: object) -> Person:
    person = await world.subscriber(name)
    await chooses(world, person, account=account, **columns)
    return person


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


async def until(world: World, moment: str) -> None:
    """Move the clock there and run the jobs."""
    span = utc(moment) - world.clock.at
    assert span > timedelta(0), span
    await world.later(seconds=span.total_seconds())
    await world.is_quiet()


def summaries(place: Place) -> list[str]:
    """Return the first lines of the summaries in this chat."""
    return [text.splitlines()[0] for text in place.texts if SUMMARY in text]


# Times


@pytest.mark.both_databases
async def test_it_comes_at_nine_every_day(world: World) -> None:
    anna = await linked(world)
    await until(world, "2026-03-03 08:59:59")
    assert summaries(anna) == []

    await until(world, "2026-03-03 09:00:00")
    assert len(summaries(anna)) == 1
    await until(world, "2026-03-03 23:00:00")
    assert len(summaries(anna)) == 1
    await until(world, "2026-03-04 09:00:01")
    assert len(summaries(anna)) == 2


async def test_each_person_has_a_time_and_a_zone_of_their_own(world: World) -> None:
    anna = await linked(world, "Anna", "anna", summary_time="07:30", time_zone="Europe/Berlin")
    await until(world, "2026-03-02 20:00:00")
    bob = await linked(world, "Bob", "bob", time_zone="America/New_York")

    await until(world, "2026-03-03 06:30:00")
    assert (len(summaries(anna)), len(summaries(bob))) == (1, 0)
    await until(world, "2026-03-03 14:00:00")
    assert (len(summaries(anna)), len(summaries(bob))) == (1, 1)


async def test_the_config_sets_the_time_for_people_who_chose_none(another: MakeWorld) -> None:
    world = await another(summary={"time": "18:15", "time_zone": "Europe/Berlin"})
    await world.starts()
    anna = await linked(world)
    await until(world, "2026-03-02 17:14:59")
    assert summaries(anna) == []
    await until(world, "2026-03-02 17:15:00")
    assert len(summaries(anna)) == 1


async def test_a_changed_time_counts_at_once(world: World) -> None:
    anna = await linked(world)
    answer = await world.ask("PATCH", "/api/telegram/preferences", {"summary_time": "12:00"})
    assert answer.status == 200
    await until(world, "2026-03-02 12:00:00")
    assert len(summaries(anna)) == 1


async def test_a_change_wakes_the_job_by_itself(world: World) -> None:
    """The test itself does not run the job."""
    anna = await world.subscriber("Anna")
    anna.says("/start")
    code = (await anna.receives("code")).text.split("verify ")[1][:6]
    assert (await world.ask("POST", "/api/telegram/verify", {"code": code})).status == 200
    await is_planned(world, "09:00 UTC")

    await world.ask("PATCH", "/api/telegram/preferences", {"time_zone": "Asia/Tokyo"})
    await is_planned(world, "09:00 Asia/Tokyo")

    await world.ask("POST", "/api/telegram/unlink")
    await is_planned(world, None)


async def is_planned(world: World, daily: str | None) -> None:
    """Wait until the plan says this; the job's regular run would come too late."""
    for _ in range(1500):
        if world.rows("SELECT daily FROM summary_plans") == [(daily,)]:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(world.picture())


async def test_a_time_of_today_that_has_passed_is_tomorrows(world: World) -> None:
    anna = await linked(world)
    await chooses(world, anna, summary_time="08:00")
    await until(world, "2026-03-02 23:00:00")
    assert summaries(anna) == []
    await until(world, "2026-03-03 08:00:00")
    assert len(summaries(anna)) == 1


CHANGES = [
    ("Europe/Berlin", "02:30", "2026-03-28 12:00"),
    ("Europe/Berlin", "02:30", "2026-10-24 12:00"),
    ("America/New_York", "02:00", "2026-03-07 12:00"),
    ("America/New_York", "01:59", "2026-10-31 12:00"),
    ("Africa/Cairo", "00:00", "2026-04-23 12:00"),
    ("Africa/Cairo", "00:30", "2026-04-23 12:00"),
    ("Africa/Cairo", "23:15", "2026-10-28 12:00"),
    ("UTC", "09:00", "2028-02-28 12:00"),
]


@pytest.mark.slow_because("three days pass, a quarter of an hour at a time")
@pytest.mark.parametrize(("zone", "time", "begin"), CHANGES)
async def test_each_date_has_one_where_clocks_are_changed(another: MakeWorld, zone: str, time: str, begin: str) -> None:
    world = await another(summary={"time": time, "time_zone": zone, "chart": False})
    world.clock.at = utc(begin)
    await world.starts()
    anna = await linked(world)

    dates = []
    for _ in range(3 * 24 * 4):
        world.moves(minutes=15)
        await world.ticks("telegram_daily_summary")
        dates += world.rows("SELECT last_date FROM summary_plans WHERE last_date IS NOT NULL")
    await world.is_quiet()

    assert len(summaries(anna)) == 3
    assert len(set(dates)) == 3


async def test_no_summary_repeats_when_the_clock_is_set_back(world: World) -> None:
    anna = await linked(world)
    await until(world, "2026-03-03 09:00:10")
    world.clock.at = utc("2026-03-03 08:00:00")
    await until(world, "2026-03-03 09:30:00")
    assert len(summaries(anna)) == 1
    await until(world, "2026-03-04 09:00:00")
    assert len(summaries(anna)) == 2


async def test_a_clock_that_was_far_ahead_keeps_nobody_waiting(world: World) -> None:
    await linked(world)
    await until(world, "2027-05-01 12:00:00")
    world.clock.at = utc("2026-03-03 08:00:00")
    await world.ticks()
    assert len(world.rows("SELECT reader FROM summary_plans WHERE next_at < '2026-03-03 09:00:01+00:00'")) == 1


@pytest.mark.slow_because("days pass, a quarter of an hour at a time")
async def test_a_traveller_gets_one_summary_per_date(world: World) -> None:
    anna = await linked(world, time_zone="Asia/Tokyo")
    await until(world, "2026-03-03 00:00:00")  # 09:00 on the 3rd in Tokyo
    assert len(summaries(anna)) == 1
    await chooses(world, anna, time_zone="America/Los_Angeles")  # where it is the 2nd
    await until(world, "2026-03-03 17:30:00")  # 09:30 on the 3rd
    assert len(summaries(anna)) == 1
    await until(world, "2026-03-04 17:00:00")
    assert len(summaries(anna)) == 2
    await chooses(world, anna, time_zone="Asia/Tokyo")
    await until(world, "2026-03-05 00:00:00")
    assert len(summaries(anna)) == 3


async def test_after_a_downtime_one_summary_covers_the_missed_ones(world: World) -> None:
    anna = await linked(world)
    await until(world, "2026-03-03 09:00:00")
    await world.notice("backup done", to=world.group("Ops"))
    await world.stops()
    world.moves(days=3, hours=5)
    await world.starts()
    await world.ticks()
    post = await anna.receives("Daily summary, Friday 6 March")
    assert "Since Tuesday 3 March, 09:00 (UTC)" in post.text
    assert "Sent: 1 (the period before: 0)" in post.text
    assert len(summaries(anna)) == 2
    await until(world, "2026-03-07 09:00:00")
    assert len(summaries(anna)) == 3


@pytest.mark.both_databases
@pytest.mark.parametrize(
    "damaged", [{"daily": "25:99 Mars/X"}, {"daily": ""}, {"daily": None}, {"last_date": "1 March", "daily": "x"}]
)
async def test_an_unreadable_plan_does_not_block_summaries(another: MakeWorld, damaged: dict[str, str | None]) -> None:
    world = await another(summary={"chart": False})
    await world.starts()
    anna, bob = await linked(world), await linked(world, "Bob", "bob")
    await world.ticks()
    (user_id,) = world.rows("SELECT user_id FROM people WHERE chat_id = ?", str(anna.id))[0]
    world.moves(seconds=(utc("2026-03-03 09:00:00") - world.clock.at).total_seconds())
    for column, value in damaged.items():
        world.rows(f"UPDATE summary_plans SET {column} = ? WHERE reader = ?", value, f"person:{user_id}")

    await world.ticks()
    await world.is_quiet()

    assert (len(summaries(anna)), len(summaries(bob))) == (1, 1)
    assert world.rows("SELECT daily FROM summary_plans WHERE reader = ?", f"person:{user_id}") == [("09:00 UTC",)]
    await until(world, "2026-03-04 09:00:00")
    assert (len(summaries(anna)), len(summaries(bob))) == (2, 2)


async def test_a_summary_due_before_a_restart_is_sent_even_if_the_config_changed(another: MakeWorld) -> None:
    world = await another(summary={"time": "10:00"})
    await world.starts()
    anna = await linked(world)
    await world.stops()
    world.moves(hours=2)
    world.sets(summary={"time": "07:00"})
    await world.starts()
    await world.ticks()
    await anna.receives(SUMMARY)
    await until(world, "2026-03-02 23:00:00")
    assert len(summaries(anna)) == 1
    await until(world, "2026-03-03 07:00:00")
    assert len(summaries(anna)) == 2
