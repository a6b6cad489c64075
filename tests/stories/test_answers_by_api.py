"""Acknowledge, close and cancel through the socket."""

import pytest

from tests.stories.places import Place
from tests.stories.world import World

VERBS = ("acknowledge", "close", "cancel")


async def test_an_alert_is_acknowledged_through_the_socket(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")

    answer = await alert.is_asked("acknowledge")

    assert (answer.status, answer.body["status"]) == (200, "closed")
    account = answer.body["acknowledged_by"]["account"]
    await post.becomes(f"Acknowledged by {account} at 09:00 UTC.", buttons=[])


async def test_acknowledging_again_returns_the_first_acknowledgement(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops)
    await ops.receives("disk full").presses(by=anna)

    answer = await alert.is_asked("acknowledge")

    assert answer.status == 200
    assert answer.body["acknowledged_by"]["name"] == "Anna"
    assert (await alert.events()).count("acknowledged") == 1


async def test_a_press_after_an_acknowledgement_by_api_names_its_account(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    world.sandbox.fault("error", method="editMessageText")
    answer = await alert.is_asked("acknowledge")

    account = answer.body["acknowledged_by"]["account"]
    assert await post.pressed(anna) == f"{account} acknowledged this at 09:00 UTC."


async def test_closing_ends_an_alert_and_closing_again_changes_nothing(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")

    first = await alert.is_asked("close")
    await world.later(minutes=1)
    again = await alert.is_asked("close")

    assert (first.status, first.body["status"]) == (200, "closed")
    assert (again.status, again.body["closed_at"]) == (200, first.body["closed_at"])
    await post.becomes("Closed at 09:00 UTC; nobody acknowledged it.", buttons=[])


async def test_a_closed_alert_cannot_be_acknowledged(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops)
    await alert.is_asked("close")

    answer = await alert.is_asked("acknowledge")

    assert answer.status == 409
    assert "closed" in answer.body["detail"]
    assert (await alert.now())["acknowledged_by"] is None


@pytest.mark.parametrize("verb", VERBS)
async def test_a_shown_notice_cannot_be_acknowledged(world: World, ops: Place, verb: str) -> None:
    notice = await world.notice("backup done", to=ops)
    await notice.becomes("sent")

    answer = await notice.is_asked(verb)

    assert answer.status == 409
    assert answer.body["title"] == "Conflict"
    assert (await notice.now())["status"] == "sent"


async def test_an_alert_that_was_shown_is_not_cancelled_but_may_be_closed(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops)
    await ops.receives("disk full")
    await alert.becomes("sent")

    answer = await alert.is_asked("cancel")

    assert answer.status == 409
    assert answer.body["hint"] == "You can close the alert instead."


@pytest.mark.parametrize("verb", VERBS)
async def test_an_alert_that_is_not_posted_yet_is_withdrawn(world: World, ops: Place, verb: str) -> None:
    world.sandbox.fault("away")
    alert = await world.alert("disk full", to=ops)
    await world.alert("the next", to=ops)

    assert (await alert.is_asked(verb)).status == 200

    world.sandbox.clear_faults()
    await world.passes(seconds=5)
    await ops.receives("the next")
    assert len(ops.texts) == 1
    assert (await alert.delivery(ops))["status"] == "withdrawn"
    assert "withdrawn" in await alert.events()


async def test_cancelling_again_changes_nothing(world: World, ops: Place) -> None:
    world.sandbox.fault("away")
    notice = await world.notice("backup done", to=ops)

    first, again = await notice.is_asked("cancel"), await notice.is_asked("cancel")

    assert (first.status, again.status) == (200, 200)
    assert again.body["status"] == "cancelled"
    assert (await notice.events()).count("cancelled") == 1


@pytest.mark.parametrize("verb", ["acknowledge", "close"])
async def test_a_cancelled_alert_cannot_be_acknowledged(world: World, ops: Place, verb: str) -> None:
    world.sandbox.fault("away")
    alert = await world.alert("disk full", to=ops)
    await alert.is_asked("cancel")

    answer = await alert.is_asked(verb)

    assert answer.status == 409
    assert "cancelled" in answer.body["detail"]


@pytest.mark.parametrize(
    ("verb", "says"), [("acknowledge", "Acknowledged by"), ("close", "Closed at"), ("cancel", "Cancelled.")]
)
async def test_a_change_during_the_call_is_shown_right_after_it(world: World, ops: Place, verb: str, says: str) -> None:
    world.sandbox.fault("slow", method="sendMessage", seconds=0.2)
    alert = await world.alert("disk full", to=ops)
    await world.sees(lambda: world.rows("SELECT 1 FROM chats WHERE claimed_post IS NOT NULL"), "the call is under way")

    assert (await alert.is_asked(verb)).status == 200

    post = await ops.receives("disk full")
    await post.becomes(says, buttons=[])
    await world.is_quiet()
    assert len(ops.texts) == 1
    assert (await alert.delivery(ops))["status"] == "shown"


@pytest.mark.parametrize("verb", VERBS)
async def test_acknowledging_an_unknown_message_is_refused(world: World, verb: str) -> None:
    answer = await world.ask("POST", f"/api/messages/01890000-0000-7000-8000-000000000000/{verb}")

    assert answer.status == 404


async def test_a_pending_escalation_of_an_acknowledged_alert_is_not_posted(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    world.sandbox.fault("flood", chat=world.duty.id, retry_after=60)
    await world.later(minutes=15)
    await world.sees(lambda: world.refusals("sendMessage"), "the escalation is held")

    await alert.is_asked("acknowledge")
    await world.passes(minutes=2)

    await post.becomes("Acknowledged by", buttons=[])
    assert world.duty.texts == []
    assert (await alert.delivery(world.duty))["status"] == "withdrawn"
