"""Delivery despite rate limits, failed calls, cut connections and outages at Telegram."""

import asyncio
from datetime import timedelta

import pytest
from aiohttp import ClientSession

from tests.stories.conftest import MakeWorld
from tests.stories.places import Place
from tests.stories.world import World

SILENCE = timedelta(minutes=2)


async def test_a_flood_ban_holds_its_own_chat_only(world: World, ops: Place) -> None:
    other = world.group("Other")
    world.sandbox.fault("flood", chat=ops.id, retry_after=60)
    held = await world.alert("held", to=ops)
    await world.sees(lambda: world.refusals("sendMessage"), "the ban is known")

    await world.alert("free", to=other)

    await other.receives("free")
    assert ops.texts == []
    await world.passes(seconds=61)
    await ops.receives("held")
    assert (await held.becomes("sent"))["escalated_at"] is None


async def test_a_flood_ban_costs_no_attempt_and_no_call_goes_into_it(world: World, ops: Place) -> None:
    world.sandbox.fault("flood", chat=ops.id, retry_after=60)
    alert = await world.alert("disk full", to=ops)

    await world.passes(seconds=61)

    await ops.receives("disk full")
    await alert.becomes("sent")
    delivery = await alert.delivery(ops)
    assert (delivery["attempts"], delivery["last_error"]) == (1, None)
    assert world.sandbox.world.limits.calls_into_ban == 0


async def test_a_flood_ban_survives_a_restart(world: World, ops: Place) -> None:
    world.sandbox.fault("flood", chat=ops.id, retry_after=300)
    await world.alert("disk full", to=ops)
    await world.sees(lambda: world.refusals("sendMessage"), "the ban is known")
    await world.is_quiet()

    await world.restarts()
    await world.passes(seconds=290)

    assert ops.texts == []
    assert world.sandbox.world.limits.calls_into_ban == 0
    await world.passes(seconds=12)
    await ops.receives("disk full")


async def test_a_ban_longer_than_the_alert_may_wait_escalates_at_once(world: World, ops: Place) -> None:
    world.sandbox.fault("flood", chat=ops.id, retry_after=3600)
    alert = await world.alert("disk full", to=ops)

    await world.duty.receives("disk full")

    assert (await alert.now())["status"] == "escalated"


async def test_an_alert_into_a_known_long_ban_escalates_at_once(world: World, ops: Place) -> None:
    world.sandbox.fault("flood", chat=ops.id, retry_after=3600)
    await world.alert("first", to=ops)
    await world.duty.receives("first")

    await world.alert("second", to=ops)

    await world.duty.receives("second")
    assert world.sandbox.world.limits.calls_into_ban == 0


async def test_a_ban_shorter_than_the_alert_may_wait_does_not_escalate(world: World, ops: Place) -> None:
    world.sandbox.fault("flood", chat=ops.id, retry_after=600)
    await world.alert("disk full", to=ops)

    await world.passes(seconds=602)

    await ops.receives("disk full")
    assert world.duty.texts == []


@pytest.mark.parametrize("kind", ["error", "html", "cut_before"])
async def test_a_failed_call_is_retried(world: World, ops: Place, kind: str) -> None:
    world.sandbox.fault(kind, method="sendMessage", times=1)
    alert = await world.alert("disk full", to=ops)
    await alert.tells("uncertain")

    await world.passes(seconds=2)

    await ops.receives("disk full")
    await alert.becomes("sent")
    assert len(ops.texts) == 1
    assert (await alert.delivery(ops))["attempts"] == 2


async def test_a_call_cut_after_its_acceptance_may_show_twice_and_says_so(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    world.sandbox.fault("cut_after", method="sendMessage", times=1)
    alert = await world.alert("disk full", to=ops)
    first = await ops.receives("disk full")
    await alert.tells("uncertain")

    await world.passes(seconds=2)

    second = await ops.receives("disk full")
    await alert.becomes("sent")
    assert (await alert.events()).count("uncertain") == 1
    await first.pressed(anna)
    await second.becomes("Acknowledged by Anna", buttons=[])


async def test_a_press_on_an_unrecorded_post_reveals_its_message_id(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    world.sandbox.fault("cut_after", method="sendMessage", times=1)
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await alert.tells("uncertain")

    await post.pressed(anna)

    await post.becomes("Acknowledged by Anna", buttons=[])
    await world.passes(minutes=2)
    assert len(ops.texts) == 1


async def test_a_failing_edit_is_no_failed_delivery(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await alert.becomes("sent")
    world.sandbox.fault("error", method="editMessageText", error_code=400, description="Bad Request: no")

    await post.pressed(anna)

    assert "could not be edited" in (await alert.tells("failed"))["detail"]
    assert (await alert.delivery(ops))["status"] == "shown"
    assert (await alert.now())["status"] == "closed"


async def test_an_edit_that_met_a_flood_is_made_when_the_ban_is_over(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    world.sandbox.fault("flood", method="editMessageText", chat=ops.id, retry_after=20)
    await post.pressed(anna)

    await world.passes(seconds=22)

    await post.becomes("Acknowledged by Anna", buttons=[])


async def test_a_message_that_fails_for_too_long_is_given_up(another: MakeWorld) -> None:
    world = await another(delivery={"give_up_after": "5m"})
    await world.starts()
    ops, other = world.group("Ops"), world.group("Other")
    world.sandbox.fault("error", method="sendMessage", chat=ops.id)
    notice = await world.notice("backup done", to=ops)

    await world.passes(minutes=2)  # later, a wait could end after the five minutes
    assert (await notice.now())["status"] == "initiated"
    await world.passes(minutes=4)
    await world.in_time(lambda: world.rows("SELECT 1 FROM deliveries WHERE status = 'failed'"), "it is given up")

    assert "Given up after retrying" in (await notice.tells("failed"))["detail"]
    await notice.becomes("failed")
    await world.notice("others go on", to=other)
    await other.receives("others go on")


async def test_a_daemon_that_starts_without_telegram_accepts_and_delivers_later(another: MakeWorld) -> None:
    world = await another()
    ops = world.group("Ops")
    world.sandbox.fault("away")
    await world.starts()

    alerts = [await world.alert(f"disk {n} full", to=ops) for n in range(3)]
    health = await world.get("/health")
    assert (health["status"], health["waiting"]) == ("degraded", 3)
    assert any("Telegram cannot be reached" in warning for warning in health["warnings"])

    world.sandbox.clear_faults()
    await world.passes(seconds=15)
    for alert in alerts:
        await alert.becomes("sent")
    assert sorted(text.splitlines()[0] for text in ops.texts) == [f"disk {n} full" for n in range(3)]
    assert (await world.get("/health"))["status"] == "ok"


async def test_without_telegram_the_jobs_run_ten_seconds_after_the_start(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops)
    await ops.receives("disk full")
    await world.stops()
    world.sandbox.fault("away")
    await world.later(hours=5)

    await world.starts()
    await world.is_quiet()
    world.moves(seconds=9)
    await world.is_quiet()
    assert (await alert.now())["status"] == "sent"

    world.moves(seconds=2)
    await alert.tells("escalated")  # and is closed right after, since that is overdue as well


async def test_polling_resumes_after_telegram_was_away(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    world.sandbox.fault("away", method="getUpdates")
    await world.sees(lambda: world.runtime.telegram.state == "away", "the daemon notices")
    world.sandbox.clear_faults()

    assert await post.pressed(anna) == "Acknowledged."


async def test_polling_that_died_silently_restarts(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await world.sees(lambda: world.sandbox.polling.is_active, "the daemon polls")

    world.clock.move(world.clock.at + SILENCE)

    await world.sees(lambda: world.runtime.telegram.restarts == 1, "polling is begun anew")
    assert await post.pressed(anna) == "Acknowledged."


async def test_another_program_that_fetches_the_updates_is_reported_until_it_stops(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await world.sees(lambda: world.sandbox.polling.is_active, "the daemon polls")
    async with ClientSession(world.url) as other:
        await other.get(f"/bot{world.token}/getUpdates")
        asking = asyncio.create_task(other.get(f"/bot{world.token}/getUpdates?timeout=50"))
        await world.sees(lambda: world.runtime.telegram.state == "conflict", "the daemon notices")
        assert (await asking).status == 409

    health = await world.get("/health")
    assert health["status"] == "degraded"
    assert "another program fetches the updates of this bot" in health["warnings"]
    assert await post.pressed(anna) == "Acknowledged."
