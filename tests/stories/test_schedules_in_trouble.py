"""Schedules with wrong clocks, unknown zones, and changes of due occurrences: nothing is lost or sent twice."""

from functools import partial

import pytest
from sqlmodel import col, update

from notifybot.model.schedules import Schedule
from notifybot.schedules import changes, queries
from notifybot.times import occurrences, recurrence
from tests.stories.places import Place
from tests.stories.planning import Planned, arrives, lives, plan, seen, utc
from tests.stories.world import World

DROPPED = "US/Pacific-New"
"""A time zone that no longer exists."""


async def counted(planned: Planned) -> tuple[int, int]:
    """Return the numbers of released and missed occurrences."""
    schedule = (await planned.schedule()).schedule
    return schedule.runs, schedule.missed


async def becomes_due(world: World, planned: Planned) -> None:
    """Let it fall due without running the job."""
    assert planned.answer.send_at is not None
    world.moves(seconds=(planned.answer.send_at - world.clock.at).total_seconds() + 5)


async def looks(world: World) -> None:
    await world.ticks("schedules")
    await world.is_quiet()


async def has(world: World, planned: Planned, **columns: str) -> None:
    """Write a value to its row that would be refused today."""
    change = update(Schedule).where(col(Schedule.id) == planned.schedule_id).values(**columns)
    await world.runtime.database.write(lambda session: session.execute(change))


async def warnings(world: World) -> str:
    return " ".join((await world.get("/health"))["warnings"])


async def test_an_unknown_zone_counts_as_utc_and_breaks_no_list(world: World, ops: Place) -> None:
    report = await plan(world, "the daily report", to=ops, repeat="0 12 * * *", zone="Europe/Berlin")
    await has(world, report, time_zone=DROPPED)

    for path in ("/api/schedules", f"/api/schedules/{report.schedule_id}", "/pending-messages"):
        assert (await world.ask("GET", path)).status == 200
    await lives(world, "2026-03-03T13:00")

    assert seen(world, ops) == ["03-02 11:00", "03-02 12:00", "03-03 12:00"]
    accepted = [line["detail"] for line in (await (await report.next()).now())["timeline"]]
    assert accepted == [f"Next occurrence of its schedule, in UTC: the time zone {DROPPED} is unknown on this system."]
    assert f"does not know the time zone {DROPPED}, so UTC counts for 1 schedule." in await warnings(world)


@pytest.mark.both_databases
async def test_a_schedule_in_an_unknown_zone_can_be_changed_and_cancelled(world: World, ops: Place) -> None:
    report = await plan(world, "the daily report", to=ops, repeat="0 12 * * *", zone="Europe/Berlin")
    other = await plan(world, "the other report", to=ops, repeat="0 12 * * *", zone="Europe/Berlin")
    for each in (report, other):
        await has(world, each, time_zone=DROPPED)

    changed = await world.ask("PATCH", f"/api/schedules/{report.schedule_id}", {"time_zone": "Europe/Paris"})
    ended = await world.ask("DELETE", f"/api/schedules/{other.schedule_id}")

    assert (changed.status, ended.status) == (200, 200)
    assert changed.body["next_times"][0] == "2026-03-02T11:00:00.000Z"
    assert DROPPED not in await warnings(world)


async def test_an_unreadable_rule_breaks_no_list_and_can_be_cancelled(world: World, ops: Place) -> None:
    report = await plan(world, "the daily report", to=ops, repeat="0 12 * * *")
    await plan(world, "another", to=ops, repeat="0 12 * * *")
    await has(world, report, repeat="now and then")

    listed = await world.get("/api/schedules")
    ended = await world.ask("DELETE", f"/api/schedules/{report.schedule_id}")

    assert [len(each["next_times"]) for each in listed["schedules"]] == [5, 0]
    assert ended.status == 200


@pytest.mark.parametrize("how", [{"time_zone": "Europe/Berlin"}, {"repeat": recurrence.parse("every 2h")}])
async def test_a_due_occurrence_is_still_sent_after_a_change_of_times(
    world: World, ops: Place, how: dict[str, object]
) -> None:
    report = await plan(world, "still here", to=ops, repeat="every 1h")
    await becomes_due(world, report)

    await report.is_changed(changes.change, **how)
    await looks(world)

    assert seen(world, ops) == ["03-02 10:00"]
    assert await counted(report) == (1, 0)


async def test_missed_times_are_counted_by_the_old_rule(world: World, ops: Place) -> None:
    report = await plan(world, "still here", to=ops, repeat="0 * * * *")
    await becomes_due(world, report)
    world.moves(hours=3)

    await report.is_changed(changes.change, repeat=recurrence.parse("* * * * *"))
    await looks(world)

    assert await counted(report) == (1, 3)


async def test_a_due_occurrence_counts_as_missed_when_paused(world: World, ops: Place) -> None:
    report = await plan(world, "still here", to=ops, repeat="every 1h")
    await becomes_due(world, report)

    await report.is_changed(changes.pause)
    await report.is_changed(changes.resume)
    await lives(world, "2026-03-02T11:30")

    assert seen(world, ops) == ["03-02 11:00"]
    assert await counted(report) == (1, 1)


async def test_a_new_rule_repeats_no_occurrence_after_the_clock_is_set_back(world: World, ops: Place) -> None:
    await plan(world, "another", to=ops, repeat="@yearly")
    report = await plan(world, "still here", to=ops, repeat="0 * * * *")
    await lives(world, "2026-03-02T10:10")

    world.clock.at = utc("2026-03-02T09:40")
    changed = await report.is_changed(changes.change, time_zone="Europe/Berlin")
    await lives(world, "2026-03-02T10:30")

    assert changed.next_times[0] == utc("2026-03-02T11:00")
    assert seen(world, ops) == ["03-02 10:00"]


async def test_a_skipped_occurrence_stays_skipped_in_another_zone(world: World, ops: Place) -> None:
    report = await plan(world, "the daily report", to=ops, repeat="0 12 * * *")
    await report.is_asked("cancel")

    changed = await report.is_changed(changes.change, time_zone="Etc/UTC")

    assert changed.next_times[0] == utc("2026-03-03T12:00")


async def test_a_skipped_occurrence_blocks_only_its_own_time_under_a_new_rule(world: World, ops: Place) -> None:
    report = await plan(world, "the monthly report", to=ops, repeat="0 12 15 * *")
    await lives(world, "2026-03-15T12:30")
    await (await report.next()).is_asked("cancel")

    daily = await report.is_changed(changes.change, repeat=recurrence.parse("0 12 * * *"))
    assert daily.next_times[0] == utc("2026-03-16T12:00")

    await (await report.next()).is_asked("cancel")
    on_weekdays = await report.is_changed(changes.change, repeat=recurrence.parse("0 12 * * mon-fri"))
    assert on_weekdays.next_times[0] == utc("2026-03-17T12:00")


async def test_a_clock_briefly_far_ahead_delays_no_schedule(world: World, ops: Place) -> None:
    await plan(world, "the daily report", to=ops, repeat="0 12 * * *")
    world.clock.at = utc("2031-03-02T12:30")
    await looks(world)

    world.clock.at = utc("2026-03-02T13:00")
    await looks(world)
    await lives(world, "2026-03-03T12:00")

    assert len(seen(world, ops)) == 2
    assert seen(world, ops)[1] == "03-03 12:00"


@pytest.mark.parametrize("how", ["resume", "change"])
async def test_a_change_takes_effect_after_the_clock_was_far_ahead(world: World, ops: Place, how: str) -> None:
    report = await plan(world, "the daily report", to=ops, repeat="0 12 * * *")
    world.clock.at = utc("2031-03-02T12:30")
    await looks(world)

    world.clock.at = utc("2026-03-02T13:00")
    if how == "resume":
        await report.is_changed(changes.pause)
        changed = await report.is_changed(changes.resume)
    else:
        changed = await report.is_changed(changes.change, time_zone="Etc/UTC")

    assert changed.next_times[0] == utc("2026-03-03T12:00")


async def test_a_long_stop_counts_at_most_a_hundred_missed(world: World, ops: Place) -> None:
    report = await plan(world, "still here", to=ops, repeat="* * * * *")
    await arrives(world, "2026-03-02T09:01")
    await world.stops()
    await world.later(days=30)

    await world.starts()
    await looks(world)

    assert await counted(report) == (2, occurrences.MAX_MISSED)
    assert len((await world.runtime.database.read(partial(queries.find, schedule_id=report.schedule_id))).next_times)
