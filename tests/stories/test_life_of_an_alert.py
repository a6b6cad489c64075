"""Life of an alert: sent, acknowledged, escalated, closed."""

import pytest

from tests.stories.conftest import MakeWorld
from tests.stories.places import OPEN, Place
from tests.stories.world import World


async def test_an_alert_arrives_with_its_button(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops, title="db1")

    post = await ops.receives("disk full")

    assert post.text.startswith("db1\n")
    assert post.buttons == OPEN
    assert (await alert.becomes("sent"))["sent_at"] is not None


@pytest.mark.both_databases
async def test_a_notice_arrives_without_a_button_and_ends_there(world: World, ops: Place) -> None:
    notice = await world.notice("backup done", to=ops)

    post = await ops.receives("backup done")

    assert post.buttons == []
    message = await notice.becomes("sent")
    assert message["escalate_at"] is None
    assert message["close_at"] is None


async def test_a_press_acknowledges_and_closes_at_once(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops)

    assert await ops.receives("disk full").presses("Acknowledge", by=anna) == "Acknowledged."

    message = await alert.becomes("closed")
    assert message["acknowledged_by"] == {"telegram_id": anna.id, "name": "Anna", "username": None}
    assert [line["event"] for line in message["timeline"]][:4] == ["accepted", "sent", "acknowledged", "closed"]
    assert {line["actor"] for line in message["timeline"][2:4]} == {f"telegram:{anna.id}"}


async def test_an_acknowledged_alert_names_who_did_and_loses_its_button(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")

    await post.pressed(anna)

    await post.becomes("disk full", "Acknowledged by Anna at 09:00 UTC.", buttons=[])
    assert len(ops.texts) == 1


async def test_in_a_private_chat_its_owner_acknowledges(world: World) -> None:
    anna = await world.subscriber("Anna", username="anna_p")
    alert = await world.alert("disk full", to=anna)

    await anna.receives("disk full").presses("Acknowledge")

    assert (await alert.becomes("closed"))["acknowledged_by"]["username"] == "anna_p"
    await world.sees(lambda: "Acknowledged by Anna (@anna_p)" in anna.texts[-1], "the post names her")


@pytest.mark.both_databases
async def test_a_second_press_names_the_first(world: World, ops: Place) -> None:
    anna, ben = world.member(ops, "Anna"), world.member(ops, "Ben")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")

    first, second = post.press(anna), post.press(ben)

    assert await post.answer_to(first) == "Acknowledged."
    assert await post.answer_to(second) == "Anna acknowledged this at 09:00 UTC."
    assert (await alert.becomes("closed"))["acknowledged_by"]["name"] == "Anna"


async def test_an_unacknowledged_alert_goes_to_the_escalation_channel(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops, source="db1")
    post = await ops.receives("disk full")

    await world.later(minutes=15)

    escalated = await world.duty.receives("disk full")
    assert escalated.text.startswith("⏫ Escalated\n")
    assert escalated.buttons == OPEN
    await post.becomes("Escalated at 09:15 UTC.", buttons=OPEN)
    assert (await alert.delivery(world.duty))["purpose"] == "escalation"
    assert (await alert.now())["status"] == "escalated"


@pytest.mark.both_databases
async def test_alerts_due_together_escalate_once_each_unless_acknowledged(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alerts = [await world.alert(f"disk {number} full", to=ops) for number in range(3)]
    posts = [await ops.receives(f"disk {number} full") for number in range(3)]
    await posts[1].pressed(anna)

    await world.later(minutes=15)

    escalated = [await world.duty.receives(f"disk {number} full") for number in (0, 2)]
    assert len(world.duty.texts) == 2
    assert [(await alert.events()).count("escalated") for alert in alerts] == [1, 0, 1]
    await world.later(hours=5)
    for post in (posts[0], posts[2], *escalated):
        await post.becomes("nobody acknowledged it.", buttons=[])


async def test_nothing_escalates_before_its_time(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops)
    await ops.receives("disk full")

    await world.later(minutes=14, seconds=50)

    await world.is_quiet()
    assert world.duty.texts == []
    assert (await alert.now())["status"] == "sent"


async def test_a_press_in_the_escalation_channel_edits_both_posts(world: World, ops: Place) -> None:
    boss = world.member(world.duty, "Boss")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await world.later(minutes=15)
    escalated = await world.duty.receives("disk full")

    await escalated.pressed(boss)

    await post.becomes("Escalated at 09:15 UTC.", "Acknowledged by Boss", buttons=[])
    await escalated.becomes("Acknowledged by Boss", buttons=[])
    assert (await alert.becomes("closed"))["escalated_at"] is not None


async def test_a_press_in_the_first_chat_edits_the_escalation_too(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await world.later(minutes=15)
    escalated = await world.duty.receives("disk full")

    await post.pressed(anna)

    await escalated.becomes("Acknowledged by Anna", buttons=[])
    await post.becomes("Acknowledged by Anna", buttons=[])


async def test_an_acknowledged_alert_does_not_escalate(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    await world.alert("disk full", to=ops)
    await ops.receives("disk full").presses(by=anna)

    await world.later(hours=2)

    await world.is_quiet()
    assert world.duty.texts == []


@pytest.mark.both_databases
async def test_time_closes_unacknowledged_alerts(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await world.later(minutes=15)
    escalated = await world.duty.receives("disk full")

    await world.later(minutes=45)

    for each in (post, escalated):
        await each.becomes("Closed at 10:00 UTC; nobody acknowledged it.", buttons=[])
    message = await alert.becomes("closed")
    assert message["acknowledged_by"] is None
    assert message["timeline"][-1]["actor"] == "notifybot"


async def test_a_first_press_on_an_expired_alert_is_recorded_and_shown(world: World, ops: Place) -> None:
    anna, ben = world.member(ops, "Anna"), world.member(ops, "Ben")
    alert = await world.alert("disk full", to=ops, escalate_after="never")
    post = await ops.receives("disk full")
    await alert.becomes("sent")
    world.sandbox.fault("error", method="editMessageText")
    await world.later(hours=1)
    await alert.becomes("closed")

    assert await post.pressed(anna) == "This alert is already closed; your acknowledgement is recorded."
    assert await post.pressed(ben) == "Anna acknowledged this at 10:00 UTC."

    world.sandbox.clear_faults()
    await world.passes(minutes=2)
    await post.becomes("Acknowledged by Anna at 10:00 UTC.", buttons=[])
    message = await alert.now()
    assert message["status"] == "closed"
    assert message["acknowledged_by"]["name"] == "Anna"


@pytest.mark.parametrize(
    ("escalate_after", "close_after"), [("1h", "1h"), ("2h", "1h"), ("never", "1h"), (0, "1h"), ("0", "1h")]
)
async def test_an_alert_that_closes_first_or_never_escalates_does_not_escalate(
    world: World, ops: Place, escalate_after: str | int, close_after: str
) -> None:
    alert = await world.alert("disk full", to=ops, escalate_after=escalate_after, close_after=close_after)
    post = await ops.receives("disk full")
    assert alert.accepted["escalate_at"] is None
    await alert.becomes("sent")

    await world.later(hours=3)

    await post.becomes("Closed at")
    await world.is_quiet()
    assert world.duty.texts == []


@pytest.mark.parametrize("never", ["never", 0, "0"])
async def test_an_alert_that_never_closes_stays_open_until_acknowledged(
    world: World, ops: Place, never: str | int
) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops, close_after=never)
    post = await ops.receives("disk full")
    assert alert.accepted["close_at"] is None

    await world.later(days=30)

    await post.becomes("Escalated at", buttons=OPEN)
    assert (await alert.now())["status"] == "escalated"
    await post.pressed(anna)
    await post.becomes("Acknowledged by Anna", buttons=[])


async def test_a_messages_deadlines_override_the_config(another: MakeWorld) -> None:
    world = await another(alerts={"escalate_after": "5m", "close_after": "10m"})
    await world.starts()
    ops = world.group("Ops")
    await world.alert("of the config", to=ops)
    await world.alert("of its own", to=ops, escalate_after="20m", close_after="1d")
    await ops.receives("of its own")

    await world.later(minutes=5)
    await world.duty.receives("of the config")

    await world.later(minutes=15)
    await world.duty.receives("of its own")
    await world.sees(lambda: "Closed at" in ops.texts[0], "the first is closed")
    assert "Closed at" not in ops.texts[1]


async def test_without_an_escalation_channel_nothing_escalates_and_health_warns(another: MakeWorld) -> None:
    world = await another(alerts={"escalation_channel": None})
    await world.starts()
    ops = world.group("Ops")
    alert = await world.alert("disk full", to=ops)
    await ops.receives("disk full")

    await world.later(minutes=20)

    assert alert.accepted["escalate_at"] is None
    assert (await alert.now())["status"] == "sent"
    assert any("escalation channel" in warning for warning in (await world.get("/health"))["warnings"])


async def test_an_escalation_into_the_chat_that_has_the_alert_posts_it_again(world: World) -> None:
    boss = world.member(world.duty, "Boss")
    await world.alert("disk full", to=world.duty)
    first = await world.duty.receives("disk full")

    await world.later(minutes=15)

    second = await world.duty.receives("⏫ Escalated")
    await first.becomes("Escalated at 09:15 UTC.", buttons=OPEN)
    await second.pressed(boss)
    for post in (first, second):
        await post.becomes("Acknowledged by Boss", buttons=[])
