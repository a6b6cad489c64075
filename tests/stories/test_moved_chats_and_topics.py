"""Groups that become supergroups, chat names, topics, long texts, and deleted posts."""

from tests.stories.conftest import MakeWorld
from tests.stories.places import OPEN, Place
from tests.stories.world import World


async def test_a_group_that_became_a_supergroup_is_followed(world: World) -> None:
    group = world.group("Ops", "group")
    supergroup = world.migrates(group)

    alert = await world.alert("disk full", to=group)

    post = await supergroup.receives("disk full")
    assert post.buttons == OPEN
    await alert.becomes("sent")
    assert (await alert.delivery(supergroup))["status"] == "shown"


async def test_later_messages_to_the_old_id_go_straight_to_the_new_chat(world: World) -> None:
    group = world.group("Ops", "group")
    supergroup = world.migrates(group)
    await world.alert("first", to=group)
    await supergroup.receives("first")
    refused = len(world.refusals("sendMessage"))

    await world.alert("second", to=group)

    await supergroup.receives("second")
    assert len(world.refusals("sendMessage")) == refused


async def test_a_move_is_learnt_from_the_chat_itself(world: World) -> None:
    group = world.group("Ops", "group")
    await world.alert("before", to=group)
    await group.receives("before")
    supergroup = world.migrates(group)
    await world.in_time(
        lambda: world.rows("SELECT 1 FROM chats WHERE moved_to = ?", str(supergroup.id)), "the move is known"
    )

    await world.alert("after", to=group)

    await supergroup.receives("after")
    assert world.refusals("sendMessage") == []


async def test_an_escalation_follows_its_channel(another: MakeWorld) -> None:
    world = await another(duty="group")
    await world.starts()
    supergroup = world.migrates(world.duty)
    ops = world.group("Ops")
    boss = world.member(supergroup, "Boss")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")

    await world.later(minutes=15)

    await supergroup.receives("disk full").presses(by=boss)
    await post.becomes("Acknowledged by Boss", buttons=[])
    await alert.becomes("closed")


async def test_a_press_in_a_chat_that_moved_meanwhile_counts(world: World) -> None:
    group = world.group("Ops", "group")
    alert = await world.alert("disk full", to=group)
    post = await group.receives("disk full")
    anna = world.member(group, "Anna")

    query = post.press(anna)
    world.migrates(group)

    assert await post.answer_to(query) == "Acknowledged."
    await alert.becomes("closed")


async def test_a_channel_is_found_by_its_name(world: World) -> None:
    news = world.group("News", "channel", username="ops_news")
    boss = world.member(news, "Boss")

    alert = await world.alert("disk full", to="@Ops_News")

    post = await news.receives("disk full")
    await alert.becomes("sent")
    assert (await alert.delivery(news))["status"] == "shown"
    await post.pressed(boss)
    await post.becomes("Acknowledged by Boss", buttons=[])


async def test_a_channel_is_one_chat_by_name_and_by_id(world: World) -> None:
    news = world.group("News", "channel", username="ops_news")
    await (await world.notice("by name", to="@ops_news")).becomes("sent")

    await (await world.notice("by id", to=news)).becomes("sent")
    await (await world.notice("by name again", to="@ops_news")).becomes("sent")

    assert news.texts == ["by name", "by id", "by name again"]
    assert {params["chat_id"] for params in news.sends()[1:]} == {str(news.id)}


async def test_a_command_in_a_topic_gets_its_reply_in_that_topic(world: World) -> None:
    forum = world.group("Ops", forum=True)
    topic = world.sandbox.add_topic(forum.id, "Nights")
    anna = world.member(forum, "Anna")

    anna.says("/open", to=forum, thread_id=topic)

    answer = await forum.receives("No open alerts here.")
    assert answer.message.thread_id == topic


async def test_a_reply_goes_to_the_chat_if_its_topic_is_closed(world: World) -> None:
    forum = world.group("Ops", forum=True)
    topic = world.sandbox.add_topic(forum.id, "Nights")
    anna = world.member(forum, "Anna")

    anna.says("/open", to=forum, thread_id=topic)
    world.sandbox.close_topic(forum.id, topic)

    answer = await forum.receives("No open alerts here.")
    assert answer.message.thread_id is None


async def test_a_long_text_comes_in_parts_with_the_button_on_the_last(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    lines = [f"line {n} of the report" for n in range(400)]
    alert = await world.alert("\n".join(lines), to=ops, title="report")

    await alert.becomes("sent")

    messages = world.sandbox.messages(ops.id)
    assert len(messages) > 1
    assert [message.button_texts for message in messages] == [[]] * (len(messages) - 1) + [OPEN]
    assert "\n".join(ops.texts).splitlines()[1:] == lines
    assert (await alert.delivery(ops))["telegram_message_ids"] == [message.id for message in messages]
    last = await ops.receives(lines[-1])
    await last.pressed(anna)
    await last.becomes(lines[-1], "Acknowledged by Anna", buttons=[])
    assert len(ops.texts) == len(messages)


async def test_parts_that_were_cut_off_go_on_with_the_next_part(world: World, ops: Place) -> None:
    lines = [f"line {n} of the report" for n in range(400)]
    world.sandbox.fault("error", method="sendMessage", after=1, times=1)
    alert = await world.alert("\n".join(lines), to=ops, title="report")
    await alert.tells("uncertain")

    await world.passes(seconds=2)

    await alert.becomes("sent")
    assert "\n".join(ops.texts).splitlines()[1:] == lines


async def test_parts_that_were_cut_off_go_on_after_a_restart(world: World, ops: Place) -> None:
    lines = [f"line {n} of the report" for n in range(400)]
    world.sandbox.fault("flood", method="sendMessage", chat=ops.id, after=1, retry_after=30)
    alert = await world.alert("\n".join(lines), to=ops, title="report")
    await world.sees(lambda: world.refusals("sendMessage"), "the second part is held")
    await world.is_quiet()

    await world.restarts()
    await world.passes(seconds=32)

    await alert.becomes("sent")
    assert "\n".join(ops.texts).splitlines()[1:] == lines


async def test_an_alert_acknowledged_between_its_parts_is_posted_completely(world: World, ops: Place) -> None:
    lines = [f"line {n} of the report" for n in range(400)]
    world.sandbox.fault("flood", method="sendMessage", chat=ops.id, after=1, retry_after=30)
    alert = await world.alert("\n".join(lines), to=ops, title="report")
    await world.sees(lambda: world.refusals("sendMessage"), "the second part is held")

    await alert.is_asked("acknowledge")
    await world.passes(seconds=32)

    last = await ops.receives(lines[-1])
    await last.becomes("Acknowledged by", buttons=[])
    assert all(line in "\n".join(ops.texts) for line in lines)
    assert (await alert.delivery(ops))["status"] == "shown"


async def test_a_deleted_post_of_an_open_alert_is_sent_again(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    await world.alert("disk full", to=ops)
    (await ops.receives("disk full")).is_deleted()

    await world.later(minutes=15)

    anew = await ops.receives("disk full")
    await anew.becomes("Escalated at 09:15 UTC.", buttons=OPEN)
    await anew.pressed(anna)
    await anew.becomes("Acknowledged by Anna", buttons=[])


async def test_a_deleted_post_of_an_alert_that_is_over_is_left_alone(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops)
    (await ops.receives("disk full")).is_deleted()

    await alert.is_asked("acknowledge")

    await world.sees(lambda: world.refusals("editMessageText"), "the edit was tried")
    await world.is_quiet()
    assert ops.texts == []
    assert (await alert.delivery(ops))["status"] == "shown"


async def test_plain_text_is_posted_unchanged(world: World, ops: Place) -> None:
    content = "<b>*_`[a](tg://user?id=1)`</b> \\. 👩‍👩‍👧 /start @ops & &amp; \u00a0 é"
    notice = await world.notice(content, to=ops)

    await notice.becomes("sent")

    assert ops.texts == [content]
    assert all(entity["type"] not in ("bold", "text_link") for entity in world.sandbox.messages(ops.id)[0].entities)
