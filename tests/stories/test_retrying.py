"""Retrying dead letters on request."""

import pytest

from tests.stories.places import OPEN, Place
from tests.stories.world import World


@pytest.mark.both_databases
async def test_a_retried_notice_is_sent_once_its_chat_accepts_it(world: World) -> None:
    anna = await world.subscriber("Anna")
    world.sandbox.block(anna.user)
    notice = await world.notice("backup done", to=anna)
    await notice.becomes("failed")
    world.sandbox.block(anna.user, blocked=False)

    answer = await notice.is_asked("retry")

    assert answer.status == 200
    assert answer.body["status"] in ("initiated", "sent")  # it may be shown before the response is written
    await anna.receives("backup done")
    message = await notice.becomes("sent")
    events = [line["event"] for line in message["timeline"]]
    assert events.index("failed") < events.index("retried") < events.index("sent")
    assert (await notice.delivery(anna))["last_error"] is None


async def test_a_retry_that_still_fails_becomes_a_dead_letter_again(world: World) -> None:
    anna = await world.subscriber("Anna")
    world.sandbox.block(anna.user)
    notice = await world.notice("backup done", to=anna)
    await notice.becomes("failed")

    await notice.is_asked("retry")

    await world.learns(lambda: _has_failed_twice(world, notice.id), "it failed again")
    assert (await notice.delivery(anna))["attempts"] == 2


async def _has_failed_twice(world: World, message_id: str) -> bool:
    message = await world.get(f"/api/messages/{message_id}")
    is_failed = message["status"] == "failed"
    return is_failed and [line["event"] for line in message["timeline"]].count("failed") == 2


async def test_a_retry_sends_only_failed_deliveries(world: World, ops: Place) -> None:
    anna = await world.subscriber("Anna")
    world.sandbox.block(anna.user)
    asked = await world.ask("POST", "/api/ingest", {"content": "disk full", "to": [ops.id, anna.id]})
    await ops.receives("disk full")
    await world.sees(lambda: world.rows("SELECT 1 FROM posts WHERE failure IS NOT NULL"), "Anna's copy was given up")
    world.sandbox.block(anna.user, blocked=False)

    answer = await world.ask("POST", f"/api/messages/{asked.body['id']}/retry")

    assert answer.status == 200
    assert (await anna.receives("disk full")).buttons == OPEN
    await world.is_quiet()
    assert len(ops.texts) == 1


async def test_an_alert_that_failed_and_escalated_stays_escalated(world: World) -> None:
    gone = world.group("Gone")
    world.sandbox.kick(gone.id)
    alert = await world.alert("disk full", to=gone)
    await alert.tells("failed")
    await world.ticks()
    escalated = await world.duty.receives("disk full")
    await world.is_quiet()

    answer = await alert.is_asked("retry")

    assert (answer.status, answer.body["status"]) == (200, "escalated")
    await world.is_quiet()
    assert escalated.buttons == OPEN
    assert (await alert.events()).count("escalated") == 1


async def test_a_retried_alert_never_shown_does_not_expire(world: World) -> None:
    anna = await world.subscriber("Anna")
    world.sandbox.block(anna.user)
    alert = await world.alert("disk full", to=anna, escalate_after="never")
    await alert.becomes("failed")
    world.sandbox.block(anna.user, blocked=False)
    world.sandbox.fault("away")

    await alert.is_asked("retry")
    await world.later(hours=2)
    assert (await alert.now())["status"] == "initiated"
    world.sandbox.clear_faults()
    await world.passes(seconds=90)

    await anna.receives("disk full")
    await alert.becomes("sent")
    await world.later(minutes=61)
    await alert.becomes("closed")


async def test_retrying_a_message_without_failed_deliveries_is_refused(world: World, ops: Place) -> None:
    notice = await world.notice("backup done", to=ops)
    await notice.becomes("sent")

    answer = await notice.is_asked("retry")

    assert (answer.status, answer.body["detail"]) == (409, "This message has no failed delivery.")


async def test_retrying_a_closed_message_is_refused(world: World) -> None:
    gone = world.group("Gone")
    world.sandbox.kick(gone.id)
    alert = await world.alert("disk full", to=gone, escalate_after="never")
    await alert.becomes("failed")
    await alert.is_asked("close")

    answer = await alert.is_asked("retry")

    assert (answer.status, answer.body["detail"]) == (
        409,
        "This message is closed and is not sent any more.",
    )
