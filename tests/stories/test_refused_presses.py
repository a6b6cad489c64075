"""Presses without permission, on forged buttons, or for messages that the chat never got."""

import random

import pytest

from notifybot.rendering.buttons import acknowledge_button, open_alert_button, setting_button, snooze_button
from notifybot.rendering.parts import PostButton
from notifybot.sandbox.values import JsonObject
from notifybot.sandbox.world import people
from notifybot.times.spans import parse_snooze
from tests.stories.conftest import MakeWorld
from tests.stories.places import OPEN, Person, Place, Post
from tests.stories.world import Sent, World

NOT_LINKED = "Only people with a linked account can do this here. Send me /start in a private chat."
UNKNOWN = "This button no longer works."
NO_SUCH_MESSAGE = "notifybot no longer has the message of this button."


def is_linked(world: World, person: Person, account: str) -> None:
    world.rows("UPDATE people SET account = ? WHERE chat_id = ?", account, str(person.id))


async def post_of(world: World, alert: Sent, place: Place) -> str:
    ((post_id,),) = world.rows(
        "SELECT post_id FROM deliveries WHERE message_id = ? AND chat_id = ?", alert.id, str(place.id)
    )
    return str(post_id)


async def pressed_with(post: Post, person: Person, button: PostButton) -> str:
    """Press with an app that sends the data of another button; return the answer."""
    forged: JsonObject = {"text": button.text, "callback_data": button.callback_data}
    return await post.answer_to(people.press(post.stage.sandbox.world, person.user, post.message, forged))


@pytest.fixture
async def strict(another: MakeWorld) -> World:
    world = await another(alerts={"acknowledge_by": "linked"})
    await world.starts()
    return world


async def test_with_acknowledge_by_linked_others_are_refused(strict: World) -> None:
    ops = strict.group("Ops")
    stranger, anna = strict.member(ops, "Mallory"), await strict.subscriber("Anna")
    strict.joins(anna, ops)
    alert = await strict.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await alert.becomes("sent")

    for presser in (stranger, anna):
        for button in OPEN:
            assert await post.pressed(presser, button) == NOT_LINKED

    assert (await alert.now())["status"] == "sent"
    assert not {"acknowledged", "snoozed"} & set(await alert.events())
    assert post.buttons == OPEN


async def test_with_acknowledge_by_linked_a_linked_person_can_acknowledge(strict: World) -> None:
    ops, anna = strict.group("Ops"), await strict.subscriber("Anna")
    strict.joins(anna, ops)
    is_linked(strict, anna, "anna")
    alert = await strict.alert("disk full", to=ops)
    post = await ops.receives("disk full")

    assert await post.pressed(anna, OPEN[1]) == "Snoozed until 10:00 UTC."
    assert await post.pressed(anna) == "Acknowledged."
    await alert.becomes("closed")


async def test_an_unlinked_person_cannot_acknowledge_from_the_list_either(strict: World) -> None:
    anna = await strict.subscriber("Anna")
    alert = await strict.alert("disk full", to=anna)
    await anna.receives("disk full")
    await alert.becomes("sent")
    anna.says("/open")

    assert await anna.receives("Open alerts:").presses("Acknowledge 1") == NOT_LINKED
    assert (await alert.now())["status"] == "sent"


async def test_forged_data_does_nothing(world: World, ops: Place) -> None:
    mallory = world.member(ops, "Mallory")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await alert.becomes("sent")
    own = str(post.message.buttons[0][0]["callback_data"])

    for data in (f"{own}0000000000", own.upper(), own.replace("ack", "sno"), f"{own}:1", own[:-3], "ack:'; DROP"):
        assert await pressed_with(post, mallory, PostButton("x", callback_data=data)) == UNKNOWN

    assert (await alert.now())["status"] == "sent"


async def test_a_press_for_a_message_that_the_chat_never_got_does_nothing(world: World, ops: Place) -> None:
    others = world.group("Others")
    mallory = world.member(others, "Mallory")
    alert = await world.alert("disk full", to=ops)
    await ops.receives("disk full")
    await world.alert("another matter", to=others)
    theirs = await others.receives("another matter")
    await alert.becomes("sent")
    post_id = await post_of(world, alert, ops)

    for button in (
        acknowledge_button(post_id, 1),
        snooze_button(post_id, 1, parse_snooze("1h")),
        open_alert_button(alert.id, "x"),
    ):
        assert await pressed_with(theirs, mallory, button) == NO_SUCH_MESSAGE

    assert (await alert.now())["status"] == "sent"
    assert not {"acknowledged", "snoozed"} & set(await alert.events())


async def test_nobody_snoozes_for_longer_than_the_config_offers(world: World, ops: Place) -> None:
    mallory = world.member(ops, "Mallory")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    post_id = await post_of(world, alert, ops)

    for value in ("365d", "1s", "tomorrow 23:59"):
        said = await pressed_with(post, mallory, snooze_button(post_id, 1, parse_snooze(value)))
        assert said == "This snooze is no longer offered here."

    assert "snoozed" not in await alert.events()


async def test_a_notice_cannot_be_snoozed_with_a_forged_button(world: World, ops: Place) -> None:
    mallory = world.member(ops, "Mallory")
    notice = await world.notice("backup done", to=ops)
    post = await ops.receives("backup done")
    await notice.becomes("sent")
    post_id = await post_of(world, notice, ops)

    said = await pressed_with(post, mallory, snooze_button(post_id, 1, parse_snooze("1h")))

    assert said == "This message is a notice; only an alert can be snoozed."
    assert "snoozed" not in await notice.events()


def mutated(data: str, chance: random.Random) -> str:
    """Return the data with some characters lost, doubled or replaced."""
    letters = list(data)
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(len(letters))
        letters[place] = chance.choice(["", letters[place] * 2, chance.choice(":0123456789abcdefxyz-/"), letters[-1]])
        letters = letters or [":"]
    return "".join(letters)[:64] or ":"


async def test_random_data_is_answered_and_does_nothing(world: World, ops: Place) -> None:
    chance = random.Random(20260302)
    mallory = world.member(ops, "Mallory")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await alert.becomes("sent")
    shown = [str(button["callback_data"]) for row in post.message.buttons for button in row]
    good = [*shown, setting_button(await post_of(world, alert, ops), "x", "zone", "Europe/Berlin").callback_data or ""]
    harmless = {data.rpartition(":")[0] for data in shown}

    for _ in range(150):
        data = mutated(chance.choice(good), chance)
        if not any(data.startswith(beginning) for beginning in harmless):  # another version refers to the same post
            assert await pressed_with(post, mallory, PostButton("x", callback_data=data))

    assert (await alert.now())["status"] == "sent"
    assert await alert.events() == ["accepted", "sent"]
    assert world.log == []


@pytest.mark.both_databases
async def test_when_acknowledge_and_snooze_are_pressed_together_the_first_counts(world: World, ops: Place) -> None:
    anna, bob = world.member(ops, "Anna"), world.member(ops, "Bob")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")

    queries = post.press(anna), post.press(bob, OPEN[1])
    said = [await post.answer_to(query) for query in queries]

    assert said == ["Acknowledged.", "Anna acknowledged this at 09:00 UTC, so it cannot be snoozed."]
    await post.becomes("Acknowledged by Anna", buttons=[])
    assert (await alert.now())["snoozed_until"] is None
