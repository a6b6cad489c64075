"""Reminders of open alerts: a new post at the interval of the config, a policy or the message."""

import pytest

from tests.stories.conftest import MakeWorld
from tests.stories.places import OPEN, Place
from tests.stories.world import Json, Sent, World

STILL = "🔔 Still open\ndisk full"


async def remembered(world: World, to: Place, **fields: object) -> Sent:
    """Send an alert with a reminder every half hour."""
    return await world.alert(
        "disk full",
        to=to,
        source="db1",
        **{"remind_every": "30m", "escalate_after": "never", "close_after": "1d"} | fields,
    )


async def reminders(alert: Sent) -> list[Json]:
    return [each for each in (await alert.now())["deliveries"] if each["is_reminder"]]


async def test_an_unacknowledged_alert_is_posted_again_and_again(world: World, ops: Place) -> None:
    alert = await remembered(world, ops)
    first = await ops.receives("disk full")

    await world.later(minutes=29)
    assert len(ops.texts) == 1
    for minutes, moment in ((1, "09:30"), (30, "10:00"), (30, "10:30")):
        await world.later(minutes=minutes)
        post = await ops.receives(STILL)
        assert post.buttons == OPEN
        assert "🕓 Started at 09:00 UTC." in post.text
        assert (await alert.now())["status"] == "sent", moment

    assert [each["purpose"] for each in await reminders(alert)] == ["primary"] * 3
    assert first.text == "disk full\n\nfrom db1", "the first post says no more than before"


async def test_any_post_acknowledges_the_alert_and_all_posts_follow(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await remembered(world, ops)
    first = await ops.receives("disk full")
    await world.later(minutes=30)
    second = await ops.receives(STILL)

    await second.pressed(anna)

    await first.becomes("Acknowledged by Anna at 09:30 UTC.", buttons=[])
    await second.becomes("🔔 Reminder", "Acknowledged by Anna at 09:30 UTC.", buttons=[])
    await alert.becomes("closed")
    await world.later(hours=5)
    await world.is_quiet()
    assert len(ops.texts) == 2


async def test_only_the_newest_reminder_in_a_chat_is_updated(world: World, ops: Place) -> None:
    alert = await remembered(world, ops)
    first = await ops.receives("disk full")
    posts = []
    for _ in range(4):
        await world.later(minutes=30)
        posts.append(await ops.receives(STILL))
        await world.is_quiet()
    *older, newest = posts
    assert [post.buttons for post in (first, *older, newest)] == [OPEN, [], [], [], OPEN]
    before = [len(post.message.history) for post in older]

    await alert.is_asked("close")

    for post in (first, newest):
        await post.becomes("⚪ Closed at 11:00 UTC", buttons=[])
    await world.is_quiet()
    assert [len(post.message.history) for post in older] == before == [1, 1, 1]
    assert all(post.text.startswith("🔔 Reminder") for post in older)


async def test_reminders_of_an_acknowledged_alert_continue_until_it_is_closed(another: MakeWorld) -> None:
    world = await another(alerts={"close_on_acknowledge": False, "remind_every": "30m", "close_after": "1d"})
    await world.starts()
    ops = world.group("Ops")
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops, escalate_after="never")
    post = await ops.receives("disk full")
    await world.later(minutes=20)
    await post.pressed(anna)

    await world.later(minutes=29)
    assert len(ops.texts) == 1, "the half hour begins with the answer"
    await world.later(minutes=1)
    reminder = await ops.receives("🔔 Acknowledged by Anna, still not closed")
    assert reminder.buttons == ["Close", "Take back"]
    await reminder.pressed(anna, "Close")

    await alert.becomes("closed")
    await reminder.becomes("🔔 Reminder", "Closed at 09:50 UTC.", buttons=[])
    await world.later(hours=2)
    await world.is_quiet()
    assert len(ops.texts) == 2


@pytest.mark.both_databases
async def test_reminders_go_to_every_chat_that_shows_the_alert(world: World, ops: Place) -> None:
    alert = await remembered(world, ops, escalate_after="10m")
    await ops.receives("disk full")
    await world.later(minutes=10)
    await world.duty.receives("⏫ Escalated")

    await world.later(minutes=20)

    for place in (ops, world.duty):
        await place.receives(STILL)
    assert sorted(each["purpose"] for each in await reminders(alert)) == ["escalation", "primary"]


async def test_a_chat_with_the_alert_and_its_escalation_gets_one_reminder(another: MakeWorld) -> None:
    world = await another()
    await world.starts()
    await remembered(world, world.duty, escalate_after="10m")
    await world.duty.receives("disk full")
    await world.later(minutes=10)
    await world.duty.receives("⏫ Escalated")

    await world.later(minutes=20)

    await world.duty.receives(STILL)
    await world.is_quiet()
    assert len(world.duty.texts) == 3


async def test_missed_reminders_are_made_up_for_once(world: World, ops: Place) -> None:
    alert = await remembered(world, ops)
    await ops.receives("disk full")
    await alert.becomes("sent")
    await world.stops()
    world.moves(hours=3, minutes=10)

    await world.starts()

    await ops.receives(STILL)
    assert (await alert.now())["remind_at"][:16] == "2026-03-02T12:30"
    await world.later(minutes=20)
    await ops.receives(STILL)
    assert len(ops.texts) == 3


async def test_while_telegram_is_away_reminders_do_not_pile_up(world: World, ops: Place) -> None:
    alert = await remembered(world, ops)
    await ops.receives("disk full")
    await alert.becomes("sent")
    world.sandbox.fault("away")
    for _ in range(4):
        await world.later(minutes=30)

    world.sandbox.clear_faults()
    await world.passes(minutes=1)

    await ops.receives(STILL)
    assert len(ops.texts) == 2
    assert len(await reminders(alert)) == 1


async def test_an_alert_that_was_never_shown_has_no_reminder(world: World, ops: Place) -> None:
    world.sandbox.fault("away")
    alert = await remembered(world, ops)

    await world.later(minutes=70)

    assert await reminders(alert) == []
    world.sandbox.clear_faults()
    await world.passes(minutes=1)
    assert len(ops.texts) == 1


async def test_an_alert_that_expired_during_a_downtime_has_no_reminder(world: World, ops: Place) -> None:
    alert = await remembered(world, ops, close_after="1h")
    await ops.receives("disk full")
    await alert.becomes("sent")
    await world.stops()
    world.moves(hours=2)

    await world.starts()
    await world.ticks("reminders")

    await alert.becomes("closed")
    await world.is_quiet()
    assert len(ops.texts) == 1


async def test_a_snoozed_alert_has_no_reminder_before_it_wakes(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    await remembered(world, ops)
    post = await ops.receives("disk full")
    await post.pressed(anna, OPEN[1])

    await world.later(minutes=89)
    assert len(ops.texts) == 1
    await world.later(minutes=1)

    await ops.receives(STILL)


async def test_a_deleted_reminder_does_not_come_back(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await remembered(world, ops)
    first = await ops.receives("disk full")
    await world.later(minutes=30)
    (await ops.receives(STILL)).is_deleted()

    await first.pressed(anna, OPEN[1])

    await first.becomes("Snoozed by Anna")
    await world.is_quiet()
    assert len(ops.texts) == 1
    assert (await alert.now())["status"] == "sent"


async def test_a_reminder_is_as_silent_and_in_the_same_topic_as_the_alert(another: MakeWorld) -> None:
    world = await another()
    await world.starts()
    ops = world.group("Ops", forum=True)
    topic = world.sandbox.add_topic(ops.id, "disks")
    await remembered(world, ops, silent=True, thread_id=topic)
    await ops.receives("disk full")

    await world.later(minutes=30)

    await ops.receives(STILL)
    assert len(ops.silent_texts) == 2
    assert [str(params["message_thread_id"]) for params in ops.sends()] == [str(topic)] * 2


async def test_a_message_overrides_the_configured_interval(another: MakeWorld) -> None:
    world = await another(alerts={"remind_every": "20m"})
    await world.starts()
    ops = world.group("Ops")
    usual = await world.alert("disk full", to=ops)
    own = await world.alert("fan broken", to=ops, remind_every="5m")
    never = await world.alert("lamp dark", to=ops, remind_every="never")
    notice = await world.notice("backup done", to=ops)

    moments = [(await alert.now())["remind_at"] for alert in (usual, own, never, notice)]

    assert [moment and moment[11:16] for moment in moments] == ["09:20", "09:05", None, None]


async def test_a_policy_sets_the_interval(another: MakeWorld) -> None:
    world = await another()
    world.sets(
        alerts={"policies": {"slow": {"steps": [{"after": "5m", "to": [world.duty.id]}], "remind_every": "45m"}}}
    )
    await world.starts()
    ops = world.group("Ops")

    alert = await world.alert("disk full", to=ops, policy="slow")

    assert (await alert.now())["remind_at"][11:16] == "09:45"


async def test_reminders_respect_muted_people_where_alerts_do(another: MakeWorld) -> None:
    world = await another(alerts={"reach_muted": False})
    await world.starts()
    anna = await world.subscriber("Anna")
    await remembered(world, anna)
    await anna.receives("disk full")
    world.rows("UPDATE people SET is_enabled = ? WHERE chat_id = ?", False, str(anna.id))

    await world.later(minutes=30)

    await world.is_quiet()
    assert len(anna.texts) == 2
