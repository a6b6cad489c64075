"""Telegram outages: calls during an outage, and the time until delivery resumes."""

import pytest

from tests.stories.places import Place
from tests.stories.world import World

AWAY_KINDS = ["away", "html", "error"]
SOON_S = 1.0


def sends(world: World) -> int:
    return len(world.sandbox.calls.of("sendMessage"))


async def is_noticed(world: World, *places: Place) -> None:
    """Let enough messages fail that Telegram counts as away."""
    for number, place in enumerate(places):
        await world.notice(f"early {number}", to=place)
    await world.sees(lambda: world.rows("SELECT 1 FROM bot WHERE network_errors >= 3"), "Telegram counts as away")
    await world.is_quiet()


@pytest.mark.parametrize("kind", AWAY_KINDS)
async def test_the_first_message_follows_within_a_second(world: World, kind: str) -> None:
    world.sandbox.fault(kind)
    await is_noticed(world, *(world.group(f"Group {number}") for number in range(3)))
    await world.passes(seconds=20)
    later = world.group("Later")
    await world.notice("still to come", to=later)

    world.sandbox.clear_faults()
    await world.passes(seconds=SOON_S)

    await later.receives("still to come")


async def test_a_single_message_that_backed_off_for_long_follows_within_a_second(world: World, ops: Place) -> None:
    world.sandbox.fault("away")
    notice = await world.notice("backup done", to=ops)
    await world.passes(seconds=100)
    world.sandbox.clear_faults()

    await world.passes(seconds=SOON_S)

    await ops.receives("backup done")
    await notice.becomes("sent")


async def test_while_telegram_is_away_no_message_is_tried(world: World, ops: Place) -> None:
    world.sandbox.fault("away")
    await is_noticed(world, *(world.group(f"Group {number}") for number in range(3)))
    tried = sends(world)

    notice = await world.notice("backup done", to=ops)
    await world.passes(seconds=20)

    assert sends(world) == tried
    assert (await notice.delivery(ops))["attempts"] == 0
    assert "uncertain" not in await notice.events()


async def test_one_chat_that_always_fails_backs_off_although_nothing_else_is_sent(world: World, ops: Place) -> None:
    world.sandbox.fault("error", method="sendMessage", chat=ops.id)
    await world.notice("backup done", to=ops)

    await world.passes(minutes=10)

    assert sends(world) <= 20


async def test_a_chat_that_always_fails_does_not_block_the_others(world: World, ops: Place) -> None:
    world.sandbox.fault("error", method="sendMessage", chat=ops.id)
    await world.notice("backup done", to=ops)
    await world.passes(minutes=1)
    other = world.group("Other")

    await world.notice("all is well", to=other)
    await world.passes(seconds=SOON_S)

    await other.receives("all is well")


async def test_sends_that_fail_while_telegram_answers_are_tried_one_at_a_time(world: World) -> None:
    world.sandbox.fault("error", method="sendMessage")
    groups = [world.group(f"Group {number}") for number in range(20)]
    await is_noticed(world, *groups[:3])
    tried = sends(world)
    for group in groups[3:]:
        await world.notice("news", to=group)

    await world.passes(seconds=3)

    assert sends(world) - tried <= 6
    world.sandbox.clear_faults()
    await world.passes(seconds=3)
    for group in groups:
        assert len(group.texts) == 1


async def test_a_restart_while_telegram_is_away_tries_no_message(world: World) -> None:
    world.sandbox.fault("away")
    await is_noticed(world, *(world.group(f"Group {number}") for number in range(3)))
    await world.stops()
    tried = sends(world)

    await world.starts()
    await world.passes(seconds=30)

    assert sends(world) == tried


async def test_flapping_loses_and_duplicates_nothing(world: World) -> None:
    groups = [world.group(f"Group {number}") for number in range(10)]
    for group in groups:
        world.sandbox.fault("away")
        await world.notice("news", to=group)
        await world.passes(seconds=1)
        world.sandbox.clear_faults()
        await world.passes(seconds=1)

    await world.passes(seconds=2)

    assert [group.texts for group in groups] == [["news"]] * len(groups)


async def test_a_press_counts_soon_after_telegram_was_away_for_long(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    world.sandbox.fault("away", method="getUpdates")
    await world.sees(lambda: len(failed_polls(world)) >= 5, "polling fails for a while")
    query = post.press(anna)
    failed = len(failed_polls(world))

    world.sandbox.clear_faults()

    assert await post.answer_to(query) == "Acknowledged."
    assert len(failed_polls(world)) <= failed + 1


def failed_polls(world: World) -> list[object]:
    return [call for call in world.sandbox.calls.of("getUpdates") if call.status != 200]
