"""POST /schedule-message: forms from other programs, for several people, with files."""

import json
from typing import Any

from tests.stories.places import Person, Place
from tests.stories.planning import arrives
from tests.stories.world import Json, World

AT_TEN = "2026-03-03T10:00:00"


async def user_id(world: World, person: Person) -> str:
    everybody: Any = (await world.ask("GET", "/subscribed-users")).body
    return next(str(each["user_id"]) for each in everybody if each["chat_id"] == str(person.id))


async def hands_over(world: World, *people: Person, files: dict[str, bytes] | None = None, **fields: str) -> Json:
    targets = ",".join([await user_id(world, person) for person in people])
    form = {"target_user_id": targets, "message": "the plan", "scheduled_timestamp": AT_TEN} | fields
    uploads = [("files", name, content) for name, content in (files or {}).items()]
    answer = await world.submit("/schedule-message", uploads, form)
    assert answer.status == 200, answer
    accepted: Json = answer.body
    return accepted


async def pending(world: World) -> list[Json]:
    async with world.client.get("/pending-messages") as response:
        found = json.loads(await response.text())
    assert isinstance(found, list)
    return found


def shown(world: World, place: Place) -> list[str]:
    """Return the texts and file names that the bot posted after its first reply."""
    posts = [message for message in world.sandbox.messages(place.id) if message.sender is world.sandbox.bot]
    return [str(message.media.file_name) if message.media else message.text for message in posts][1:]


async def test_the_text_comes_first_and_then_each_file_under_its_name(world: World) -> None:
    anna, ben = await world.subscriber("Anna"), await world.subscriber("Ben")
    found = await hands_over(world, anna, ben, files={"plan.txt": b"one", "map.txt": b"two"})
    assert [each["id"] for each in await pending(world)] == [found["id"]]

    await arrives(world, AT_TEN)
    for person in (anna, ben):
        assert shown(world, person) == ["the plan", "plan.txt", "map.txt"]
    assert await pending(world) == []


async def test_a_single_file_follows_the_text(world: World) -> None:
    anna = await world.subscriber("Anna")
    await hands_over(world, anna, files={"plan.txt": b"one"})

    await arrives(world, AT_TEN)
    assert shown(world, anna) == ["the plan", "plan.txt"]


async def test_the_answer_has_the_result_for_each_recipient(world: World) -> None:
    anna, ben = await world.subscriber("Anna"), await world.subscriber("Ben")
    found = await hands_over(world, anna, ben)
    world.sandbox.block(ben.user)

    await arrives(world, AT_TEN)
    message = await world.get(f"/api/messages/{found['id']}")
    assert sorted((each["chat_id"], each["status"]) for each in message["deliveries"]) == sorted(
        [(str(anna.id), "shown"), (str(ben.id), "failed")]
    )


async def test_a_repeat_sends_its_files_each_time(world: World) -> None:
    anna = await world.subscriber("Anna")
    found = await hands_over(world, anna, files={"plan.txt": b"one"}, repeat="0 10 * * *")
    assert found["next_times"][:2] == ["2026-03-03T10:00:00", "2026-03-04T10:00:00"]

    await arrives(world, AT_TEN)
    await arrives(world, "2026-03-04T10:00:00")
    assert shown(world, anna) == ["the plan", "plan.txt"] * 2
    (waiting,) = await pending(world)
    assert (waiting["scheduled_timestamp"], waiting["is_sent"]) == ("2026-03-05T10:00:00", False)
    assert waiting["file_paths"] == [f"uploads/{waiting['id']}_1_plan.txt"]


async def test_files_are_kept_until_it_is_sent(world: World) -> None:
    anna = await world.subscriber("Anna")
    found = await hands_over(world, anna, files={"plan.txt": b"one"}, scheduled_timestamp="2026-12-01T10:00:00")

    await arrives(world, "2026-11-30T10:00:00")
    await world.ticks("retention")
    assert await world.download(f"/files/{found['id']}_1_plan.txt") == (200, b"one")
    await arrives(world, "2026-12-01T10:00:00")
    assert shown(world, anna) == ["the plan", "plan.txt"]


async def test_scheduled_messages_survive_a_restart(world: World) -> None:
    anna = await world.subscriber("Anna")
    await hands_over(world, anna)
    await world.restarts()

    assert [each["message"] for each in await pending(world)] == ["the plan"]
    await arrives(world, AT_TEN)
    assert shown(world, anna) == ["the plan"]
