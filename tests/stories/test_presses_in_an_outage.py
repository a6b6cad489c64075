"""Presses that wait at Telegram while the connection is cut count before what falls due meanwhile."""

from collections.abc import Callable

import pytest

from tests.stories.places import OPEN, Place
from tests.stories.world import World

Cut = Callable[[World], object]


def _everything(world: World) -> object:
    return world.sandbox.fault("away")


def _nothing_answers(world: World) -> object:
    return world.sandbox.fault("error")


def _updates_only(world: World) -> object:
    return world.sandbox.fault("away", method="getUpdates")


def _gateway(world: World) -> object:
    return world.sandbox.fault("error", method="getUpdates")


CUTS = [_everything, _nothing_answers, _updates_only, _gateway]


@pytest.mark.parametrize("minutes", [16, 61], ids=["escalation", "close"])
@pytest.mark.parametrize("cut", [_everything, _nothing_answers], ids=lambda cut: str(cut.__name__))
async def test_a_press_made_during_an_outage_counts_before_what_fell_due_in_it(
    world: World, ops: Place, cut: Cut, minutes: int
) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops, escalate_after="15m", close_after="2h")
    post = await ops.receives("disk full")
    cut(world)
    post.press(anna)
    await world.later(minutes=minutes)

    world.sandbox.clear_faults()
    await world.in_time(lambda: not post.buttons, "the post is edited")

    message = await alert.becomes("closed")
    assert message["acknowledged_by"]["name"] == "Anna"
    await world.is_quiet()
    assert world.duty.texts == []


@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: str(cut.__name__))
async def test_a_press_counts_though_the_connection_returns_just_when_the_step_is_due(
    world: World, ops: Place, cut: Cut
) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    cut(world)
    post.press(anna)
    world.moves(minutes=16)
    world.sandbox.clear_faults()

    await world.ticks()

    assert (await alert.becomes("closed"))["acknowledged_by"]["name"] == "Anna"
    await world.is_quiet()
    assert world.duty.texts == []


async def test_a_press_that_arrives_with_the_step_after_a_suspend_counts_first(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    post.press(anna)
    world.moves(hours=3)

    await world.ticks("close")

    assert (await alert.becomes("closed"))["acknowledged_by"]["name"] == "Anna"
    assert "escalated" not in await alert.events()
    assert world.duty.texts == []


async def test_without_a_press_an_outage_delays_no_escalation(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops)
    await ops.receives("disk full")
    world.sandbox.fault("away", method="getUpdates")
    await world.later(minutes=16)

    await world.duty.receives("disk full")
    assert (await alert.now())["status"] == "escalated"


async def test_an_alert_shown_after_its_close_after_can_be_answered(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    world.sandbox.fault("away")
    alert = await world.alert("disk full", to=ops, escalate_after="never", close_after="30m")
    await world.later(hours=3)
    world.sandbox.clear_faults()
    await world.passes(seconds=5)
    post = await ops.receives("disk full")
    await post.becomes("Late: sent at 09:00 UTC.", buttons=OPEN)

    await world.later(minutes=29)
    await post.pressed(anna)

    assert (await alert.becomes("closed"))["acknowledged_by"]["name"] == "Anna"


async def test_an_alert_shown_late_keeps_the_span_of_its_snooze(world: World, ops: Place) -> None:
    world.sandbox.fault("away")
    alert = await world.alert("disk full", to=ops, escalate_after="never", close_after="30m")
    await world.later(hours=3)
    world.sandbox.clear_faults()
    await world.passes(seconds=5)
    await ops.receives("disk full")

    assert (await world.ask("POST", f"/api/messages/{alert.id}/snooze", {"for": "1h"})).status == 200
    await world.later(minutes=89)
    assert (await alert.now())["status"] == "sent"
    await world.later(minutes=2)

    await alert.becomes("closed")


async def test_an_alert_that_nobody_can_be_shown_closes_by_time(world: World) -> None:
    alert = await world.alert("disk full", to="-1009999999", escalate_after="never", close_after="30m")
    await alert.becomes("failed")

    await world.later(minutes=31)

    await alert.becomes("closed")
