"""Acknowledged alerts that stay open: taken back, or closed by a person, their source or a timeout."""

from collections.abc import AsyncIterator

import pytest

from tests.stories.conftest import MakeWorld
from tests.stories.places import OPEN, Place
from tests.stories.world import Sent, World

RESTING = ["Close", "Take back"]


@pytest.fixture
async def world(another: MakeWorld) -> AsyncIterator[World]:
    """Create a world where alerts stay open until someone closes them."""
    world = await another(alerts={"close_on_acknowledge": False})
    await world.starts()
    yield world


async def test_an_acknowledged_alert_stays_open_and_says_who_acknowledged_it(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")

    assert await post.pressed(anna) == "Acknowledged. Close it when it is resolved, or take it back."

    await post.becomes("✅ Acknowledged by Anna at 09:00 UTC.", buttons=RESTING)
    message = await alert.now()
    assert (message["status"], message["closed_at"]) == ("acknowledged", None)
    assert message["acknowledged_by"]["name"] == "Anna"


async def test_an_acknowledged_alert_does_not_escalate_and_expires(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await post.pressed(anna)

    await world.later(minutes=59)
    assert (await alert.now())["status"] == "acknowledged"
    assert world.duty.texts == []
    await world.later(minutes=1)

    await alert.becomes("closed")
    await post.becomes("Acknowledged by Anna at 09:00 UTC.", "⚪ Closed at 10:00 UTC.", buttons=[])
    assert (await alert.tells("closed"))["detail"] == "Its close_after has passed."


async def test_anyone_in_the_chat_can_close_it(world: World, ops: Place) -> None:
    anna, ben = world.member(ops, "Anna"), world.member(ops, "Ben")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await post.pressed(anna)
    await post.becomes("Acknowledged by Anna", buttons=RESTING)
    world.moves(minutes=10)

    assert await post.pressed(ben, "Close") == "Closed."

    await post.becomes("Acknowledged by Anna at 09:00 UTC.\n⚪ Closed at 09:10 UTC.", buttons=[])
    line = await alert.tells("closed")
    assert line["actor"] == f"telegram:{ben.id}"
    assert (await alert.now())["acknowledged_by"]["name"] == "Anna"


async def test_it_is_closed_through_the_socket_too(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops)
    await ops.receives("disk full")

    assert (await alert.is_asked("acknowledge")).body["status"] == "acknowledged"
    again = await alert.is_asked("acknowledge")

    assert (again.status, again.body["status"]) == (200, "acknowledged")
    assert (await alert.is_asked("close")).body["status"] == "closed"
    assert (await alert.events()).count("acknowledged") == 1


@pytest.mark.both_databases
async def test_its_source_closes_it(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops, dedup_key="disk")
    post = await ops.receives("disk full")
    await post.pressed(anna)

    await world.ask("POST", "/api/ingest", {"channel_id": ops.id, "dedup_key": "disk", "action": "resolve"})

    await alert.becomes("closed")
    await post.becomes("Acknowledged by Anna at 09:00 UTC.\n✔️ Resolved at 09:00 UTC.", buttons=[])


async def test_a_second_acknowledgement_names_the_first(world: World, ops: Place) -> None:
    anna, ben = world.member(ops, "Anna"), world.member(ops, "Ben")
    await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")

    first, second = post.press(anna), post.press(ben)

    await post.answer_to(first)
    assert await post.answer_to(second) == "Anna acknowledged this at 09:00 UTC."


@pytest.mark.both_databases
async def test_taken_back_it_is_open_again_and_posted_again(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops, source="db1")
    post = await ops.receives("disk full")
    await post.pressed(anna)
    await post.becomes("Acknowledged by Anna", buttons=RESTING)
    world.moves(minutes=30)

    assert await post.pressed(anna, "Take back") == "Taken back: the alert is open again."

    await post.becomes("↩️ Open again: Anna took the acknowledgement back at 09:30 UTC.", buttons=OPEN)
    anew = await ops.receives("🔔 Still open\ndisk full")
    assert anew.buttons == OPEN
    message = await alert.becomes("sent")
    assert (message["acknowledged_at"], message["acknowledged_by"]) == (None, None)
    assert message["unacknowledged_by"]["name"] == "Anna"
    assert [each["is_reminder"] for each in message["deliveries"]] == [False, True]
    assert (await alert.tells("unacknowledged"))["actor"] == f"telegram:{anna.id}"


async def test_its_deadlines_restart_when_it_is_taken_back(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops)
    await ops.receives("disk full")
    await alert.is_asked("acknowledge")
    await world.later(minutes=40)

    taken_back = (await alert.is_asked("unacknowledge")).body

    assert (taken_back["escalate_at"][:16], taken_back["close_at"][:16]) == ("2026-03-02T09:55", "2026-03-02T10:40")
    await world.later(minutes=14)
    assert world.duty.texts == []
    await world.later(minutes=1)
    await world.duty.receives("disk full")
    await world.later(minutes=45)
    await alert.becomes("closed")


async def test_an_escalated_alert_is_escalated_again_when_taken_back(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops)
    await ops.receives("disk full")
    await world.later(minutes=15)
    await world.duty.receives("disk full")
    await alert.is_asked("acknowledge")

    assert (await alert.is_asked("unacknowledge")).body["status"] == "escalated"

    for place in (ops, world.duty):
        await place.receives("🔔 Still open")


async def test_it_can_be_acknowledged_snoozed_and_taken_back_again(world: World, ops: Place) -> None:
    anna, ben = world.member(ops, "Anna"), world.member(ops, "Ben")
    alert = await world.alert("disk full", to=ops)
    first = await ops.receives("disk full")
    await first.pressed(anna)
    await alert.is_asked("unacknowledge")
    second = await ops.receives("🔔 Still open")

    await second.pressed(ben)

    for post in (first, second):
        await post.becomes("Acknowledged by Ben", buttons=RESTING)
    await second.pressed(anna, "Take back")
    third = await ops.receives("🔔 Still open")
    await third.pressed(ben, OPEN[1])
    await first.becomes("💤 Snoozed by Ben until 10:00 UTC.", buttons=OPEN)
    assert (await alert.now())["escalate_at"][:16] == "2026-03-02T10:15"


async def test_taking_back_twice_changes_nothing(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops)
    await ops.receives("disk full")
    await alert.is_asked("acknowledge")

    first, again = await alert.is_asked("unacknowledge"), await alert.is_asked("unacknowledge")

    assert (first.status, again.status) == (200, 200)
    assert (await alert.events()).count("unacknowledged") == 1


async def test_when_close_and_take_back_are_pressed_together_the_first_counts(world: World, ops: Place) -> None:
    anna, ben = world.member(ops, "Anna"), world.member(ops, "Ben")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await post.pressed(anna)
    await post.becomes("Acknowledged by Anna", buttons=RESTING)

    back, close = post.press(anna, "Take back"), post.press(ben, "Close")

    assert await post.answer_to(back) == "Taken back: the alert is open again."
    assert await post.answer_to(close) == "The acknowledgement was taken back: acknowledge the alert first."
    assert (await alert.now())["status"] == "sent"


async def test_a_closed_alert_is_not_taken_back(world: World, ops: Place) -> None:
    anna, ben = world.member(ops, "Anna"), world.member(ops, "Ben")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await post.pressed(anna)
    await post.becomes("Acknowledged by Anna", buttons=RESTING)

    close, again, back = post.press(ben, "Close"), post.press(anna, "Close"), post.press(anna, "Take back")

    assert await post.answer_to(close) == "Closed."
    assert await post.answer_to(again) == "This alert is already closed."
    said = "This alert is already closed, so its acknowledgement cannot be taken back."
    assert await post.answer_to(back) == said
    answer = await alert.is_asked("unacknowledge")
    assert (answer.status, answer.body["detail"]) == (409, said)


async def test_an_unacknowledged_alert_or_a_notice_cannot_be_taken_back(world: World, ops: Place) -> None:
    alert, notice = await world.alert("disk full", to=ops), await world.notice("backup done", to=ops)
    await alert.becomes("sent")

    said = (await alert.is_asked("unacknowledge")).body["detail"]

    assert said == "This alert is sent, and nobody has acknowledged it."
    assert (await notice.is_asked("unacknowledge")).status == 409


async def test_an_alert_acknowledged_before_it_was_shown_is_shown_when_taken_back(world: World, ops: Place) -> None:
    world.sandbox.fault("away")
    alert = await world.alert("disk full", to=ops)
    await alert.is_asked("acknowledge")
    assert (await alert.delivery(ops))["status"] == "withdrawn"

    await alert.is_asked("unacknowledge")
    world.sandbox.clear_faults()
    await world.passes(seconds=5)

    post = await ops.receives("disk full")
    assert post.buttons == OPEN
    assert len(ops.texts) == 1
    await alert.becomes("sent")


@pytest.mark.parametrize(("escalate_after", "becomes"), [("15m", "escalated"), ("never", "failed")])
async def test_an_alert_that_reached_nobody_escalates_when_taken_back(
    another: MakeWorld, escalate_after: str, becomes: str
) -> None:
    world = await another(
        alerts={"close_on_acknowledge": False, "escalate_after": escalate_after},
        rotations={"oncall": {"members": ["alice"], "start": "2026-01-01", "handover": "@daily"}},
        accounts={"alice": "alice"},
    )
    await world.starts()
    answer = await world.ask("POST", "/api/ingest", {"content": "disk full", "to": ["oncall"]})
    alert = Sent(world, answer.body["id"], answer.body)
    await alert.is_asked("acknowledge")

    await alert.is_asked("unacknowledge")

    await world.ticks("escalation")
    await alert.becomes(becomes)


async def test_muted_people_are_not_notified_when_it_is_taken_back(another: MakeWorld) -> None:
    world = await another(alerts={"close_on_acknowledge": False, "reach_muted": False})
    await world.starts()
    ops, anna = world.group("Ops"), await world.subscriber("Anna")
    world.rows("UPDATE people SET is_enabled = ? WHERE chat_id = ?", False, str(anna.id))
    asked = await world.ask("POST", "/api/ingest", {"content": "disk full", "to": [ops.id, anna.id]})
    alert = Sent(world, asked.body["id"], asked.body)
    await ops.receives("disk full")
    await alert.is_asked("acknowledge")

    await alert.is_asked("unacknowledge")

    await ops.receives("🔔 Still open")
    await world.is_quiet()
    assert len(anna.texts) == 1
    assert (await alert.delivery(anna))["status"] == "withdrawn"


@pytest.mark.both_databases
async def test_the_list_of_open_alerts_says_who_acknowledged_them(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops)
    await world.alert("fan broken", to=ops)
    await ops.receives("disk full").presses(by=anna)
    await ops.receives("fan broken")

    anna.says("/open", to=ops)

    listed = await ops.receives("Open alerts:")
    assert "2. disk full (09:00 UTC, acknowledged by Anna)" in listed.text
    assert listed.buttons == ["Acknowledge 1"]
    await listed.pressed(anna, "Acknowledge 1")
    anna.says("/open", to=ops)
    assert (await ops.receives("Acknowledged, not closed yet:")).buttons == []
    assert (await alert.now())["status"] == "acknowledged"


async def test_repeats_under_its_key_only_count_until_it_is_taken_back(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops, dedup_key="disk")
    post = await ops.receives("disk full")
    await alert.is_asked("acknowledge")
    repeat = {"content": "disk fuller", "channel_id": ops.id, "dedup_key": "disk"}

    await world.ask("POST", "/api/ingest", repeat)
    await post.becomes("🔁 2 times")
    assert "disk fuller" not in post.text
    await alert.is_asked("unacknowledge")
    await world.later(hours=25)
    await world.ask("POST", "/api/ingest", repeat)

    assert (await alert.now())["status"] == "closed", "its time was over"


async def test_an_acknowledged_alert_survives_a_restart(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await post.pressed(anna)
    await post.becomes("Acknowledged by Anna", buttons=RESTING)

    await world.restarts()

    assert await post.pressed(anna, "Take back") == "Taken back: the alert is open again."
    await alert.becomes("sent")
    await ops.receives("🔔 Still open")


async def test_with_acknowledge_by_linked_others_cannot_close_or_take_back(another: MakeWorld) -> None:
    world = await another(alerts={"close_on_acknowledge": False, "acknowledge_by": "linked"})
    await world.starts()
    ops = world.group("Ops")
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await alert.is_asked("acknowledge")
    await post.becomes("Acknowledged by", buttons=RESTING)

    for button in RESTING:
        assert (await post.pressed(anna, button)).startswith("Only people with a linked account")

    assert (await alert.now())["status"] == "acknowledged"
