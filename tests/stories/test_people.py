"""Commands from people, and the bot's replies."""

from tests.stories.conftest import MakeWorld
from tests.stories.places import Place
from tests.stories.world import World

BOT = "@notifybot_sandbox_bot"


async def test_start_subscribes_and_shows_ids_and_code(world: World) -> None:
    anna = world.person("Anna", username="anna_p")

    anna.says("/start")

    welcome = await anna.receives("You are subscribed.")
    (person,) = (await world.ask("GET", "/subscribed-users")).body
    assert (person["chat_id"], person["chat_name"]) == (str(anna.id), "anna_p")
    assert f"user_id: {person['user_id']}" in welcome.text
    assert f"chat_id: {anna.id}" in welcome.text


async def test_without_a_username_the_first_name_is_used(world: World) -> None:
    await world.subscriber("Anna")

    (person,) = (await world.ask("GET", "/subscribed-users")).body
    assert person["chat_name"] == "Anna"


async def test_people_whose_name_shows_nothing_are_named_otherwise(world: World, ops: Place) -> None:
    nameless, hidden = world.member(ops, "\u3164"), world.person("\u3164", username="hidden_one")
    world.joins(hidden, ops)
    nameless.says("/start")
    await nameless.receives("You are subscribed")
    await world.alert("disk full", to=ops)
    await world.alert("fan broken", to=ops)
    disk, fan = await ops.receives("disk full"), await ops.receives("fan broken")

    await disk.pressed(by=nameless)
    await fan.pressed(by=hidden)

    await disk.becomes(f"Acknowledged by {nameless.id} at")
    await fan.becomes("Acknowledged by @hidden_one at")
    (person,) = (await world.ask("GET", "/subscribed-users")).body
    assert person["chat_name"] == str(nameless.id)


async def test_start_again_keeps_the_person(world: World) -> None:
    anna = await world.subscriber("Anna")
    before = (await world.ask("GET", "/subscribed-users")).body

    anna.says("/start")

    await anna.receives("You are already subscribed.")
    assert (await world.ask("GET", "/subscribed-users")).body == before


async def test_start_in_a_group_shows_its_id_and_subscribes_nobody(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")

    anna.says(f"/start{BOT}", to=ops)

    await ops.receives(f"This chat's id is {ops.id}.")
    assert (await world.ask("GET", "/subscribed-users")).body == []


async def test_help_lists_the_commands(world: World) -> None:
    anna = await world.subscriber("Anna")

    anna.says("/help")

    text = (await anna.receives("/open lists")).text
    assert all(command in text for command in ("/start", "/open", "/help"))


async def test_help_is_answered_in_a_group_as_well(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")

    anna.says(f"/help{BOT}", to=ops)

    await ops.receives("/open lists")


async def test_an_unknown_command_points_to_start(world: World) -> None:
    anna = await world.subscriber("Anna")

    anna.says("/frobnicate now")

    await anna.receives("Use /start to link your account.")


async def test_plain_text_points_to_the_commands(world: World) -> None:
    anna = await world.subscriber("Anna")

    anna.says("is the disk full?")

    await anna.receives("I only understand commands; /help lists them.")


async def test_commands_for_others_in_a_group_are_left_alone(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    anna.says("/weather", to=ops)
    anna.says(f"how are you {BOT}", to=ops)

    anna.says("/open", to=ops)

    await ops.receives("No open alerts here.")
    assert len(ops.texts) == 1


async def test_open_lists_alerts_with_buttons_that_acknowledge(world: World) -> None:
    anna = await world.subscriber("Anna")
    disk = await world.alert("disk full", to=anna, title="db1")
    link = await world.alert("link down", to=anna, title="gw2")
    for text in ("disk full", "link down"):
        await anna.receives(text)

    anna.says("/open")

    listing = await anna.receives("Open alerts:")
    assert listing.buttons == ["Acknowledge 1", "Acknowledge 2"]
    assert [line.split(" (")[0] for line in listing.text.splitlines()[1:]] == ["1. gw2", "2. db1"]
    assert await listing.pressed(anna, "Acknowledge 2") == "Acknowledged."
    assert (await disk.becomes("closed"))["acknowledged_by"]["name"] == "Anna"
    assert (await link.now())["status"] == "sent"
    assert await listing.pressed(anna, "Acknowledge 2") == "Anna acknowledged this at 09:00 UTC."


async def test_open_shows_nothing_of_other_chats(world: World, ops: Place) -> None:
    anna = await world.subscriber("Anna")
    await world.alert("disk full", to=ops)
    await ops.receives("disk full")

    anna.says("/open")

    await anna.receives("No open alerts here.")


async def test_open_shows_what_escalated_into_the_chat(another: MakeWorld) -> None:
    world = await another(duty="supergroup")
    await world.starts()
    ops, boss = world.group("Ops"), world.member(world.duty, "Boss")
    alert = await world.alert("disk full", to=ops)
    await ops.receives("disk full")
    await world.later(minutes=15)
    await world.duty.receives("disk full")

    boss.says("/open", to=world.duty)

    await world.duty.receives("Open alerts:").presses("Acknowledge 1", by=boss)
    await alert.becomes("closed")


async def test_a_command_sent_while_telegram_is_away_is_answered_later(world: World) -> None:
    anna = await world.subscriber("Anna")
    world.sandbox.fault("away", method="sendMessage")
    anna.says("/help")
    await world.sees(lambda: world.refusals("sendMessage"), "the answer was tried")

    world.sandbox.clear_faults()
    await world.passes(seconds=3)

    await anna.receives("/open lists")


async def test_start_makes_an_unreachable_person_reachable(world: World) -> None:
    anna = await world.subscriber("Anna")
    world.sandbox.block(anna.user)
    await (await world.notice("lost", to=anna)).becomes("failed")

    anna.says("/start")

    await anna.receives("You are already subscribed.")
    await world.notice("found", to=anna)
    await anna.receives("found")
