"""Commands of the bot: the chats where they work, and commands for other bots."""

import json

import pytest

from notifybot.sandbox.values import JsonObject
from notifybot.sandbox.world.state import member_json
from tests.stories.places import Person, Place
from tests.stories.world import World

BOT = "@notifybot_sandbox_bot"


def is_linked(world: World, person: Person, account: str) -> None:
    world.rows(
        "UPDATE people SET account = ?, linked_at = '2026-02-01 08:00:00+00:00' WHERE chat_id = ?",
        account,
        str(person.id),
    )


@pytest.mark.both_databases
async def test_status_shows_account_settings_and_unacknowledged_alerts(world: World) -> None:
    anna = await world.subscriber("Anna")
    is_linked(world, anna, "anna")
    await world.alert("disk full", to=anna)
    await anna.receives("disk full")

    anna.says("/status")

    text = (await anna.receives("Linked to the account anna since 2026-02-01.")).text
    for line in ("Notices and summaries: on", "Time zone: UTC", "Unacknowledged alerts here: 1; /open lists"):
        assert line in text


async def test_status_points_an_unlinked_person_to_start(world: World) -> None:
    anna = await world.subscriber("Anna")

    anna.says("/status")

    text = (await anna.receives("Not linked to an account; /start gives you a code")).text
    assert "Unacknowledged alerts here: none" in text


@pytest.mark.both_databases
async def test_unlink_removes_the_account_and_keeps_the_subscription(world: World) -> None:
    anna = await world.subscriber("Anna")
    is_linked(world, anna, "anna")

    anna.says("/unlink")

    await anna.receives("This chat is no longer linked to the account anna.")
    assert world.rows("SELECT account FROM people") == [(None,)]
    anna.says("/unlink")
    await anna.receives("This chat is not linked to any account.")
    await world.notice("still here", to=anna)
    await anna.receives("still here")


async def test_open_shows_snoozed_alerts(world: World) -> None:
    anna = await world.subscriber("Anna")
    await world.alert("disk full", to=anna)
    await anna.receives("disk full").presses("Snooze 1 h")

    anna.says("/open")

    assert "(09:00 UTC, snoozed until 10:00 UTC)" in (await anna.receives("Open alerts:")).text


async def test_an_unknown_command_tells_linked_people_what_they_can_do(world: World) -> None:
    anna, ben = await world.subscriber("Anna"), await world.subscriber("Ben")
    is_linked(world, anna, "anna")

    for person in (anna, ben):
        person.says("/opne db-1")

    text = (await anna.receives("There is no command /opne. Did you mean /open?")).text
    assert "/oncall: see who is on call, or take over\n" in text
    await ben.receives("Use /start to link your account.")


async def test_open_alerts_and_lists_show_no_markup(world: World) -> None:
    anna = await world.subscriber("Anna")
    markups = {"HTML": "<b>disk</b> &amp; more", "MarkdownV2": "*fan* slow", "CommonMark": "**net** `eth0`"}
    for mode, text in markups.items():
        await (await world.alert(text, to=anna, parse_mode=mode)).becomes("sent")

    anna.says("/open")

    text = (await anna.receives("Open alerts:")).text
    for line in ("disk & more (", "fan slow (", "net eth0 ("):
        assert line in text
    listed = (await world.get("/api/messages"))["messages"]
    assert [each["plain_text"] for each in listed] == ["net eth0", "fan slow", "disk & more"]


# Groups


@pytest.mark.parametrize("command", ["/status", "/settings", "/mute 1h", "/unlink", "/help@otherbot", "/open@otherbot"])
async def test_commands_for_other_bots_in_a_group_are_ignored(world: World, ops: Place, command: str) -> None:
    anna = world.member(ops, "Anna")

    anna.says(command, to=ops)
    anna.says(f"/help{BOT}", to=ops)

    await ops.receives("/open lists the open alerts of this group")
    assert len(ops.texts) == 1


@pytest.mark.parametrize("command", [f"/status{BOT}", f"/settings{BOT}", f"/mute{BOT} 1h", f"/unlink{BOT}"])
async def test_private_commands_do_nothing_in_a_group(world: World, ops: Place, command: str) -> None:
    anna = await world.subscriber("Anna")
    world.joins(anna, ops)
    is_linked(world, anna, "anna")

    anna.says(command, to=ops)

    await ops.receives("This command works only in a private chat with me.")
    assert world.rows("SELECT account, muted_until FROM people") == [("anna", None)]


async def test_a_command_in_a_topic_is_answered_there(world: World) -> None:
    forum = world.group("Forum", forum=True)
    anna = world.member(forum, "Anna")
    topic = world.sandbox.add_topic(forum.id, "Alerts")

    anna.says(f"/status{BOT}", to=forum, thread_id=topic)

    await forum.receives("This command works only in a private chat")
    assert [sent["message_thread_id"] for sent in forum.sends()] == [str(topic)]


# Command menus


def menus(world: World) -> dict[str, list[str]]:
    """Commands in the menus, by scope."""
    found = {}
    for scope, commands in world.sandbox.world.commands.items():
        found[json.loads(scope)[0]["type"]] = [str(command["command"]) for command in commands]  # type: ignore[index]
    return found


async def test_command_menus_are_set_by_kind_of_chat(world: World) -> None:
    found = await world.sees(lambda: menus(world) if len(menus(world)) == 2 else None, "both menus")

    assert found["all_private_chats"] == ["open", "oncall", "status", "settings", "mute", "start", "unlink", "help"]
    assert found["all_group_chats"] == ["open", "oncall", "start", "help"]


async def test_every_command_of_the_menu_works(world: World) -> None:
    found = await world.sees(lambda: menus(world) if len(menus(world)) == 2 else None, "both menus")
    anna = await world.subscriber("Anna")

    for command in found["all_private_chats"]:
        anna.says(f"/{command}")

    await anna.receives("/settings changes")
    assert not [text for text in anna.texts if text == "Use /start to link your account."]


async def test_a_refused_command_menu_breaks_nothing_else(world: World, ops: Place) -> None:
    await world.stops()
    world.sandbox.world.commands.clear()
    world.sandbox.fault("error", method="setMyCommands")
    await world.starts()

    await world.logs("Telegram refused the command menu")
    await world.alert("disk full", to=ops)
    await ops.receives("disk full")

    world.sandbox.clear_faults()
    await world.passes(minutes=11)
    await world.sees(lambda: len(menus(world)) == 2, "both menus")


# Joining and leaving chats


def title_of(world: World, place: Place) -> tuple[object, ...]:
    rows = world.rows("SELECT title, unreachable FROM chats WHERE id = ?", str(place.id))
    return rows[0] if rows else ()


@pytest.mark.both_databases
async def test_the_person_who_adds_the_bot_gets_the_chats_id_in_private(world: World) -> None:
    anna = await world.subscriber("Anna")

    ops = world.group("Ops", members=[anna.user])

    told = await anna.receives("I can post in the group “Ops” now. To send messages to it, use its id")
    assert str(ops.id) in told.text
    assert ops.texts == []
    assert title_of(world, ops) == ("Ops", None)


@pytest.mark.parametrize("kind", ["group", "supergroup", "channel"])
async def test_without_a_private_chat_the_id_is_posted_in_the_group(world: World, kind: str) -> None:
    anna = world.person("Anna")

    place = world.group("Ops", kind, members=[anna.user])

    what = "channel" if kind == "channel" else "group"
    await place.receives(f"I can post in this {what} now. To send messages to it, use its id {place.id} as channel_id.")


async def test_missing_rights_in_a_channel_are_reported_to_who_added_the_bot(world: World) -> None:
    anna = await world.subscriber("Anna")
    duty = world.group("Night duty", "channel")
    may_not = member_json(world.sandbox.bot, "administrator") | {"can_post_messages": False}

    deliver(world, duty, anna, old=member_json(world.sandbox.bot, "left"), new=may_not)

    told = await anna.receives("I've joined the channel “Night duty” (id ")
    assert str(duty.id) in told.text
    assert "I don't have permission to post. Make me an administrator with the right to post messages." in told.text
    deliver(world, duty, anna, old=may_not, new=member_json(world.sandbox.bot, "administrator"))
    await anna.receives("I can post in the channel “Night duty” now")
    assert duty.texts == []


async def test_a_change_of_another_right_posts_nothing(world: World) -> None:
    anna = await world.subscriber("Anna")
    duty = world.group("Night duty", "channel")
    before = member_json(world.sandbox.bot, "administrator")

    deliver(world, duty, anna, old=before, new=before | {"can_edit_messages": False})
    anna.says("/help")

    await anna.receives("/settings changes")
    assert not [text for text in anna.texts if "Night duty" in text]


@pytest.mark.both_databases
async def test_a_chat_that_removed_the_bot_is_unreachable_until_it_rejoins(world: World) -> None:
    anna = world.person("Anna")
    ops = world.group("Ops", members=[anna.user])
    await ops.receives("I can post in")

    world.sandbox.kick(ops.id)
    await world.sees(lambda: title_of(world, ops)[1] == "the bot was blocked or removed", "the chat is marked")
    world.sandbox.rejoin(ops.id)

    await ops.receives("I can post in this group now")
    assert title_of(world, ops) == ("Ops", None)


async def test_blocking_and_unblocking_the_bot_posts_nothing(world: World) -> None:
    anna = await world.subscriber("Anna")
    world.sandbox.block(anna.user)
    await world.sees(lambda: title_of(world, anna)[1] is not None, "the chat is marked")

    world.sandbox.block(anna.user, False)
    await world.sees(lambda: title_of(world, anna)[1] is None, "the chat is reachable")
    anna.says("/help")

    await anna.receives("/settings changes")
    assert len(anna.texts) == 2


@pytest.mark.both_databases
async def test_a_chat_is_stored_with_its_newest_title(world: World) -> None:
    anna = world.person("Anna")
    ops = world.group("Ops", members=[anna.user])
    await ops.receives("I can post in")
    world.sandbox.chat(ops.id).title = "Operations"

    anna.says(f"/open{BOT}", to=ops)

    await ops.receives("No open alerts here.")
    assert title_of(world, ops)[0] == "Operations"


def deliver(world: World, place: Place, by: Person, *, old: JsonObject, new: JsonObject) -> None:
    """Send the bot an update about its rights in a chat."""
    chat: JsonObject = {"id": place.id, "type": "channel", "title": place.name}
    who: JsonObject = {"id": by.id, "is_bot": False, "first_name": by.name}
    change: JsonObject = {"chat": chat, "from": who, "date": int(world.clock.seconds())}
    world.sandbox.world.deliver("my_chat_member", change | {"old_chat_member": old, "new_chat_member": new})
