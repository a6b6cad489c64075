"""Repeating messages: each occurrence once and on time despite clock changes, until paused or cancelled."""

import pytest

from notifybot.errors import Conflict
from notifybot.model.enums import MediaKind
from notifybot.model.schedules import Schedule
from notifybot.rendering.parts import NewFile
from notifybot.schedules import changes, queries
from notifybot.times import recurrence
from tests.stories.places import Place
from tests.stories.planning import Planned, arrives, lives, plan, seen, utc
from tests.stories.world import World


async def counted(planned: Planned) -> tuple[int, int]:
    """Return the numbers of released and missed occurrences."""
    schedule: Schedule = (await planned.schedule()).schedule
    return schedule.runs, schedule.missed


async def waiting(world: World) -> list[str]:
    return [str(state) for (state,) in world.rows("SELECT state FROM messages WHERE state = 'scheduled'")]


@pytest.mark.parametrize(
    ("zone", "repeat", "since", "until", "expected"),
    [
        ("Europe/Berlin", "30 2 * * *", "2026-03-28T00:00", "2026-03-30T12:00", ["02:30", "03:00", "02:30"]),
        ("Europe/Berlin", "30 2 * * *", "2026-10-24T00:00", "2026-10-26T12:00", ["02:30", "02:30", "02:30"]),
        ("America/New_York", "30 2 * * *", "2026-03-07T06:00", "2026-03-09T12:00", ["02:30", "03:00", "02:30"]),
        ("America/New_York", "30 1 * * *", "2026-10-31T04:00", "2026-11-02T12:00", ["01:30", "01:30", "01:30"]),
        ("Africa/Cairo", "@daily", "2026-04-22T12:00", "2026-04-25T12:00", ["00:00", "01:00", "00:00"]),
        ("Africa/Cairo", "30 23 * * *", "2026-10-28T12:00", "2026-10-30T22:00", ["23:30", "23:30", "23:30"]),
    ],
)
async def test_a_daily_message_comes_on_days_with_a_clock_change(
    world: World, ops: Place, zone: str, repeat: str, since: str, until: str, expected: list[str]
) -> None:
    await arrives(world, since)
    report = await plan(world, "the daily report", to=ops, repeat=repeat, zone=zone)

    await lives(world, until)

    assert [time.split()[1] for time in seen(world, ops, zone)] == expected
    assert len({time.split()[0] for time in seen(world, ops, zone)}) == 3
    assert await counted(report) == (3, 0)
    assert await waiting(world) == ["scheduled"]


async def test_a_quarter_hourly_message_runs_through_the_repeated_hour(world: World, ops: Place) -> None:
    await arrives(world, "2026-10-24T23:50")
    await plan(world, "still here", to=ops, repeat="*/30 * * * *", zone="Europe/Berlin")

    await lives(world, "2026-10-25T02:15")

    local = ["10-25 02:00", "10-25 02:30", "10-25 02:00", "10-25 02:30", "10-25 03:00"]
    assert seen(world, ops, "Europe/Berlin") == local


async def test_a_message_on_the_leap_day_comes_in_leap_years(world: World, ops: Place) -> None:
    await plan(world, "the extra day", to=ops, repeat="0 12 29 2 *")

    await lives(world, "2032-03-01T00:00")

    assert seen(world, ops) == ["02-29 12:00", "02-29 12:00"]


async def test_the_caller_gets_the_next_five_times(world: World, ops: Place) -> None:
    report = await plan(world, "the weekly report", to=ops, repeat="0 9 * * mon", zone="Europe/Berlin")

    times = [f"{moment:%m-%d %H:%M}" for moment in report.answer.next_times]
    assert times == ["03-09 08:00", "03-16 08:00", "03-23 08:00", "03-30 07:00", "04-06 07:00"]
    assert report.answer.send_at == report.answer.next_times[0]
    assert (await report.schedule()).next_times == report.answer.next_times


@pytest.mark.both_databases
async def test_each_occurrence_is_a_message_of_its_own_with_the_same_spans(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    check = await plan(world, "check the backup", to=ops, repeat="0 10 * * *", is_alert=True)

    await lives(world, "2026-03-02T10:00")
    await ops.receives("check the backup").presses(by=anna)
    second = await check.next()
    await lives(world, "2026-03-03T10:20")

    assert (await check.now())["acknowledged_by"]["name"] == "Anna"
    message = await second.now()
    assert message["status"] == "escalated"
    assert (message["escalate_at"], message["close_at"]) == ("2026-03-03T10:15:00.000Z", "2026-03-03T11:00:00.000Z")
    assert len(world.duty.texts) == 1


async def test_only_one_of_several_missed_occurrences_is_sent_late(world: World, ops: Place) -> None:
    report = await plan(world, "the daily report", to=ops, repeat="0 10 * * *")
    await lives(world, "2026-03-02T10:00")
    await world.stops()
    await world.later(days=4, hours=1)

    await world.starts()
    await world.ticks()
    await world.is_quiet()

    assert seen(world, ops) == ["03-02 10:00", "03-06 11:00"]
    assert ops.texts[1].endswith("Late: sent at 2026-03-03 10:00 UTC.")
    assert await counted(report) == (2, 3)
    await lives(world, "2026-03-07T10:00")
    assert seen(world, ops)[2:] == ["03-07 10:00"]


async def test_a_clock_set_back_an_hour_repeats_no_occurrence(world: World, ops: Place) -> None:
    report = await plan(world, "still here", to=ops, repeat="every 20m")
    await lives(world, "2026-03-02T10:00")
    assert seen(world, ops) == ["03-02 09:20", "03-02 09:40", "03-02 10:00"]

    world.clock.at = utc("2026-03-02T09:00")
    await lives(world, "2026-03-02T10:40")

    assert seen(world, ops)[3:] == ["03-02 10:20", "03-02 10:40"]
    assert await counted(report) == (5, 0)


async def test_a_changed_zone_applies_to_the_next_occurrence(world: World, ops: Place) -> None:
    report = await plan(world, "the daily report", to=ops, repeat="0 12 * * *", zone="Europe/Berlin")
    assert report.answer.send_at == utc("2026-03-02T11:00")

    changed = await report.is_changed(changes.change, time_zone="America/New_York")
    await lives(world, "2026-03-03T18:00")

    assert changed.next_times[0] == utc("2026-03-02T17:00")
    assert seen(world, ops) == ["03-02 17:00", "03-03 17:00"]
    said = [line["detail"] for line in (await report.now())["timeline"] if line["event"] == "edited"]
    assert said == ["It now repeats 0 12 * * * (America/New_York)."]


async def test_a_changed_span_counts_from_the_change(world: World, ops: Place) -> None:
    report = await plan(world, "still here", to=ops, repeat="every 1h")
    await lives(world, "2026-03-02T10:10")

    await report.is_changed(changes.change, repeat=recurrence.parse("every 30m"))
    await lives(world, "2026-03-02T11:15")

    assert seen(world, ops) == ["03-02 10:00", "03-02 10:40", "03-02 11:10"]


async def test_a_paused_schedule_sends_nothing_until_it_is_resumed(world: World, ops: Place) -> None:
    report = await plan(world, "the daily report", to=ops, repeat="0 10 * * *")

    paused = await report.is_changed(changes.pause)
    await report.is_changed(changes.pause)
    await lives(world, "2026-03-04T12:00")
    assert (paused.next_times, ops.texts) == ((), [])

    resumed = await report.is_changed(changes.resume)
    await lives(world, "2026-03-05T12:00")

    assert resumed.next_times[0] == utc("2026-03-05T10:00")
    assert seen(world, ops) == ["03-05 10:00"]
    assert await counted(report) == (1, 0)


async def test_resuming_before_the_next_time_skips_nothing(world: World, ops: Place) -> None:
    report = await plan(world, "the daily report", to=ops, repeat="0 10 * * *")
    await report.is_asked("cancel")  # today's only

    await report.is_changed(changes.pause)
    await report.is_changed(changes.resume)
    await lives(world, "2026-03-03T12:00")

    assert seen(world, ops) == ["03-03 10:00"]


async def test_cancelling_the_waiting_message_skips_one_occurrence(world: World, ops: Place) -> None:
    report = await plan(world, "the daily report", to=ops, repeat="0 10 * * *")

    cancelled = await report.is_asked("cancel")
    await lives(world, "2026-03-04T12:00")

    assert cancelled.body["status"] == "cancelled"
    assert seen(world, ops) == ["03-03 10:00", "03-04 10:00"]


async def test_skipping_an_occurrence_of_a_paused_schedule_keeps_it_paused(world: World, ops: Place) -> None:
    report = await plan(world, "the daily report", to=ops, repeat="0 10 * * *")
    await report.is_changed(changes.pause)

    await report.is_asked("cancel")
    await lives(world, "2026-03-05T12:00")

    assert ops.texts == []
    assert await waiting(world) == ["scheduled"]


async def test_a_cancelled_schedule_sends_nothing_more(world: World, ops: Place) -> None:
    report = await plan(world, "the daily report", to=ops, repeat="0 10 * * *")
    await lives(world, "2026-03-02T12:00")
    last = await report.next()

    ended = await report.is_changed(changes.cancel)
    again = await report.is_changed(changes.cancel)
    await lives(world, "2026-03-05T12:00")

    assert (ended.waiting, ended.next_times) == (None, ())
    assert again.schedule.ended_at == ended.schedule.ended_at
    assert (await last.now())["status"] == "cancelled"
    assert len(ops.texts) == 1
    with pytest.raises(Conflict):
        await report.is_changed(changes.resume)


async def test_editing_the_waiting_message_changes_all_later_ones(world: World, ops: Place) -> None:
    report = await plan(world, "the daily report", to=ops, repeat="0 10 * * *")
    await lives(world, "2026-03-02T12:00")

    following = await report.next()
    await world.ask("PATCH", f"/api/messages/{following.id}", {"content": "the short report", "title": "Daily"})
    await lives(world, "2026-03-04T12:00")

    assert ops.texts == ["the daily report", "Daily\nthe short report", "Daily\nthe short report"]


async def test_files_are_sent_with_each_occurrence(world: World, ops: Place) -> None:
    stored = await world.uploads(("file", "old.txt", b"all is well"), to=ops)
    await stored.becomes("sent")
    ((sha256, size),) = world.rows("SELECT sha256, size FROM attachments")
    file = NewFile(MediaKind.DOCUMENT, "daily.txt", sha256=sha256, size=size, media_type="text/plain")
    await plan(world, "the report", to=ops, repeat="0 10 * * *", files=(file,))

    await lives(world, "2026-03-04T12:00")

    names = [message.media.file_name for message in world.sandbox.messages(ops.id) if message.media]
    assert names == ["old.txt", "daily.txt", "daily.txt", "daily.txt"]


async def test_a_restart_between_two_changes_nothing(world: World, ops: Place) -> None:
    report = await plan(world, "the daily report", to=ops, repeat="0 10 * * *")
    for day in (2, 3, 4):
        await lives(world, f"2026-03-0{day}T10:00")
        await world.restarts()
        await world.ticks()
        await world.is_quiet()

    assert seen(world, ops) == ["03-02 10:00", "03-03 10:00", "03-04 10:00"]
    assert await counted(report) == (3, 0)


async def test_an_ended_schedule_is_deleted_after_its_last_message(world: World, ops: Place) -> None:
    report = await plan(world, "the daily report", to=ops, repeat="0 10 * * *")
    await lives(world, "2026-03-02T12:00")
    await report.is_changed(changes.cancel)

    await arrives(world, "2026-05-30T00:00")
    assert world.rows("SELECT count(*) FROM schedules") == [(1,)]
    await arrives(world, "2026-06-02T00:00")

    assert world.rows("SELECT count(*) FROM schedules") == [(0,)]
    assert world.rows("SELECT count(*) FROM messages") == [(0,)]


@pytest.mark.both_databases
async def test_waiting_schedules_are_listed_with_their_next_times(world: World, ops: Place) -> None:
    daily = await plan(world, "the daily report", to=ops, repeat="@daily")
    weekly = await plan(world, "the weekly report", to=ops, repeat="@weekly")
    gone = await plan(world, "the yearly report", to=ops, repeat="@yearly")
    await gone.is_changed(changes.cancel)

    ids = [each for each, _ in await world.runtime.database.read(queries.page)]
    listed = await world.runtime.database.read(lambda session: queries.some_schedules(session, ids))

    assert [each.schedule.id for each in listed] == [weekly.schedule_id, daily.schedule_id]
    assert [len(each.next_times) for each in listed] == [5, 5]
    contents = [each.waiting.content for each in listed if each.waiting]
    assert contents == ["the weekly report", "the daily report"]


async def test_the_same_key_again_answers_with_the_same_schedule(world: World, ops: Place) -> None:
    first = await plan(world, "the daily report", to=ops, repeat="@daily", client_id="daily")
    again = await plan(world, "the daily report", to=ops, repeat="@daily", client_id="daily")

    assert again.answer.is_duplicate
    assert (again.id, again.schedule_id) == (first.id, first.schedule_id)
    assert again.answer.next_times == first.answer.next_times
