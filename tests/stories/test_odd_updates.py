"""Updates that cannot be read: parked with their id, and confirmed, so that presses behind them count."""

from typing import Any

import pytest

from tests.stories.conftest import MakeWorld
from tests.stories.places import Place
from tests.stories.world import World

USER = {"id": 7, "is_bot": False, "first_name": "Eve"}
CHAT = {"id": 7, "type": "private", "first_name": "Eve"}
MESSAGE = {"message_id": 1, "date": 1, "chat": CHAT, "from": USER, "text": "secret words"}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in MESSAGE.items() if key != name}


ODD: dict[str, object] = {
    "no date": without("date"),
    "no chat": without("chat"),
    "no message_id": without("message_id"),
    "a date as text": MESSAGE | {"date": "secret words"},
    "a date in the year 3 million": MESSAGE | {"date": 10**14},
    "a chat that is a list": MESSAGE | {"chat": [CHAT]},
    "a sender without a name": MESSAGE | {"from": {"id": 7}},
    "text alone": "secret words",
    "a number": 17,
    "entities of no type": MESSAGE | {"entities": [{"offset": 0}]},
    "a reply to a message without a date": MESSAGE | {"reply_to_message": without("date")},
    "nothing in it": {},
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
async def test_an_update_that_cannot_be_read_is_parked_and_does_not_block_presses(
    world: World, ops: Place, odd: Any
) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    updates = world.sandbox.world.updates
    updates.add("message", odd, world.clock.seconds())

    assert await post.pressed(anna) == "Acknowledged."
    await alert.becomes("closed")

    await world.logs("an update cannot be read and was parked")
    assert world.log.count("an update cannot be read and was parked") == 1
    assert not any("secret words" in line for line in world.log)
    parked = world.rows("SELECT attempts, error, payload FROM inbox WHERE error IS NOT NULL")
    assert [(attempts, bool(error)) for attempts, error, _ in parked] == [(3, True)]
    assert "update_id" in parked[0][2]
    await world.sees(lambda: not len(updates), "all updates are confirmed")


async def test_a_press_counts_although_its_message_cannot_be_read(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    with world.store.refuse("INSERT ON inbox"):
        query = post.press(anna)
        await world.logs("an update could not be stored")
        waiting = world.sandbox.world.updates.first(world.clock.seconds())
        assert waiting is not None
        press: dict[str, Any] = waiting.body["callback_query"]  # type: ignore[assignment] # a JSON object
        press["message"] = without("date") | {"message_id": post.message.message_id, "chat": press["message"]["chat"]}
        await world.stops()

    await world.starts()

    assert await post.answer_to(query) == "Acknowledged."
    assert (await alert.becomes("closed"))["acknowledged_by"]["name"] == "Anna"


@pytest.mark.parametrize("payload", ["{", "17", '{"update_id": 800000001, "message": 17}'])
async def test_a_stored_update_that_cannot_be_read_does_not_block_the_start(world: World, payload: str) -> None:
    anna = world.person("Anna")
    with world.store.refuse("INSERT ON posts"):
        anna.says("/start")
        await world.logs("update failed")
        await world.is_quiet()
        await world.stops()
    world.store.rows("UPDATE inbox SET payload = ?", payload)

    await world.starts()

    await world.logs("an update cannot be read and was parked")
    assert world.rows("SELECT attempts FROM inbox WHERE handled_at IS NULL") == [(3,)]
    anna.says("/help")
    await anna.receives("/open lists")


@pytest.mark.parametrize("result", [{}, "secret words", 17, None, True, [17], [{"message": MESSAGE}]], ids=repr)
async def test_results_that_are_no_updates_are_waited_out(world: World, result: object) -> None:
    anna = world.person("Anna")
    world.sandbox.fault("result", method="getUpdates", result=result, times=2)
    anna.says("/help")

    await anna.receives("/open lists")

    assert world.log.count("telegram") == 1
    assert not any("secret words" in line for line in world.log)


@pytest.mark.parametrize("result", [True, None, {}, [], "sent", {"message_id": 17}, [{"message_id": 17}]], ids=repr)
async def test_a_send_with_an_odd_result_is_uncertain_and_repeated(world: World, ops: Place, result: object) -> None:
    world.sandbox.fault("result", method="sendMessage", result=result, times=1)
    notice = await world.notice("disk full", to=ops)

    await world.in_time(lambda: ops.texts == ["disk full", "disk full"], "it is sent again")

    await notice.becomes("sent")
    assert world.rows("SELECT uncertain FROM posts WHERE uncertain > 0") == [(1,)]


async def test_an_odd_identity_does_not_stop_the_start(another: MakeWorld) -> None:
    world = await another()
    ops = world.group("Ops")
    world.sandbox.fault("result", method="getMe", result={"id": "notifybot"}, times=3)
    world.sandbox.fault("result", method="getWebhookInfo", result=[], times=3)
    await world.starts()
    await world.notice("disk full", to=ops)

    await world.in_time(lambda: ops.texts, "it is sent")
