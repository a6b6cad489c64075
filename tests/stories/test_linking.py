"""Linking an account to a person by code or deep link: moves, undo and attacks."""

import asyncio
import re
from typing import Any

import pytest

from tests.stories.conftest import MakeWorld
from tests.stories.places import Person
from tests.stories.world import Answer, World

CODE = re.compile(r"^code: (\d{6})$", re.MULTILINE)
WRONG = "This code is wrong, used or expired."
NOT_LINKED = {
    "linked": False,
    "linked_at": None,
    "chat_name": None,
    "enabled": False,
    "time_zone": None,
    "summary_time": None,
    "reachable": False,
}


async def code_for(person: Person) -> str:
    """Return the code from the reply to /start."""
    person.says("/start")
    found = CODE.search((await person.receives("code: ")).text)
    assert found is not None
    return found[1]


async def verify(world: World, code: str, user: str | None = "alice") -> Answer:
    return await world.ask("POST", "/api/telegram/verify", {"code": code, **_for(user)})


async def link_for(world: World, user: str) -> dict[str, Any]:
    await world.is_quiet()  # on its first start, the bot does not know its own name yet
    return await world.get(f"/api/telegram/link-account?user={user}")


async def status(world: World, user: str = "alice") -> dict[str, Any]:
    return await world.get(f"/api/telegram/status?user={user}")


async def linked(world: World, name: str, user: str) -> Person:
    person = world.person(name)
    answer = await verify(world, await code_for(person), user)
    assert answer.status == 200, answer
    await person.receives(f"linked to the account {user}")
    return person


def _for(user: str | None) -> dict[str, str]:
    return {} if user is None else {"user": user}


async def a_wrong_code(world: World) -> str:
    """Return a code that was never issued."""
    key = world.runtime.secret_key
    taken = {digest for (digest,) in world.rows("SELECT digest FROM link_secrets")}
    return next(code for code in (f"{n:06d}" for n in range(1000)) if key.digest("code", code) not in taken)


# By code


@pytest.mark.both_databases
async def test_a_code_from_the_bot_links_the_account_that_enters_it(world: World) -> None:
    anna = world.person("Anna", username="anna_p")
    code = await code_for(anna)

    answer = await verify(world, code)

    assert answer.status == 200
    assert set(answer.body) == {"linked", "linked_at"}
    assert answer.body["linked"] is True
    told = await anna.receives("This chat is now linked to the account alice: messages for alice arrive here.")
    assert "It was linked by root, with the code from this chat." in told.text
    assert "If this was not you, /unlink undoes it." in told.text
    assert await status(world) == {
        "linked": True,
        "linked_at": answer.body["linked_at"],
        "chat_name": "anna_p",
        "enabled": True,
        "time_zone": "UTC",
        "summary_time": "09:00",
        "reachable": True,
    }
    await world.ask("POST", "/send", {"user": "alice", "text": "hello"})
    await anna.receives("hello")


async def test_without_a_user_the_callers_own_account_is_linked(world: World) -> None:
    anna = world.person("Anna")

    await verify(world, await code_for(anna), user=None)

    await anna.receives("This chat is now linked to the account root")
    assert (await world.get("/api/telegram/status"))["linked"] is True


async def test_a_code_may_be_written_with_a_gap(world: World) -> None:
    code = await code_for(world.person("Anna"))

    assert (await verify(world, f" {code[:3]} {code[3:]}")).status == 200


async def test_wrong_used_and_expired_codes_get_the_same_answer(world: World) -> None:
    anna = world.person("Anna")
    used = await code_for(anna)
    assert (await verify(world, used)).status == 200
    expired = await code_for(anna)
    await world.later(minutes=10)

    refusals = [await verify(world, code) for code in (await a_wrong_code(world), used, expired, "none at all")]

    assert {refusal.status for refusal in refusals} == {400}
    assert {refusal.body["detail"] for refusal in refusals} == {WRONG}


async def test_each_start_voids_the_chats_earlier_code(world: World) -> None:
    anna = world.person("Anna")
    first, second = await code_for(anna), await code_for(anna)

    assert (await verify(world, first)).status == 400
    assert (await verify(world, second)).status == 200


async def test_start_shows_the_linked_account(world: World) -> None:
    anna = await linked(world, "Anna", "alice")

    anna.says("/start")

    assert "This chat is linked to the account alice." in (await anna.receives("You are already subscribed.")).text


async def test_a_code_survives_a_restart(world: World) -> None:
    code = await code_for(world.person("Anna"))

    await world.restarts()

    assert (await verify(world, code)).status == 200


# By deep link


async def test_a_deep_link_links_at_once_and_says_so(world: World) -> None:
    made = await link_for(world, "alice")
    assert set(made) == {"url", "token", "expires_at"}
    assert made["url"] == f"https://t.me/notifybot_sandbox_bot?start={made['token']}"
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", made["token"])
    waiting = await world.ask("POST", "/api/telegram/verify-link", {"token": made["token"], "user": "alice"})
    assert (waiting.status, waiting.body) == (200, {"linked": False, "linked_at": None})
    anna = world.person("Anna")

    anna.says(f"/start {made['token']}")

    told = await anna.receives("This chat is now linked to the account alice")
    assert "It was linked by root, with the link that you opened." in told.text
    done = await world.ask("POST", "/api/telegram/verify-link", {"token": made["token"], "user": "alice"})
    assert (done.status, done.body["linked"]) == (200, True)
    assert (await status(world))["linked_at"] == done.body["linked_at"]


async def test_a_deep_link_works_once(world: World) -> None:
    token = (await link_for(world, "alice"))["token"]
    anna, eve = world.person("Anna"), world.person("Eve")
    anna.says(f"/start {token}")
    await anna.receives("linked to the account alice")

    eve.says(f"/start {token}")

    told = await eve.receives("This link is not valid")
    assert "You are subscribed." in told.text and CODE.search(told.text)
    assert (await status(world))["chat_name"] == "Anna"


async def test_a_deep_link_is_void_after_ten_minutes(world: World) -> None:
    token = (await link_for(world, "alice"))["token"]
    await world.later(minutes=10)
    anna = world.person("Anna")

    anna.says(f"/start {token}")

    await anna.receives("This link is not valid")
    refusal = await world.ask("POST", "/api/telegram/verify-link", {"token": token, "user": "alice"})
    assert refusal.status == 404


async def test_a_deep_link_survives_a_restart(world: World) -> None:
    token = (await link_for(world, "alice"))["token"]
    await world.restarts()
    anna = world.person("Anna")

    anna.says(f"/start {token}")

    await anna.receives("linked to the account alice")


async def test_the_token_of_another_account_reveals_nothing(world: World) -> None:
    token = (await link_for(world, "alice"))["token"]

    for user, named in (("bob", token), ("alice", "unknown")):
        refusal = await world.ask("POST", "/api/telegram/verify-link", {"token": named, "user": user})
        assert refusal.status == 404


async def test_a_deep_link_comes_as_a_qr_code_too(world: World) -> None:
    await world.is_quiet()
    made = await world.get("/api/telegram/link-account?user=alice&qr=true")

    lines = made["qr"]
    assert len({len(line) for line in lines}) == 1
    assert len(lines[0]) <= 80
    assert set("".join(lines)) == set(" ▀▄█")


# Moves and undo


async def test_linking_an_account_again_moves_it_and_notifies_both(world: World) -> None:
    old = await linked(world, "Anna", "alice")

    new = await linked(world, "Anna's new phone", "alice")

    moved = await old.receives("The account alice is now linked to another chat (Anna's new phone)")
    assert "It was linked by root." in moved.text and "send /start for a code" in moved.text
    await world.ask("POST", "/send", {"user": "alice", "text": "where are you?"})
    await new.receives("where are you?")
    assert not any("where are you?" in text for text in old.texts)


async def test_linking_back_undoes_a_move(world: World) -> None:
    anna = await linked(world, "Anna", "alice")
    eve = await linked(world, "Eve", "alice")
    await anna.receives("is now linked to another chat (Eve)")

    assert (await verify(world, await code_for(anna))).status == 200

    await eve.receives("is now linked to another chat (Anna)")
    assert (await status(world))["chat_name"] == "Anna"


async def test_a_chat_that_gets_another_account_loses_the_first(world: World) -> None:
    anna = await linked(world, "Anna", "bob")

    assert (await verify(world, await code_for(anna), "alice")).status == 200

    await anna.receives("It was linked to bob before; that account has no chat now.")
    assert await status(world, "bob") == NOT_LINKED


@pytest.mark.parametrize("path", ["/api/telegram/unlink", "/api/telegram/unlink-account"])
async def test_unlinking_twice_succeeds_and_the_chat_stays_subscribed(world: World, path: str) -> None:
    anna = await linked(world, "Anna", "alice")

    answers = [await world.ask("POST", path, {"user": "alice"}) for _ in range(2)]

    assert [(answer.status, answer.body) for answer in answers] == [(200, {"linked": False})] * 2
    told = await anna.receives("This chat is no longer linked to the account alice.")
    assert "unlinked by root. You stay subscribed" in told.text
    assert await status(world) == NOT_LINKED
    assert [person["chat_name"] for person in (await world.ask("GET", "/subscribed-users")).body] == ["Anna"]


async def test_a_used_link_that_was_undone_is_not_linked(world: World) -> None:
    token = (await link_for(world, "alice"))["token"]
    anna = world.person("Anna")
    anna.says(f"/start {token}")
    await anna.receives("linked to the account alice")

    await world.ask("POST", "/api/telegram/unlink", {"user": "alice"})

    answer = await world.ask("POST", "/api/telegram/verify-link", {"token": token, "user": "alice"})
    assert (answer.status, answer.body) == (200, {"linked": False, "linked_at": None})


# A test message


async def test_a_test_message_is_answered_once_it_is_shown(world: World) -> None:
    anna = await linked(world, "Anna", "alice")

    answer = await world.ask("POST", "/api/telegram/send-test-message", {"user": "alice"})

    assert (answer.status, answer.body) == (200, {"sent": True})
    assert "This is a test: messages to alice arrive here. root requested it." in anna.texts


async def test_a_test_message_reaches_a_muted_person(world: World) -> None:
    anna = await linked(world, "Anna", "alice")
    chosen = {"user": "alice", "enabled": False, "quiet_hours": "00:00-23:59"}
    assert (await world.ask("PATCH", "/api/telegram/preferences", chosen)).status == 200

    assert (await world.ask("POST", "/api/telegram/send-test-message", {"user": "alice"})).status == 200

    await anna.receives("This is a test")


async def test_no_test_message_goes_to_an_account_without_a_chat(world: World) -> None:
    refusal = await world.ask("POST", "/api/telegram/send-test-message", {"user": "alice"})

    assert refusal.status == 400
    assert refusal.body["detail"] == "The account alice is not linked to a chat."


async def test_a_test_message_that_cannot_be_shown_says_why(world: World) -> None:
    anna = await linked(world, "Anna", "alice")
    world.sandbox.block(anna.user)

    refusal = await world.ask("POST", "/api/telegram/send-test-message", {"user": "alice"})

    assert refusal.status == 409
    assert "bot was blocked by the user" in refusal.body["detail"]
    assert (await status(world))["reachable"] is False


async def test_a_test_message_is_taken_back_while_telegram_is_away(world: World) -> None:
    anna = await linked(world, "Anna", "alice")
    world.sandbox.fault("away")
    asking = asyncio.create_task(world.ask("POST", "/api/telegram/send-test-message", {"user": "alice"}))
    while not asking.done():
        await world.passes(seconds=1)
    assert (await asking).status == 503

    world.sandbox.clear_faults()
    await world.passes(minutes=1)

    assert not any("This is a test" in text for text in anna.texts)


# Preferences


@pytest.mark.both_databases
async def test_preferences_are_changed_and_reset_one_by_one(world: World) -> None:
    await linked(world, "Anna", "alice")

    async def change(**fields: object) -> dict[str, Any]:
        answer = await world.ask("PATCH", "/api/telegram/preferences", {"user": "alice", **fields})
        assert answer.status == 200, answer
        return dict(answer.body)

    first = await change(enabled=False, time_zone="Europe/Berlin", summary_time="7:30", quiet_hours="22:00-07:00")
    expected = (False, "Europe/Berlin", "07:30", "22:00-07:00")
    assert (first["enabled"], first["time_zone"], first["summary_time"], first["quiet_hours"]) == expected
    assert await status(world) == {name: value for name, value in first.items() if name != "quiet_hours"}

    assert await change() == first
    back = await change(enabled=True, time_zone=None, summary_time=None, quiet_hours=None)
    assert (back["enabled"], back["time_zone"], back["summary_time"], back["quiet_hours"]) == (
        True,
        "UTC",
        "09:00",
        None,
    )


@pytest.mark.parametrize(
    "wrong", [{"time_zone": "Mars/Olympus"}, {"summary_time": "25:00"}, {"quiet_hours": "late"}, {"enabled": None}]
)
async def test_an_invalid_preference_is_refused_and_changes_nothing(world: World, wrong: dict[str, object]) -> None:
    await linked(world, "Anna", "alice")
    before = await status(world)

    answer = await world.ask("PATCH", "/api/telegram/preferences", {"user": "alice", "enabled": False, **wrong})

    assert answer.status == 400
    assert await status(world) == before


async def test_an_account_without_a_chat_has_no_preferences(world: World) -> None:
    answer = await world.ask("PATCH", "/api/telegram/preferences", {"user": "alice", "enabled": False})

    assert answer.status == 400


# Without Telegram


@pytest.mark.parametrize(
    ("telegram", "why"),
    [
        ({"token": None}, "No bot token is configured; accounts cannot be linked."),
        (
            {"mode": "webhook", "webhook": {"url": "https://example.org"}},
            "No webhook secret is configured; accounts cannot be linked.",
        ),
    ],
)
async def test_without_a_token_or_a_webhook_nobody_can_be_linked(
    another: MakeWorld, telegram: dict[str, object], why: str
) -> None:
    world = await another(telegram=telegram)
    await world.starts()

    link = await world.ask("GET", "/api/telegram/link-account")
    test = await world.ask("POST", "/api/telegram/send-test-message")

    assert (link.status, test.status) == (400, 400)
    assert {link.body["detail"], test.body["detail"]} == {why}


async def test_no_deep_link_is_made_until_the_bots_name_is_known(another: MakeWorld) -> None:
    world = await another()
    world.sandbox.fault("away")
    await world.starts()

    answer = await world.ask("GET", "/api/telegram/link-account")

    assert answer.status == 503


# Attacks


async def test_guessing_is_blocked_after_five_codes_with_the_time_to_wait(world: World) -> None:
    anna = world.person("Anna")
    code = await code_for(anna)
    for _ in range(5):
        assert (await verify(world, await a_wrong_code(world))).status == 400

    async with world.client.post("/api/telegram/verify", json={"code": code, "user": "alice"}) as refused:
        assert refused.status == 429
        assert 590 <= int(refused.headers["Retry-After"]) <= 600

    assert (await status(world))["linked"] is False
    await verify(world, code)
    await world.logs("too many wrong link codes")
    assert world.log.count("too many wrong link codes") == 1
    assert (await verify(world, code, "bob")).status == 200


async def test_the_block_survives_a_restart_and_then_ends(world: World) -> None:
    for _ in range(5):
        await verify(world, await a_wrong_code(world))

    await world.restarts()

    assert (await verify(world, await a_wrong_code(world))).status == 429
    await world.later(minutes=10)
    assert (await verify(world, await code_for(world.person("Anna")))).status == 200


async def test_many_accounts_together_get_twenty_guesses_and_deep_links_still_work(world: World) -> None:
    answers = [await verify(world, await a_wrong_code(world), f"user{n % 7}") for n in range(21)]

    assert [answer.status for answer in answers] == [400] * 20 + [429]
    assert (await verify(world, await code_for(world.person("Anna")), "bob")).status == 429
    token, anna = (await link_for(world, "bob"))["token"], world.person("Anna")
    anna.says(f"/start {token}")
    await anna.receives("linked to the account bob")


async def test_only_one_of_several_concurrent_callers_with_the_same_code_is_linked(world: World) -> None:
    code = await code_for(world.person("Anna"))

    answers = await asyncio.gather(*(verify(world, code, user) for user in ("alice", "bob", "carol")))

    assert sorted(answer.status for answer in answers) == [200, 400, 400]
    statuses = [await status(world, user) for user in ("alice", "bob", "carol")]
    assert [each["linked"] for each in statuses] == [answer.status == 200 for answer in answers]


@pytest.mark.both_databases
async def test_only_one_of_two_concurrent_chats_with_the_same_link_is_linked(world: World) -> None:
    token = (await link_for(world, "alice"))["token"]
    people = [world.person(name) for name in ("Anna", "Eve")]

    for person in people:
        person.says(f"/start {token}")

    await world.sees(lambda: all(person.texts for person in people), "both are answered")
    answers = sorted(text.partition(":")[0] for person in people for text in person.texts)
    assert answers == ["This chat is now linked to the account alice", "This link is not valid"]


async def test_a_repeated_update_links_and_notifies_once(world: World) -> None:
    token, anna = (await link_for(world, "alice"))["token"], world.person("Anna")
    anna.says(f"/start {token}")
    await anna.receives("linked to the account alice")

    await world.restarts()
    await world.is_quiet()

    assert len(anna.texts) == 1


async def test_the_table_holds_neither_codes_nor_tokens_nor_plain_hashes(world: World) -> None:
    code, token = await code_for(world.person("Anna")), (await link_for(world, "alice"))["token"]

    kept = str(world.rows("SELECT * FROM link_secrets"))

    assert code not in kept and token not in kept
    assert sorted(digest for (digest,) in world.rows("SELECT digest FROM link_secrets")) == sorted(
        world.runtime.secret_key.digest(kind, text) for kind, text in (("code", code), ("token", token))
    )


async def test_a_new_secret_key_voids_codes_and_tokens(world: World) -> None:
    code = await code_for(world.person("Anna"))
    await world.stops()
    (world.folder / "secret.key").unlink()
    await world.starts()

    assert (await verify(world, code)).status == 400


async def test_a_token_in_a_group_links_nothing(world: World) -> None:
    token, ops = (await link_for(world, "alice"))["token"], world.group("Ops")
    anna = world.member(ops, "Anna")

    anna.says(f"/start@notifybot_sandbox_bot {token}", to=ops)

    await ops.receives(f"This chat's id is {ops.id}.")
    assert await status(world) == NOT_LINKED


async def test_names_in_body_and_query_must_agree(world: World) -> None:
    answer = await world.ask("POST", "/api/telegram/unlink?user=bob", {"user": "alice"})

    assert answer.status == 400


async def test_aliases_of_an_account_mean_the_account(another: MakeWorld) -> None:
    world = await another(accounts={"alice@example.org": "alice"})
    await world.starts()
    anna = world.person("Anna")

    await verify(world, await code_for(anna), "alice@example.org")

    assert (await status(world, "alice"))["linked"] is True
