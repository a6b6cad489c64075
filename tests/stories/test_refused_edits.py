"""Edits that Telegram refuses: an open alert is posted again once, and the timeline never says "edited"."""

import pytest

from tests.stories.places import OPEN, Place
from tests.stories.world import Sent, World

REFUSALS = [
    "message to edit not found",
    "message can't be edited",
    "MESSAGE_ID_INVALID",
    "MSG_ID_INVALID",
    "MESSAGE_EDIT_TIME_EXPIRED",
    "MESSAGE_AUTHOR_REQUIRED",
    "there is no text in the message to edit",
    "there is no caption in the message to edit",
]


def refuses_edits(place: Place, description: str, times: int | None = None) -> None:
    place.stage.sandbox.fault(
        "error",
        method="editMessageText",
        chat=place.id,
        times=times,
        error_code=400,
        description=f"Bad Request: {description}",
    )


async def posts_said_to_be_edited(alert: Sent, place: Place) -> int:
    lines = [(line["event"], line["detail"]) for line in (await alert.now())["timeline"]]
    return lines.count(("edited", f"In {place.id}."))


async def edits(world: World, count: int) -> None:
    """Wait until so many edits were refused, and nothing more happens."""
    await world.sees(lambda: len(world.refusals("editMessageText")) >= count, f"{count} edits are refused")
    await world.is_quiet()


@pytest.mark.parametrize("description", REFUSALS)
async def test_an_open_alert_is_posted_again_once(world: World, ops: Place, description: str) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops, escalate_after="15m")
    await ops.receives("disk full")
    refuses_edits(ops, description, times=2)

    await world.later(minutes=15)
    again = await ops.receives("Escalated at 09:15 UTC.")
    await world.ask("PATCH", f"/api/messages/{alert.id}", {"content": "disk very full"})
    await edits(world, 2)

    assert len(ops.texts) == 2
    assert again.buttons == OPEN
    lines = [line["detail"] for line in (await alert.now())["timeline"] if line["event"] == "failed"]
    assert [line.endswith("so it is posted again.") for line in lines] == [True, False]
    assert all(description.lower() in line.lower() for line in lines)
    assert await posts_said_to_be_edited(alert, ops) == 0
    await again.pressed(anna)
    await again.becomes("Acknowledged by Anna", buttons=[])


@pytest.mark.parametrize("description", REFUSALS)
async def test_an_alert_that_is_over_gets_a_line_in_its_timeline(world: World, ops: Place, description: str) -> None:
    alert = await world.alert("disk full", to=ops)
    await ops.receives("disk full")
    refuses_edits(ops, description)

    await alert.is_asked("acknowledge")
    await edits(world, 1)

    assert len(ops.texts) == 1
    assert await posts_said_to_be_edited(alert, ops) == 0
    assert description.lower() in (await alert.tells("failed"))["detail"].lower()
    assert (await alert.now())["status"] == "closed"


async def test_a_notice_is_not_posted_again(world: World, ops: Place) -> None:
    notice = await world.notice("step 1", to=ops)
    (await ops.receives("step 1")).is_deleted()

    await world.ask("PATCH", f"/api/messages/{notice.id}", {"content": "step 2"})
    await edits(world, 1)

    assert ops.texts == []
    assert "could not be edited" in (await notice.tells("failed"))["detail"]
    assert await posts_said_to_be_edited(notice, ops) == 0


async def test_all_deleted_parts_of_an_open_alert_are_posted_again(world: World, ops: Place) -> None:
    lines = [f"line {number} of the report" for number in range(400)]
    alert = await world.alert("\n".join(lines), to=ops)
    await alert.becomes("sent")
    for message in list(world.sandbox.messages(ops.id)):
        world.sandbox.remove(message)

    await world.ask("PATCH", f"/api/messages/{alert.id}", {"content": "\n".join(f"new {line}" for line in lines)})

    await ops.receives("new line 399")
    await world.is_quiet()
    assert [line for text in ops.texts for line in text.splitlines() if line.startswith("new")] == [
        f"new {line}" for line in lines
    ]


async def test_an_edit_that_changes_nothing_is_no_failure(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops)
    await ops.receives("disk full")
    refuses_edits(ops, "MESSAGE_NOT_MODIFIED")

    await alert.is_asked("acknowledge")
    await edits(world, 1)

    assert "failed" not in await alert.events()
