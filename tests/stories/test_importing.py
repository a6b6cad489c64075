"""Import of people and codes: valid rows are stored, others are listed, a dry run changes nothing."""

from datetime import timedelta
from typing import Any

import pytest

from tests.stories.world import World

OLD_ID = "0d6c8a52-7a55-4c1e-9d5c-2f1d1a3b5c7d"


async def take_over(world: World, *, dry_run: bool = False, **given: Any) -> list[tuple[str, str, str | None]]:
    answer = await world.ask("POST", "/api/admin/import", {**given, "dry_run": dry_run})
    assert answer.status == 200, answer
    return [(entry["what"], entry["fate"], entry["reason"]) for entry in answer.body["entries"]]


async def people(world: World) -> list[dict[str, Any]]:
    return list((await world.get("/api/people"))["people"])


async def test_people_are_imported_with_ids_accounts_and_times(world: World) -> None:
    linked_at, created_at = "2024-05-06T07:08:09.000Z", "2023-01-02T03:04:05.000Z"
    anna = world.person("Anna")
    world.sandbox.say(anna.user, "hello, old bot")
    record = {"chat_id": anna.id, "user_id": OLD_ID, "account": "alice", "linked_at": linked_at}

    entries = await take_over(world, people=[{**record, "chat_name": "anna_p", "created_at": created_at}])

    assert entries == [("alice", "added", None)]
    (found,) = await people(world)
    assert (found["user_id"], found["chat_id"], found["chat_name"]) == (OLD_ID, str(anna.id), "anna_p")
    assert (found["account"], found["linked_at"], found["created_at"]) == ("alice", linked_at, created_at)
    for name in ("alice", OLD_ID):
        await world.ask("POST", "/send", {"user": name, "text": f"for {name}"})
        await anna.receives(f"for {name}")
    assert not any("linked" in text for text in anna.texts)  # an import notifies nobody


async def test_a_dry_run_reports_the_same_and_changes_nothing(world: World) -> None:
    given = [{"chat_id": 7, "account": "alice"}, {"chat_id": 8, "account": "alice"}]

    rehearsed = await take_over(world, dry_run=True, people=given)

    assert await people(world) == []
    assert await take_over(world, people=given) == rehearsed
    assert [fate for _, fate, _ in rehearsed] == ["added", "refused"]


async def test_the_second_import_changes_nothing(world: World) -> None:
    given = [{"chat_id": 7, "account": "alice", "user_id": OLD_ID}, {"chat_id": 8, "chat_name": "bert"}]
    await take_over(world, people=given)
    before = await people(world)

    assert [fate for _, fate, _ in await take_over(world, people=given)] == ["unchanged", "unchanged"]
    assert await people(world) == before


@pytest.mark.both_databases
async def test_a_known_person_gets_the_account_and_keeps_the_rest(world: World) -> None:
    anna = await world.subscriber("Anna")
    (before,) = await people(world)

    entries = await take_over(world, people=[{"chat_id": anna.id, "account": "alice", "chat_name": "old name"}])

    assert entries == [("alice", "linked", None)]
    (after,) = await people(world)
    assert (after["user_id"], after["chat_name"], after["account"]) == (before["user_id"], "Anna", "alice")


async def test_contradictions_are_refused_by_name(world: World) -> None:
    await take_over(world, people=[{"chat_id": 7, "account": "alice", "user_id": OLD_ID}])
    before = await people(world)

    entries = await take_over(
        world,
        people=[
            {"chat_id": 7, "account": "bob"},
            {"chat_id": 8, "account": "alice"},
            {"chat_id": 7, "user_id": "another"},
            {"chat_id": 9, "user_id": OLD_ID.upper()},
        ],
    )

    assert entries == [
        ("bob", "refused", "the chat 7 is linked to alice"),
        ("alice", "refused", "alice is linked to another chat, 7"),
        ("7", "refused", f"the chat 7 is already subscribed, with the user_id {OLD_ID}"),
        ("9", "refused", f"the user_id {OLD_ID} belongs to another chat"),
    ]
    assert await people(world) == before


async def test_a_code_from_the_other_program_links_here(world: World) -> None:
    later = (world.clock.at + timedelta(minutes=5)).isoformat()
    codes = [
        {"code": "012345", "chat_id": 7, "expires_at": later},
        {"code": "012345", "chat_id": 8, "expires_at": later},
        {"code": "543210", "chat_id": 7, "expires_at": "2020-01-01T00:00:00Z"},
        {"code": "111111", "chat_id": 99, "expires_at": later},
    ]

    entries = await take_over(world, people=[{"chat_id": 7}, {"chat_id": 8}], codes=codes)

    assert [entry[1:] for entry in entries[2:]] == [
        ("added", None),
        ("refused", "another chat has the same code"),
        ("refused", "it has expired"),
        ("added", None),
    ]
    assert (await world.ask("POST", "/api/telegram/verify", {"code": "012345", "user": "alice"})).status == 200
    assert (await world.get("/api/people/alice"))["chat_id"] == "7"


async def test_a_pending_code_subscribes_its_chat_and_can_be_imported_twice(world: World) -> None:
    code = {"code": "012345", "chat_id": 7, "expires_at": (world.clock.at + timedelta(minutes=5)).isoformat()}

    first = await take_over(world, people=[], codes=[code])
    again = await take_over(world, people=[], codes=[code])

    assert [[entry[1] for entry in entries] for entries in (first, again)] == [["added"], ["unchanged"]]
    assert (await world.ask("POST", "/api/telegram/verify", {"code": "012345", "user": "alice"})).status == 200
    assert (await world.get("/api/people/alice"))["chat_id"] == "7"


async def test_an_imported_code_expires_no_later_than_our_own(world: World) -> None:
    next_year = (world.clock.at + timedelta(days=365)).isoformat()
    code = {"code": "012345", "chat_id": 7, "expires_at": next_year}
    await take_over(world, people=[{"chat_id": 7}], codes=[code])

    await world.later(minutes=10)

    assert (await world.ask("POST", "/api/telegram/verify", {"code": "012345"})).status == 400


@pytest.mark.parametrize(
    "given",
    [
        {"people": [{"chat_name": "no chat"}]},
        {"people": [{"chat_id": 7, "acount": "alice"}]},
        {"people": {"alice": 7}},
        {"codes": [{"code": "12", "chat_id": 7, "expires_at": "2027-01-01T00:00:00Z"}]},
        {"people": [{"chat_id": 7}] * 2001},
    ],
)
async def test_a_malformed_import_is_refused_as_a_whole(world: World, given: dict[str, Any]) -> None:
    answer = await world.ask("POST", "/api/admin/import", {**given})

    assert answer.status == 400
    assert await people(world) == []
