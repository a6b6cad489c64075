"""What repeats while clocks and zones go wrong, and people change it when it is due: nothing lost, nothing twice."""

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
"""A zone that there was once."""


async def counted(planned: Planned) -> tuple[int, int]:
    """How many occurrences were released, and how many were missed."""
    schedule = (await planned.schedule()).schedule
    return schedule.runs, schedule.missed


async def becomes_due(world: World, planned: Planned) -> None:
    """Its time has come, and nothing has looked yet."""
    assert planned.answer.send_at is not None
    world.moves(seconds=(planned.answer.send_at - world.clock.at).total_seconds() + 5)


async def looks(world: World) -> None:
    await world.ticks("schedules")
    await world.is_quiet()


async def has(world: World, planned: Planned, **columns: str) -> None:
    """Its row says so, whatever may be written there today."""
    change = update(Schedule).where(col(Schedule.id) == planned.schedule_id).values(**columns)
    await world.runtime.database.write(lambda session: session.execute(change))


async def warnings(world: World) -> str:
    return " ".join((await world.get("/health"))["warnings"])


async def test_a_zone_that_the_system_no_longer_knows_breaks_no_list_and_counts_as_utc(
    world: World, ops: Place
) -> None:
    report = await plan(world, "the daily report", to=ops, repeat="0 12 * * *", zone="Europe/Berlin")
    await has(world, report, time_zone=DROPPED)

    for path in ("/api/schedules", f"/api/schedules/{report.schedule_id}", "/pending-messages"):
        assert (await world.ask("GET", path)).status == 200
    await lives(world, "2026-03-03T13:00")

    assert seen(world, ops) == ["03-02 11:00", "03-02 12:00", "03-03 12:00"]
    accepted = [line["detail"] for line in (await (await report.next()).now())["timeline"]]
    assert accepted == [f"Next occurrence of its schedule, in UTC: the time zone {DROPPED} is unknown on this system."]
    assert f"does not know: {DROPPED}" in await warnings(world)


@pytest.mark.both_databases
async def test_a_schedule_in_such_a_zone_can_be_given_another_and_be_cancelled(world: World, ops: Place) -> None:
    report = await plan(world, "the daily report", to=ops, repeat="0 12 * * *", zone="Europe/Berlin")
    other = await plan(world, "the other report", to=ops, repeat="0 12 * * *", zone="Europe/Berlin")
    for each in (report, other):
        await has(world, each, time_zone=DROPPED)

    changed = await world.ask("PATCH", f"/api/schedules/{report.schedule_id}", {"time_zone": "Europe/Paris"})
    ended = await world.ask("DELETE", f"/api/schedules/{other.schedule_id}")

    assert (changed.status, ended.status) == (200, 200)
    assert changed.body["next_times"][0] == "2026-03-02T11:00:00.000Z"
    assert DROPPED not in await warnings(world)


async def test_a_rule_that_cannot_be_read_breaks_no_list_and_can_be_cancelled(world: World, ops: Place) -> None:
    report = await plan(world, "the daily report", to=ops, repeat="0 12 * * *")
    await plan(world, "another", to=ops, repeat="0 12 * * *")
    await has(world, report, repeat="now and then")

    listed = await world.get("/api/schedules")
    ended = await world.ask("DELETE", f"/api/schedules/{report.schedule_id}")

    assert [len(each["next_times"]) for each in listed["schedules"]] == [5, 0]
    assert ended.status == 200


@pytest.mark.parametrize("how", [{"time_zone": "Europe/Berlin"}, {"repeat": recurrence.parse("every 2h")}])
async def test_what_is_due_when_its_times_are_changed_still_comes(
    world: World, ops: Place, how: dict[str, object]
) -> None:
    report = await plan(world, "still here", to=ops, repeat="every 1h")
    await becomes_due(world, report)

    await report.is_changed(changes.change, **how)
    await looks(world)

    assert seen(world, ops) == ["03-02 10:00"]
    assert await counted(report) == (1, 0)


async def test_what_was_missed_by_the_old_rule_is_counted_by_the_old_rule(world: World, ops: Place) -> None:
    report = await plan(world, "still here", to=ops, repeat="0 * * * *")
    await becomes_due(world, report)
    world.moves(hours=3)

    await report.is_changed(changes.change, repeat=recurrence.parse("* * * * *"))
    await looks(world)

    assert await counted(report) == (1, 3)


async def test_what_is_due_when_it_is_paused_counts_as_missed(world: World, ops: Place) -> None:
    report = await plan(world, "still here", to=ops, repeat="every 1h")
    await becomes_due(world, report)

    await report.is_changed(changes.pause)
    await report.is_changed(changes.resume)
    await lives(world, "2026-03-02T11:30")

    assert seen(world, ops) == ["03-02 11:00"]
    assert await counted(report) == (1, 1)


async def test_what_came_before_the_clock_went_back_does_not_come_by_a_newer_rule(world: World, ops: Place) -> None:
    await plan(world, "another", to=ops, repeat="@yearly")
    report = await plan(world, "still here", to=ops, repeat="0 * * * *")
    await lives(world, "2026-03-02T10:10")

    world.clock.at = utc("2026-03-02T09:40")
    changed = await report.is_changed(changes.change, time_zone="Europe/Berlin")
    await lives(world, "2026-03-02T10:30")

    assert changed.next_times[0] == utc("2026-03-02T11:00")
    assert seen(world, ops) == ["03-02 10:00"]


async def test_what_was_left_out_does_not_come_back_with_another_zone(world: World, ops: Place) -> None:
    report = await plan(world, "the daily report", to=ops, repeat="0 12 * * *")
    await report.is_asked("cancel")

    changed = await report.is_changed(changes.change, time_zone="Etc/UTC")

    assert changed.next_times[0] == utc("2026-03-03T12:00")


async def test_what_was_left_out_keeps_another_rule_from_nothing_but_that_time(world: World, ops: Place) -> None:
    report = await plan(world, "the monthly report", to=ops, repeat="0 12 15 * *")
    await lives(world, "2026-03-15T12:30")
    await (await report.next()).is_asked("cancel")

    daily = await report.is_changed(changes.change, repeat=recurrence.parse("0 12 * * *"))
    assert daily.next_times[0] == utc("2026-03-16T12:00")

    await (await report.next()).is_asked("cancel")
    on_weekdays = await report.is_changed(changes.change, repeat=recurrence.parse("0 12 * * mon-fri"))
    assert on_weekdays.next_times[0] == utc("2026-03-17T12:00")


async def test_a_clock_that_was_far_ahead_for_a_moment_holds_up_no_schedule(world: World, ops: Place) -> None:
    await plan(world, "the daily report", to=ops, repeat="0 12 * * *")
    world.clock.at = utc("2031-03-02T12:30")
    await looks(world)

    world.clock.at = utc("2026-03-02T13:00")
    await looks(world)
    await lives(world, "2026-03-03T12:00")

    assert len(seen(world, ops)) == 2
    assert seen(world, ops)[1] == "03-03 12:00"


@pytest.mark.parametrize("how", ["resume", "change"])
async def test_whoever_changes_a_schedule_need_not_wait_for_a_clock_that_was_far_ahead(
    world: World, ops: Place, how: str
) -> None:
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


async def test_a_long_stop_is_counted_as_far_as_a_hundred(world: World, ops: Place) -> None:
    report = await plan(world, "still here", to=ops, repeat="* * * * *")
    await arrives(world, "2026-03-02T09:01")
    await world.stops()
    await world.later(days=30)

    await world.starts()
    await looks(world)

    assert await counted(report) == (2, occurrences.MAX_MISSED)
    assert len((await world.runtime.database.read(partial(queries.find, schedule_id=report.schedule_id))).next_times)
