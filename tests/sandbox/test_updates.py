"""Updates and polling: kinds, offsets, long polling, conflicts."""

import asyncio
from typing import Any

import pytest

from notifybot.sandbox import Sandbox
from notifybot.sandbox.world.state import Chat, User
from tests.sandbox.api import Answer, Api, HandClock


async def heard(api: Api, **params: object) -> list[dict[str, Any]]:
    """Fetch what waits, confirming nothing unless an offset says so."""
    updates: list[dict[str, Any]] = (await api("getUpdates", **params)).result
    return updates


def texts(updates: list[dict[str, Any]]) -> list[str]:
    return [update["message"]["text"] for update in updates]


async def start_poll(api: Api, **params: object) -> asyncio.Task[Answer]:
    """Begin a long poll and return once it waits."""
    before = api.sandbox.polling.waits_begun
    poll = asyncio.create_task(api("getUpdates", timeout=50, **params))
    await api.sandbox.wait_for(lambda: api.sandbox.polling.waits_begun > before)
    return poll


@pytest.fixture
def group(sandbox: Sandbox, anna: User) -> Chat:
    """A supergroup with Anna and the bot, whose updates so far are confirmed."""
    chat = sandbox.add_chat("supergroup", "Ops", members=[anna])
    sandbox.world.updates.clear()
    return chat


async def test_updates_stay_until_a_higher_offset_confirms_them(api: Api, anna: User, sandbox: Sandbox) -> None:
    for text in ("one", "two", "three"):
        sandbox.say(anna, text)
    first = await heard(api)
    assert texts(first) == ["one", "two", "three"]
    assert texts(await heard(api)) == ["one", "two", "three"]
    assert texts(await heard(api, offset=first[1]["update_id"])) == ["two", "three"]
    assert texts(await heard(api)) == ["two", "three"]
    assert await heard(api, offset=first[2]["update_id"] + 1) == []
    assert len(sandbox.world.updates) == 0


async def test_update_ids_count_up_by_one(api: Api, anna: User, sandbox: Sandbox) -> None:
    sandbox.say(anna, "one")
    sandbox.say(anna, "two")
    one, two = await heard(api)
    assert two["update_id"] == one["update_id"] + 1


async def test_a_limit_cuts_the_answer_off(api: Api, anna: User, sandbox: Sandbox) -> None:
    for number in range(150):
        sandbox.say(anna, str(number))
    assert len(await heard(api)) == 100
    assert len(await heard(api, limit=3)) == 3
    assert len(await heard(api, limit=1000)) == 100


async def test_a_negative_offset_keeps_only_the_last(api: Api, anna: User, sandbox: Sandbox) -> None:
    for text in ("one", "two", "three"):
        sandbox.say(anna, text)
    assert texts(await heard(api, offset=-2)) == ["two", "three"]
    assert texts(await heard(api)) == ["two", "three"]


async def test_an_offset_from_the_future_confirms_nothing(api: Api, anna: User, sandbox: Sandbox) -> None:
    sandbox.say(anna, "one")
    (update,) = await heard(api)
    assert texts(await heard(api, offset=update["update_id"] + 2)) == ["one"]


async def test_updates_are_kept_for_a_day(api: Api, anna: User, sandbox: Sandbox, clock: HandClock) -> None:
    sandbox.say(anna, "old")
    clock.forward(23 * 3600)
    sandbox.say(anna, "new")
    assert texts(await heard(api)) == ["old", "new"]
    clock.forward(3600 + 1)
    assert texts(await heard(api)) == ["new"]


async def test_only_the_wanted_kinds_are_queued_from_then_on(api: Api, anna: User, sandbox: Sandbox) -> None:
    await heard(api, allowed_updates=["callback_query"])
    sandbox.say(anna, "unheard")
    await heard(api)
    sandbox.say(anna, "still unheard")
    assert await heard(api, allowed_updates=[]) == []
    sandbox.say(anna, "heard again")
    assert texts(await heard(api)) == ["heard again"]


async def test_a_long_poll_ends_with_the_first_update(api: Api, anna: User, sandbox: Sandbox) -> None:
    poll = await start_poll(api)
    assert sandbox.polling.is_active
    sandbox.say(anna, "now")
    assert texts((await poll).result) == ["now"]
    assert not sandbox.polling.is_active


async def test_a_long_poll_without_updates_ends_empty(api: Api) -> None:
    assert await heard(api, timeout=1) == []


async def test_a_second_long_poll_ends_the_first(api: Api, anna: User, sandbox: Sandbox) -> None:
    first = await start_poll(api)
    second = await start_poll(api)
    assert (await first).refusal == (
        "409 Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
    )
    sandbox.say(anna, "now")
    assert texts((await second).result) == ["now"]


async def test_a_poller_that_hangs_up_loses_nothing(api: Api, anna: User, sandbox: Sandbox) -> None:
    poll = await start_poll(api)
    poll.cancel()
    await sandbox.wait_for(lambda: not sandbox.polling.is_active)
    sandbox.say(anna, "now")
    assert texts(await heard(api)) == ["now"]


async def test_polling_and_a_webhook_exclude_each_other(api: Api) -> None:
    poll = await start_poll(api)
    assert (await api("setWebhook", url="http://127.0.0.1:1/hook")).result is True
    assert (await poll).refusal == "409 Conflict: terminated by setWebhook request"
    assert (await api("getUpdates")).refusal == (
        "409 Conflict: can't use getUpdates method while webhook is active; "
        "use deleteWebhook to delete the webhook first"
    )
    await api("deleteWebhook")
    assert (await api("getUpdates")).status == 200


async def test_a_press_carries_who_where_and_what(api: Api, anna: User, sandbox: Sandbox) -> None:
    markup = {"inline_keyboard": [[{"text": "Acknowledge", "callback_data": "ack:1"}]]}
    await api("sendMessage", chat_id=anna.id, text="disk full", reply_markup=markup)
    query_id = sandbox.press(anna, sandbox.messages(anna)[-1], "Acknowledge")
    (update,) = await heard(api)
    query = update["callback_query"]
    assert (query["id"], query["from"]["first_name"], query["data"]) == (query_id, "Anna", "ack:1")
    assert query["message"]["text"] == "disk full"
    assert query["chat_instance"]


async def test_a_press_on_an_old_message_contains_only_chat_and_id(api: Api, anna: User, sandbox: Sandbox) -> None:
    markup = {"inline_keyboard": [[{"text": "Acknowledge", "callback_data": "ack:1"}]]}
    sent = (await api("sendMessage", chat_id=anna.id, text="disk full", reply_markup=markup)).result
    sandbox.press(anna, sandbox.messages(anna)[-1], accessible=False)
    (update,) = await heard(api)
    assert update["callback_query"]["message"] == {
        "chat": sent["chat"],
        "message_id": sent["message_id"],
        "date": 0,
    }


async def test_a_command_is_marked_as_one(api: Api, anna: User, sandbox: Sandbox) -> None:
    sandbox.say(anna, "/start 123")
    (update,) = await heard(api)
    assert update["message"]["entities"] == [{"type": "bot_command", "offset": 0, "length": 6}]


async def test_in_a_group_the_bot_hears_what_is_meant_for_it(
    api: Api, anna: User, sandbox: Sandbox, group: Chat
) -> None:
    sent = (await api("sendMessage", chat_id=group.id, text="question")).result
    for text in ("just talk", "/open", f"/open@{sandbox.bot.username}", "/open@other_bot"):
        sandbox.say(anna, text, chat=group)
    sandbox.say(anna, "an answer", chat=group, reply_to=sandbox.message(group, sent["message_id"]))
    assert texts(await heard(api)) == ["/open", f"/open@{sandbox.bot.username}", "an answer"]


async def test_without_privacy_the_bot_hears_everything(clock: HandClock) -> None:
    sandbox = Sandbox(clock=clock, privacy=False)
    anna = sandbox.add_user("Anna")
    group = sandbox.add_chat("group", "Ops", members=[anna])
    sandbox.say(anna, "just talk", chat=group)
    assert len(sandbox.world.updates) == 2


async def test_a_channel_post_is_an_update_of_its_own_kind(api: Api, anna: User, sandbox: Sandbox) -> None:
    channel = sandbox.add_chat("channel", "News", members=[anna])
    sandbox.say(anna, "news", chat=channel)
    joined, posted = await heard(api)
    assert joined["my_chat_member"]["new_chat_member"]["status"] == "administrator"
    assert posted["channel_post"]["text"] == "news"


@pytest.mark.parametrize(("verb", "statuses"), [("block", ("member", "kicked")), ("kick", ("member", "kicked"))])
async def test_the_bot_gets_an_update_when_it_is_removed(
    api: Api, anna: User, sandbox: Sandbox, group: Chat, verb: str, statuses: tuple[str, str]
) -> None:
    if verb == "block":
        sandbox.block(anna)
    else:
        sandbox.kick(group)
    (update,) = await heard(api)
    change = update["my_chat_member"]
    assert (change["old_chat_member"]["status"], change["new_chat_member"]["status"]) == statuses


async def test_saying_start_unblocks_the_bot(api: Api, anna: User, sandbox: Sandbox) -> None:
    sandbox.block(anna)
    sandbox.say(anna, "/start")
    _, unblocked, started = await heard(api)
    assert unblocked["my_chat_member"]["new_chat_member"]["status"] == "member"
    assert started["message"]["text"] == "/start"


async def test_a_migration_is_announced_in_both_chats(api: Api, anna: User, sandbox: Sandbox) -> None:
    group = sandbox.add_chat("group", "Ops", members=[anna])
    sandbox.world.updates.clear()
    new = sandbox.migrate(group)
    left, entered = await heard(api)
    assert (left["message"]["chat"]["id"], left["message"]["migrate_to_chat_id"]) == (group.id, new.id)
    assert (entered["message"]["chat"]["id"], entered["message"]["migrate_from_chat_id"]) == (new.id, group.id)
