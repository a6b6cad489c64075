"""A machine's clock that is set: spans stay as long as they were, times of day mean the clock, and it is reported."""

import random

import pytest

from tests.stories.conftest import MakeWorld
from tests.stories.places import OPEN, Place
from tests.stories.test_mutes_and_quiet_hours import notice, wants_quiet
from tests.stories.world import World

STEPS = [{"seconds": -1}, {"minutes": -10}, {"hours": -2}, {"days": -9}, {"seconds": 1}, {"minutes": 10}, {"days": 9}]


@pytest.mark.parametrize("step", STEPS, ids=str)
async def test_an_alert_escalates_and_closes_after_its_spans_whatever_the_clock_does(
    world: World, ops: Place, step: dict[str, float]
) -> None:
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await world.passes(minutes=1)

    await world.sets_clock(**step)
    await world.passes(minutes=13)
    assert world.duty.texts == []
    assert (await alert.now())["status"] == "sent"

    await world.passes(minutes=2)
    await world.duty.receives("disk full")
    await world.passes(minutes=43)
    assert (await alert.now())["status"] == "escalated"
    await world.passes(minutes=2)
    await alert.becomes("closed")
    await post.becomes("nobody acknowledged it", buttons=[])


@pytest.mark.parametrize("step", STEPS, ids=str)
async def test_what_waits_goes_out_no_later_and_no_earlier_than_without_the_step(
    another: MakeWorld, step: dict[str, float]
) -> None:
    world = await another(limits=True)
    await world.starts()
    ops, other = world.group("Ops"), world.group("Other")
    for number in range(12):
        await world.notice(f"backup {number}", to=ops)
    await world.passes(seconds=1)
    waiting = 12 - len(ops.texts)
    assert waiting > 0

    await world.sets_clock(**step)
    await world.alert("disk full", to=other)
    await world.passes(seconds=2)
    assert len(other.texts) == 1
    assert len(ops.texts) < 12
    await world.passes(seconds=60)

    assert len(ops.texts) == 12


@pytest.mark.parametrize("step", STEPS, ids=str)
async def test_a_ban_lasts_as_long_as_telegram_said(world: World, ops: Place, step: dict[str, float]) -> None:
    world.sandbox.fault("flood", method="sendMessage", retry_after=60, times=1)
    await world.alert("disk full", to=ops)
    await world.passes(seconds=5)

    await world.sets_clock(**step)
    await world.passes(seconds=50)
    assert ops.texts == []
    await world.passes(seconds=10)

    assert len(ops.texts) == 1
    assert len(world.sandbox.calls.of("sendMessage")) == 2


@pytest.mark.parametrize("step", STEPS, ids=str)
async def test_a_step_while_the_daemon_is_down_moves_nothing_either(
    world: World, ops: Place, step: dict[str, float]
) -> None:
    alert = await world.alert("disk full", to=ops)
    await ops.receives("disk full")
    await world.stops()
    await world.sets_clock(**step)
    await world.later(minutes=5)

    await world.starts()
    await world.passes(minutes=9)
    assert world.duty.texts == []
    await world.passes(minutes=2)

    await world.duty.receives("disk full")
    assert (await alert.now())["status"] == "escalated"


# Times of day


async def test_a_message_for_a_time_of_day_waits_for_the_clock_to_show_it(world: World, ops: Place) -> None:
    await world.notice("maintenance begins", to=ops, send_at="2026-03-02T12:00:00Z")
    await world.sets_clock(hours=-2)
    await world.passes(hours=4)
    assert ops.texts == []

    await world.sets_clock(minutes=61)

    await ops.receives("maintenance begins")


async def test_an_alert_whose_time_a_step_has_skipped_has_its_spans_from_then(world: World, ops: Place) -> None:
    alert = await world.alert("check the backup", to=ops, send_at="2026-03-02T12:00:00Z")
    await world.sets_clock(days=9)
    await ops.receives("check the backup")

    await world.passes(minutes=14)
    assert world.duty.texts == []
    await world.passes(minutes=2)

    await world.duty.receives("check the backup")
    assert (await alert.now())["status"] == "escalated"


async def test_quiet_hours_end_by_the_clock_though_it_is_set(world: World) -> None:
    anna = await world.subscriber("Anna")
    wants_quiet(world, anna, "08:00", "12:00", zone="UTC")
    told = len(anna.texts)
    await notice(world, "backup done", str(anna.id))
    await world.passes(minutes=5)
    await world.sets_clock(hours=-1)
    await world.passes(hours=3)
    assert len(anna.texts) == told

    await world.passes(minutes=60)

    await anna.receives("backup done")


@pytest.mark.parametrize(("body", "hours_later"), [({"for": "3h"}, 3), ({"until": "2026-03-02T12:00:00Z"}, 5)], ids=str)
async def test_a_snooze_for_a_span_is_a_span_and_one_until_a_time_means_the_clock(
    world: World, ops: Place, body: dict[str, str], hours_later: int
) -> None:
    alert = await world.alert("disk full", to=ops)
    await ops.receives("disk full")
    answer = await world.ask("POST", f"/api/messages/{alert.id}/snooze", body)
    assert answer.status == 200

    await world.sets_clock(hours=-2)
    await world.passes(hours=hours_later, minutes=14)
    assert world.duty.texts == []
    await world.passes(minutes=2)

    await world.duty.receives("disk full")


async def test_a_message_every_15_minutes_keeps_coming_every_15_minutes(world: World, ops: Place) -> None:
    await world.notice("still alive", to=ops, repeat="every 15m")
    await world.passes(minutes=16)
    assert len(ops.texts) == 1

    await world.sets_clock(hours=-2)
    await world.passes(minutes=15)

    assert len(ops.texts) == 2


async def test_an_hourly_message_does_not_come_again_for_the_hours_that_come_again(world: World, ops: Place) -> None:
    await world.notice("hourly", to=ops, repeat="0 * * * *")
    await world.passes(minutes=61)
    await world.sets_clock(hours=-2)
    await world.passes(minutes=119)
    assert len(ops.texts) == 1

    await world.passes(minutes=60)

    assert len(ops.texts) == 2


# Reboots


@pytest.mark.parametrize("behind", [{"minutes": -10}, {"hours": -2}, {"days": -20000}], ids=str)
async def test_after_a_reboot_into_the_past_everything_goes_on_and_ntp_changes_nothing(
    world: World, ops: Place, behind: dict[str, float]
) -> None:
    alert = await world.alert("disk full", to=ops)
    await ops.receives("disk full")
    await world.stops()
    world.clock.boot = "second boot"
    await world.sets_clock(**behind)
    world.sandbox.fault("away")

    await world.starts()
    await world.passes(seconds=30)
    world.sandbox.clear_faults()
    await world.sets_clock(**{unit: -count for unit, count in behind.items()})
    await world.passes(minutes=13)
    assert world.duty.texts == []
    await world.passes(minutes=3)

    await world.duty.receives("disk full")
    assert (await alert.now())["status"] == "escalated"


async def test_after_a_reboot_telegrams_clock_tells_a_wrong_clock_from_a_downtime(world: World, ops: Place) -> None:
    await world.alert("disk full", to=ops)
    await ops.receives("disk full")
    await world.passes(minutes=6)  # the time is noted every five minutes
    await world.sets_clock()
    await world.stops()
    world.clock.boot = "second boot"
    await world.sets_clock(hours=2)

    await world.starts()
    await world.passes(minutes=8)
    assert world.duty.texts == []
    await world.passes(minutes=2)

    await world.duty.receives("disk full")


async def test_what_fell_due_while_the_machine_was_off_is_done_after_the_reboot(world: World, ops: Place) -> None:
    await world.alert("disk full", to=ops)
    await ops.receives("disk full")
    await world.stops()
    world.clock.boot = "second boot"
    await world.later(minutes=20)

    await world.starts()

    await world.duty.receives("disk full")


# What people see


async def test_a_step_is_in_the_timeline_the_log_and_health(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await world.sets_clock(hours=-2)

    said = "The clock was set back by 2h. Waiting times are unchanged."
    assert (await alert.tells("edited"))["detail"] == said
    await world.logs("the clock was set; what waits has moved with it")
    warnings = (await world.get("/health"))["warnings"]
    assert "At 07:00 UTC: " + said in warnings
    await post.becomes("disk full", buttons=OPEN)
    await world.passes(minutes=61)
    assert not [line for line in (await world.get("/health"))["warnings"] if said in line]


async def test_health_says_that_the_clock_differs_from_telegrams(world: World, ops: Place) -> None:
    await world.sets_clock(hours=2)
    await world.passes(seconds=15)

    wrong = "The clock of this machine is 2h ahead of Telegram's. Check its time synchronization."
    assert [line for line in (await world.get("/health"))["warnings"] if "Telegram's" in line] == [wrong]


async def test_old_messages_are_not_deleted_on_the_day_after_a_leap_into_the_future(world: World, ops: Place) -> None:
    done = await world.notice("backup done", to=ops)
    await done.becomes("sent")

    await world.sets_clock(days=400)
    await world.ticks("retention")

    assert (await done.now())["status"] == "sent"


# Random steps at random moments, over restarts


@pytest.mark.parametrize("seed", range(8))
async def test_random_steps_make_nothing_stand_still_or_fire_early(another: MakeWorld, seed: int) -> None:
    rng = random.Random(seed)
    world = await another()
    await world.starts()
    ops = world.group("Ops")
    spans = [rng.randint(3, 40) for _ in range(4)]
    for number, minutes in enumerate(spans):
        await world.alert(f"disk {number}", to=ops, escalate_after=f"{minutes}m", close_after="12h")
        await ops.receives(f"disk {number}")
    begin = world.clock.at
    for _ in range(6):
        step = rng.choice([1, 60, 3600, 86400 * 9]) * rng.uniform(-1, 1)
        if rng.random() < 0.3:
            await world.stops()
            await world.sets_clock(seconds=step)
            await world.starts()
        else:
            await world.sets_clock(seconds=step)
        await world.passes(minutes=rng.uniform(0, 8))
        passed = (world.clock.at - begin).total_seconds() / 60
        for number, minutes in enumerate(spans):
            is_escalated = any(f"disk {number}" in text for text in world.duty.texts)
            if abs(passed - minutes) > 0.2:
                assert is_escalated == (passed > minutes), (number, minutes, passed)
