"""Unreachable chats: a dead letter with its reason, escalation at once, and recovery."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from tests.stories.conftest import MakeWorld
from tests.stories.places import OPEN, Person, Place
from tests.stories.world import World


@dataclass(frozen=True)
class Unreachable:
    """Chat that refuses messages, and Telegram's reason."""

    place: Place
    reason: str


async def a_blocked_chat(world: World) -> Unreachable:
    anna = await world.subscriber("Anna")
    world.sandbox.block(anna.user)
    return Unreachable(anna, "bot was blocked by the user")


async def a_chat_that_threw_the_bot_out(world: World) -> Unreachable:
    ops = world.group("Ops")
    world.sandbox.kick(ops.id)
    return Unreachable(ops, "bot was kicked from the supergroup chat")


async def a_chat_that_never_was(world: World) -> Unreachable:
    return Unreachable(Place(world, -1_009_999_999_999, "Nowhere"), "chat not found")


async def a_person_who_never_wrote(world: World) -> Unreachable:
    ben = world.person("Ben")
    world.joins(ben, world.group("Shared"))
    return Unreachable(ben, "bot can't initiate conversation with a user")


async def a_deleted_account(world: World) -> Unreachable:
    anna = await world.subscriber("Anna")
    world.sandbox.deactivate(anna.user)
    return Unreachable(anna, "user is deactivated")


every_reason = pytest.mark.parametrize(
    "make",
    [
        a_blocked_chat,
        a_chat_that_threw_the_bot_out,
        a_chat_that_never_was,
        a_person_who_never_wrote,
        a_deleted_account,
    ],
)
Make = Callable[[World], Awaitable[Unreachable]]


@every_reason
async def test_an_alert_that_cannot_be_shown_escalates_at_once(world: World, make: Make) -> None:
    unreachable = await make(world)

    alert = await world.alert("disk full", to=unreachable.place)

    escalated = await world.duty.receives("disk full")
    await escalated.becomes("Escalated", buttons=OPEN)
    await alert.becomes("escalated")
    delivery = await alert.delivery(unreachable.place)
    assert delivery["status"] == "failed"
    assert delivery["last_error"] == unreachable.reason


@every_reason
async def test_a_notice_that_cannot_be_shown_fails_with_the_reason(world: World, make: Make) -> None:
    unreachable = await make(world)

    notice = await world.notice("backup done", to=unreachable.place)

    await notice.becomes("failed")
    assert unreachable.reason in (await notice.tells("failed"))["detail"]
    assert world.duty.texts == []


async def test_an_escalated_dead_letter_is_acknowledged_in_the_channel(world: World) -> None:
    boss = world.member(world.duty, "Boss")
    unreachable = await a_blocked_chat(world)
    alert = await world.alert("disk full", to=unreachable.place)

    await world.duty.receives("disk full").presses(by=boss)

    assert (await alert.becomes("closed"))["acknowledged_by"]["name"] == "Boss"


async def test_an_alert_that_nobody_can_be_shown_is_closed_by_time(world: World, ops: Place) -> None:
    world.sandbox.kick(ops.id)
    world.sandbox.kick(world.duty.id)
    alert = await world.alert("disk full", to=ops)
    await world.sees(lambda: len(world.refusals("sendMessage")) == 2, "both chats refused it")
    await alert.becomes("escalated")

    await world.later(hours=1)

    await alert.becomes("closed")


async def test_an_alert_that_fails_without_an_escalation_channel_is_closed_by_time(another: MakeWorld) -> None:
    world = await another(alerts={"escalation_channel": None})
    await world.starts()
    unreachable = await a_blocked_chat(world)
    alert = await world.alert("disk full", to=unreachable.place)
    await alert.becomes("failed")

    await world.later(hours=1)

    await alert.becomes("closed")


async def test_a_chat_recovers_when_it_accepts_messages_again(world: World) -> None:
    anna = await world.subscriber("Anna")
    world.sandbox.block(anna.user)
    await (await world.notice("lost", to=anna)).becomes("failed")
    assert reason_for(world, anna) is not None

    world.sandbox.block(anna.user, False)
    notice = await world.notice("back again", to=anna)

    await anna.receives("back again")
    await notice.becomes("sent")
    assert reason_for(world, anna) is None


async def test_an_alert_tries_a_chat_that_was_unreachable(world: World, ops: Place) -> None:
    world.sandbox.kick(ops.id)
    await (await world.alert("first", to=ops)).becomes("escalated")
    world.sandbox.rejoin(ops.id)

    alert = await world.alert("second", to=ops)

    await ops.receives("second")
    await alert.becomes("sent")


def reason_for(world: World, person: Person) -> str | None:
    found: str | None = world.rows("SELECT unreachable FROM chats WHERE id = ?", str(person.id))[0][0]
    return found
