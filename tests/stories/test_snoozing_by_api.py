"""Snoozing through the socket."""

import pytest

from tests.stories.places import OPEN, Place
from tests.stories.world import Answer, Sent, World


async def snoozed(alert: Sent, **fields: object) -> Answer:
    return await alert.world.ask("POST", f"/api/messages/{alert.id}/snooze", fields)


async def test_an_alert_is_snoozed_for_a_span(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")

    answer = await snoozed(alert, **{"for": "2h"})

    assert answer.status == 200
    account = answer.body["snoozed_by"]["account"]
    moments = [answer.body[name][:16] for name in ("snoozed_until", "escalate_at", "close_at")]
    assert moments == ["2026-03-02T11:00", "2026-03-02T11:15", "2026-03-02T12:00"]
    assert (await alert.tells("snoozed"))["actor"] == f"account:{account}"
    await post.becomes(f"Snoozed by {account} until 11:00 UTC.", buttons=OPEN)


async def test_an_alert_is_snoozed_until_a_moment(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops)

    answer = await snoozed(alert, until="2026-03-03T08:00:00+02:00")

    assert answer.body["snoozed_until"] == "2026-03-03T06:00:00.000Z"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"for": "1h", "until": "2026-03-03T08:00:00Z"},
        {"for": "never"},
        {"for": "soon"},
        {"for": "-1h"},
        {"until": "tomorrow"},
        {"until": "2026-03-02T08:59:00Z"},
        {"until": "2027-03-04T09:00:00Z"},
        {"for": "1h", "by": "me"},
    ],
)
async def test_a_snooze_without_a_future_time_is_refused(world: World, ops: Place, fields: dict[str, str]) -> None:
    alert = await world.alert("disk full", to=ops)

    answer = await snoozed(alert, **fields)

    assert answer.status == 400
    assert "snoozed" not in await alert.events()


async def test_a_notice_is_not_snoozed(world: World, ops: Place) -> None:
    notice = await world.notice("backup done", to=ops)

    answer = await snoozed(notice, **{"for": "1h"})

    assert (answer.status, answer.body["title"]) == (409, "Conflict")


@pytest.mark.parametrize("verb", ["acknowledge", "close"])
async def test_a_closed_alert_cannot_be_snoozed(world: World, ops: Place, verb: str) -> None:
    alert = await world.alert("disk full", to=ops)
    await alert.is_asked(verb)

    answer = await snoozed(alert, **{"for": "1h"})

    assert answer.status == 409
    assert "snooze" in answer.body["detail"]
    assert (await alert.now())["snoozed_until"] is None


async def test_an_alert_that_is_not_posted_yet_can_be_snoozed(world: World, ops: Place) -> None:
    world.sandbox.fault("away")
    alert = await world.alert("disk full", to=ops)

    answer = await snoozed(alert, **{"for": "1h"})

    assert answer.status == 200
    world.sandbox.clear_faults()
    await world.passes(seconds=5)
    post = await ops.receives("disk full")
    await post.becomes("💤 Snoozed by", buttons=OPEN)


async def test_an_unknown_message_is_not_snoozed(world: World) -> None:
    answer = await world.ask("POST", "/api/messages/01890000-0000-7000-8000-000000000000/snooze", {"for": "1h"})

    assert answer.status == 404
