"""Snoozed alerts: they are silent for a while, and every post shows until when."""

import pytest

from tests.stories.conftest import MakeWorld
from tests.stories.places import OPEN, Person, Place
from tests.stories.world import Sent, World

HOUR, TOMORROW = OPEN[1:]


async def deadlines(alert: Sent) -> tuple[str, str]:
    message = await alert.now()
    return message["escalate_at"][:16], message["close_at"][:16]


def chooses_zone(world: World, person: Person, zone: str) -> None:
    world.rows("UPDATE people SET time_zone = ? WHERE chat_id = ?", zone, str(person.id))


async def test_a_snoozed_alert_says_who_and_until_when_in_every_chat(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await world.later(minutes=15)
    escalated = await world.duty.receives("disk full")

    assert await post.pressed(anna, HOUR) == "Snoozed until 10:15 UTC."

    for each in (post, escalated):
        await each.becomes("💤 Snoozed by Anna until 10:15 UTC.", buttons=OPEN)
    line = await alert.tells("snoozed")
    assert (line["actor"], line["detail"]) == (f"telegram:{anna.id}", "Until 2026-03-02 10:15 UTC.")
    assert len(ops.texts) == 1


@pytest.mark.both_databases
async def test_both_deadlines_move_to_the_wake_time_plus_their_spans(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await world.later(minutes=5)

    await post.pressed(anna, HOUR)

    assert await deadlines(alert) == ("2026-03-02T10:20", "2026-03-02T11:05")
    await world.later(minutes=74)
    assert world.duty.texts == []
    await world.later(minutes=2)
    await world.duty.receives("disk full")
    await world.later(minutes=45)
    assert (await alert.becomes("closed"))["acknowledged_by"] is None


async def test_snoozing_again_moves_the_deadlines_on(world: World, ops: Place) -> None:
    anna, bob = world.member(ops, "Anna"), world.member(ops, "Bob")
    alert = await world.alert("disk full", to=ops, escalate_after="10m", close_after="30m")
    post = await ops.receives("disk full")
    await post.pressed(anna, HOUR)
    await world.later(minutes=59)

    await post.pressed(bob, HOUR)

    assert await deadlines(alert) == ("2026-03-02T11:09", "2026-03-02T11:29")
    await post.becomes("Snoozed by Bob until 10:59 UTC.")
    assert (await alert.events()).count("snoozed") == 2


async def test_an_escalated_alert_stays_escalated_and_closes_later(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await world.later(minutes=20)
    await world.duty.receives("disk full")

    await post.pressed(anna, HOUR)

    message = await alert.now()
    assert (message["status"], message["close_at"][:16]) == ("escalated", "2026-03-02T11:20")
    await world.later(minutes=119)
    assert (await alert.now())["status"] == "escalated"
    await world.later(minutes=2)
    await alert.becomes("closed")
    assert len(world.duty.texts) == 1


async def test_a_snooze_survives_a_restart(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await post.pressed(anna, HOUR)
    await world.stops()
    world.moves(minutes=70)

    await world.starts()
    await world.later(minutes=1)
    assert (await alert.now())["status"] == "sent"
    await world.later(minutes=5)

    await world.duty.receives("disk full")


async def test_tomorrow_is_the_morning_in_the_persons_own_zone(world: World, ops: Place) -> None:
    anna = await world.subscriber("Anna")
    world.joins(anna, ops)
    chooses_zone(world, anna, "Pacific/Auckland")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")

    said = await post.pressed(anna, TOMORROW)

    assert said == "Snoozed until 2026-03-03 09:00 (Pacific/Auckland)."
    assert await deadlines(alert) == ("2026-03-02T20:15", "2026-03-02T21:00")
    await post.becomes("Snoozed by Anna until 20:00 UTC.")


async def test_without_a_zone_of_their_own_the_configured_one_counts(another: MakeWorld) -> None:
    world = await another(summary={"time_zone": "Europe/Berlin"})
    await world.starts()
    ops = world.group("Ops")
    await world.alert("disk full", to=ops)

    said = await ops.receives("disk full").presses(TOMORROW, by=world.member(ops, "Anna"))

    assert said == "Snoozed until 2026-03-03 09:00 (Europe/Berlin)."


async def test_on_the_night_the_clocks_change_tomorrow_is_still_nine(another: MakeWorld) -> None:
    world = await another(summary={"time_zone": "Europe/Berlin"})
    world.moves(days=26)  # Saturday, 28 March 2026: the clocks go forward that night
    await world.starts()
    ops = world.group("Ops")
    alert = await world.alert("disk full", to=ops)

    await ops.receives("disk full").presses(TOMORROW, by=world.member(ops, "Anna"))

    assert await deadlines(alert) == ("2026-03-29T07:15", "2026-03-29T08:00")


async def test_the_config_lists_the_snoozes_on_offer(another: MakeWorld) -> None:
    world = await another(alerts={"snooze": ["15m", "tomorrow 07:30", "1d"]})
    await world.starts()
    ops = world.group("Ops")

    await world.alert("disk full", to=ops, buttons=[{"text": "Graph", "url": "https://example.org/g"}])

    post = await ops.receives("disk full")
    assert post.buttons == ["Acknowledge", "Snooze 15 min", "Until tomorrow 07:30", "Snooze 1 d", "Graph"]
    assert [len(row) for row in post.message.buttons] == [1, 2, 1, 1]


async def test_without_configured_snoozes_there_is_no_button(another: MakeWorld) -> None:
    world = await another(alerts={"snooze": []})
    await world.starts()
    ops = world.group("Ops")

    await world.alert("disk full", to=ops)

    assert (await ops.receives("disk full")).buttons == ["Acknowledge"]


async def test_a_snooze_that_was_removed_from_the_config_no_longer_counts(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await world.stops()
    world.sets(alerts={"snooze": ["15m"]})
    await world.starts()

    assert await post.pressed(anna, HOUR) == "This snooze is no longer offered here."
    assert "snoozed" not in await alert.events()


async def test_an_acknowledged_alert_cannot_be_snoozed(world: World, ops: Place) -> None:
    anna, bob = world.member(ops, "Anna"), world.member(ops, "Bob")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    world.sandbox.fault("error", method="editMessageText")
    await post.pressed(anna)

    said = await post.pressed(bob, HOUR)

    assert said == "Anna acknowledged this at 09:00 UTC, so it cannot be snoozed."
    assert "snoozed" not in await alert.events()


async def test_an_alert_that_time_closed_cannot_be_snoozed(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await alert.becomes("sent")
    world.sandbox.fault("error", method="editMessageText")
    await world.later(hours=2)
    await alert.becomes("closed")

    assert await post.pressed(anna, HOUR) == "This alert is already closed and cannot be snoozed."


async def test_a_snoozed_alert_can_be_acknowledged_and_shows_that_alone(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await post.pressed(anna, HOUR)
    await post.becomes("Snoozed by Anna")

    await post.pressed(anna)

    await post.becomes("Acknowledged by Anna at 09:00 UTC.", buttons=[])
    assert "Snoozed" not in post.text
    await alert.becomes("closed")


async def test_an_alert_that_never_escalates_can_be_snoozed(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops, escalate_after="never", close_after="never")

    await ops.receives("disk full").presses(HOUR, by=anna)

    message = await alert.now()
    assert (message["escalate_at"], message["close_at"]) == (None, None)
    await alert.tells("snoozed")


async def test_a_snooze_that_waited_at_telegram_counts_before_the_escalation(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await alert.becomes("sent")
    await world.stops()
    post.press(anna, HOUR)
    world.moves(minutes=30)

    await world.starts()

    await alert.tells("snoozed")
    await world.later(seconds=1)
    assert await deadlines(alert) == ("2026-03-02T10:45", "2026-03-02T11:30")
    assert world.duty.texts == []
