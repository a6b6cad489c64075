"""Deadlines that passed while the daemon or Telegram was down: each is handled once, in the right order."""

import pytest

from notifybot.telegram_api.bot import MAX_UPDATES
from tests.stories.places import OPEN, Place
from tests.stories.world import World


async def test_an_alert_that_fell_due_during_a_stop_escalates_once(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await world.stops()
    await world.later(minutes=20)

    await world.starts()

    await world.duty.receives("disk full")
    await post.becomes("Escalated at 09:20 UTC.", buttons=OPEN)
    await world.ticks()
    await world.is_quiet()
    assert len(world.duty.texts) == 1
    assert (await alert.events()).count("escalated") == 1


async def test_overdue_for_both_it_escalates_and_then_closes(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await world.stops()
    await world.later(hours=5)

    await world.starts()

    escalated = await world.duty.receives("disk full")
    await escalated.becomes("Closed at 14:00 UTC; nobody acknowledged it.", buttons=[])
    await post.becomes("Escalated at 14:00 UTC.", "Closed at 14:00 UTC; nobody acknowledged it.", buttons=[])
    await alert.becomes("closed")
    events = await alert.events()
    assert events.index("escalated") < events.index("closed")


async def test_overdue_for_both_it_escalates_first_whichever_job_runs_first(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops)
    await alert.becomes("sent")
    world.moves(hours=5)

    await world.ticks("close")

    await world.duty.receives("disk full")
    assert [event for event in await alert.events() if event in ("escalated", "closed")] == ["escalated", "closed"]


async def test_presses_that_waited_at_telegram_count_before_overdue_escalations(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await world.stops()
    post.press(anna)
    await world.later(hours=5)

    await world.starts()

    message = await alert.becomes("closed")
    await post.becomes("Acknowledged by Anna", buttons=[])
    await world.ticks()
    await world.is_quiet()
    assert message["acknowledged_by"]["name"] == "Anna"
    assert world.duty.texts == []


async def test_a_press_that_is_too_old_for_a_reply_still_counts(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops, escalate_after="1h", close_after="2h")
    post = await ops.receives("disk full")
    await world.stops()
    post.press(anna)
    await world.later(minutes=30)

    await world.starts()

    assert (await alert.becomes("closed"))["acknowledged_by"]["name"] == "Anna"
    await post.becomes("Acknowledged by Anna", buttons=[])
    answers = await world.sees(lambda: world.sandbox.calls.of("answerCallbackQuery"), "the press is answered")
    assert [call.status for call in answers] == [400]


@pytest.mark.slow_because("a hundred and twenty alerts are shown, pressed and edited")
async def test_more_presses_than_one_fetch_returns_all_count_first(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alerts = [await world.alert(f"disk {n} full", to=ops) for n in range(MAX_UPDATES + 20)]
    posts = [await ops.receives(f"disk {n} full") for n in range(len(alerts))]
    await world.stops()
    for post in posts:
        post.press(anna)
    await world.later(hours=5)

    await world.starts()

    await world.in_time(lambda: not any(post.buttons for post in posts), "every post says so")
    assert world.rows("SELECT DISTINCT state FROM messages") == [("closed",)]
    assert world.duty.texts == []


async def test_an_acknowledgement_not_shown_before_a_restart_is_shown_after_it(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    world.sandbox.fault("error", method="editMessageText")
    await post.pressed(anna)

    await world.restarts()
    world.sandbox.clear_faults()

    await world.in_time(lambda: not post.buttons, "the post is edited")
    await post.becomes("Acknowledged by Anna")


async def test_an_alert_that_was_never_shown_is_not_closed_by_time(world: World, ops: Place) -> None:
    world.sandbox.fault("away")
    alert = await world.alert("disk full", to=ops)

    await world.later(hours=3)

    assert (await alert.now())["status"] == "escalated"
    assert (await alert.now())["closed_at"] is None


async def test_an_overdue_alert_that_was_never_shown_is_shown_and_has_its_whole_close_after(
    world: World, ops: Place
) -> None:
    world.sandbox.fault("away")
    alert = await world.alert("disk full", to=ops)
    await world.later(hours=3)

    world.sandbox.clear_faults()
    await world.passes(seconds=5)

    late = [await place.receives("disk full") for place in (ops, world.duty)]
    for post, says in zip(late, ("Late: sent at 09:00 UTC.", "Started at 09:00 UTC."), strict=True):
        await post.becomes(says, buttons=OPEN)
    await world.passes(minutes=59)
    assert (await alert.now())["status"] == "escalated"
    await world.passes(minutes=2)
    message = await alert.becomes("closed")
    for post in late:
        await post.becomes("Closed at 13:01 UTC; nobody acknowledged it.", buttons=[])
    events = [line["event"] for line in message["timeline"]]
    assert events.index("sent") < events.index("closed")


async def test_a_late_alert_that_is_still_open_has_its_button(world: World, ops: Place) -> None:
    world.sandbox.fault("away")
    await world.alert("disk full", to=ops)
    await world.later(minutes=10)

    world.sandbox.clear_faults()
    await world.passes(seconds=5)

    post = await ops.receives("disk full")
    await post.becomes("Late: sent at 09:00 UTC.", buttons=OPEN)


async def test_a_restart_in_between_loses_nothing(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    shown = await world.alert("shown before", to=ops)
    post = await ops.receives("shown before")
    world.sandbox.fault("error", method="sendMessage")
    waiting = await world.alert("not shown before", to=ops)
    await waiting.tells("uncertain")

    await world.restarts()
    world.sandbox.clear_faults()
    await world.passes(seconds=5)

    await ops.receives("not shown before").presses("Acknowledge", by=anna)
    await post.pressed(anna)
    for alert in (shown, waiting):
        assert (await alert.becomes("closed"))["acknowledged_by"]["name"] == "Anna"
    assert len(ops.texts) == 2
