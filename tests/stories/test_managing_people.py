"""Managing people, as an admin: find by any id, rename permanently, remove and notify."""

import pytest

from notifybot.jobs.daily_summary import next_due
from tests.stories.world import World


async def test_a_person_is_found_by_account_user_id_and_chat_id(world: World) -> None:
    anna = await world.subscriber("Anna", username="anna_p")
    (known,) = (await world.get("/api/people"))["people"]
    world.rows("UPDATE people SET account = 'alice'")

    found = [await world.get(f"/api/people/{name}") for name in ("alice", known["user_id"], anna.id)]

    assert found == [{**known, "account": "alice"}] * 3
    assert known == {
        "user_id": known["user_id"],
        "chat_id": str(anna.id),
        "chat_name": "anna_p",
        "created_at": known["created_at"],
        "account": None,
        "linked_at": None,
        "linked_by": None,
        "enabled": True,
        "muted_until": None,
        "time_zone": None,
        "summary_time": None,
        "quiet_hours": None,
        "reachable": True,
        "unreachable": None,
    }


async def test_nobody_is_found_by_another_name(world: World) -> None:
    await world.subscriber("Anna")

    for method in ("GET", "DELETE"):
        assert (await world.ask(method, "/api/people/Anna")).status == 404
    assert (await world.ask("PATCH", "/api/people/Anna", {"chat_name": "x"})).status == 404


async def test_the_reason_for_an_unreachable_person_is_shown(world: World) -> None:
    anna = await world.subscriber("Anna")
    world.sandbox.block(anna.user)
    await (await world.notice("hello", to=anna)).becomes("failed")

    found = await world.get(f"/api/people/{anna.id}")

    assert (found["reachable"], found["unreachable"]) == (False, "bot was blocked by the user")


async def test_a_name_set_by_an_admin_stays(world: World) -> None:
    anna = await world.subscriber("Anna")

    answer = await world.ask("PATCH", f"/api/people/{anna.id}", {"chat_name": "Anna of the night shift"})
    anna.says("/start")
    await anna.receives("You are already subscribed.")

    assert answer.body["chat_name"] == "Anna of the night shift"
    assert (await world.get(f"/api/people/{anna.id}"))["chat_name"] == "Anna of the night shift"


@pytest.mark.both_databases
async def test_a_removed_person_is_notified_and_can_subscribe_again_as_new(world: World) -> None:
    anna = await world.subscriber("Anna")
    before = await world.get(f"/api/people/{anna.id}")

    answer = await world.ask("DELETE", f"/api/people/{anna.id}")

    assert (answer.status, answer.body["user_id"]) == (200, before["user_id"])
    await anna.receives("You are no longer subscribed: root removed you.")
    assert (await world.get("/api/people"))["people"] == []
    anna.says("/start")
    await anna.receives("You are subscribed.\n")
    assert (await world.get(f"/api/people/{anna.id}"))["user_id"] != before["user_id"]


async def test_the_code_of_a_removed_person_links_nothing(world: World) -> None:
    anna = world.person("Anna")
    anna.says("/start")
    text = (await anna.receives("code: ")).text
    code = text.partition("code: ")[2][:6]

    await world.ask("DELETE", f"/api/people/{anna.id}")

    assert (await world.ask("POST", "/api/telegram/verify", {"code": code})).status == 400


async def test_no_job_waits_for_a_removed_person(world: World) -> None:
    anna = await world.subscriber("Anna")
    world.rows("UPDATE people SET account = 'anna' WHERE chat_id = ?", str(anna.id))
    await world.ticks()
    assert await world.runtime.database.read(next_due) is not None

    await world.ask("DELETE", f"/api/people/{anna.id}")

    assert await world.runtime.database.read(next_due) is None
