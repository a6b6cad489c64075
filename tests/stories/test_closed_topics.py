"""Topics that take no posts and chats with a long ban: remembered, shown in /health, told to the admins once."""

import pytest

from tests.stories.conftest import MakeWorld
from tests.stories.places import Place
from tests.stories.world import World

TOPIC = 77


@pytest.fixture
async def admins(another: MakeWorld) -> Place:
    """The group of the admins of a world."""
    world = await another()
    group = world.group("Admins")
    world.sets(admins=[str(group.id)])
    await world.starts()
    return group


def world_of(place: Place) -> World:
    assert isinstance(place.stage, World)
    return place.stage


def refuses(world: World, forum: Place, description: str) -> None:
    """Let Telegram refuse every post in the topic as it would a closed one, with another description."""
    world.sandbox.fault(
        "error", method="sendMessage", chat=forum.id, times=1, error_code=400, description=f"Bad Request: {description}"
    )


async def warnings(world: World) -> list[str]:
    return [str(each) for each in (await world.get("/health"))["warnings"]]


def sends_to(world: World, forum: Place) -> list[int | None]:
    """Return the topic of each send to the chat that Telegram got, accepted or not."""
    calls = world.sandbox.calls.of("sendMessage", chat_id=forum.id)
    topics = [call.params.get("message_thread_id") for call in calls]
    return [None if topic is None else int(str(topic)) for topic in topics]


@pytest.mark.parametrize(
    "description",
    [
        "TOPIC_CLOSED",
        "TOPIC_DELETED",
        "TOPIC_ID_INVALID",
        "message thread not found",
        "topic closed",
        "Topic_deleted",
        "the topic was closed",
        "topic not found",
    ],
)
async def test_a_refused_topic_costs_one_call_and_is_remembered(world: World, description: str) -> None:
    forum = world.group("Forum", forum=True)
    topic = world.sandbox.add_topic(forum.id, "Disks")
    refuses(world, forum, description)

    for number in range(3):
        notice = await world.notice(f"notice {number}", to=f"{forum.id}:{topic}")
        await notice.becomes("sent")

    assert sends_to(world, forum) == [topic, None, None, None]
    assert "itself: its topic" in (await notice.tells("sent"))["detail"]
    (warning,) = [each for each in await warnings(world) if "Forum" in each]
    assert warning.startswith(f"Topic {topic} of Forum ({forum.id}) takes no posts since 09:00 UTC (")


@pytest.mark.parametrize("how", ["closed", "deleted", "never"])
async def test_a_topic_that_is_closed_deleted_or_never_was(world: World, how: str) -> None:
    forum = world.group("Forum", forum=True)
    topic = world.sandbox.add_topic(forum.id, "Disks")
    if how == "closed":
        world.sandbox.close_topic(forum.id, topic)
    elif how == "deleted":
        world.sandbox.delete_topic(forum.id, topic)
    named = topic + 1000 if how == "never" else topic

    for number in range(3):
        await (await world.alert(f"alert {number}", to=f"{forum.id}:{named}")).becomes("sent")

    assert sends_to(world, forum) == [named, None, None, None]
    assert len([each for each in await warnings(world) if "takes no posts" in each]) == 1


async def test_a_topic_takes_posts_again_as_soon_as_a_person_reopens_it(world: World) -> None:
    forum = world.group("Forum", forum=True)
    topic = world.sandbox.add_topic(forum.id, "Disks")
    world.sandbox.close_topic(forum.id, topic)
    await (await world.alert("first", to=f"{forum.id}:{topic}")).becomes("sent")

    world.sandbox.reopen_topic(forum.id, topic)
    await world.sees(lambda: not world.rows("SELECT 1 FROM chat_troubles"), "the topic is known to be open")
    await (await world.alert("second", to=f"{forum.id}:{topic}")).becomes("sent")

    assert (await forum.receives("first")).message.thread_id is None
    assert (await forum.receives("second")).message.thread_id == topic
    assert not [each for each in await warnings(world) if "takes no posts" in each]


async def test_a_topic_of_a_chat_that_is_known_by_its_name_is_remembered_under_its_id(world: World) -> None:
    forum = world.group("Forum", username="ops_forum", forum=True)

    for number in range(3):
        await (await world.notice(f"notice {number}", to=f"@ops_forum:{TOPIC}")).becomes("sent")

    topics = [call.params.get("message_thread_id") for call in world.sandbox.calls.of("sendMessage")]
    assert topics.count(str(TOPIC)) == 1
    assert world.rows("SELECT id FROM chat_troubles") == [(f"{forum.id}:{TOPIC}",)]


async def test_a_topic_is_tried_again_every_hour_even_after_a_restart(world: World) -> None:
    forum = world.group("Forum", forum=True)
    await (await world.notice("first", to=f"{forum.id}:{TOPIC}")).becomes("sent")
    await world.restarts()
    await (await world.notice("second", to=f"{forum.id}:{TOPIC}")).becomes("sent")
    await world.later(minutes=61)
    await (await world.notice("third", to=f"{forum.id}:{TOPIC}")).becomes("sent")
    await (await world.notice("fourth", to=f"{forum.id}:{TOPIC}")).becomes("sent")

    assert sends_to(world, forum) == [TOPIC, None, None, TOPIC, None, None]


async def test_a_topic_that_works_again_is_forgotten_at_the_next_try(world: World) -> None:
    forum = world.group("Forum", forum=True)
    topic = world.sandbox.add_topic(forum.id, "Disks")
    refuses(world, forum, "TOPIC_CLOSED")
    await (await world.notice("first", to=f"{forum.id}:{topic}")).becomes("sent")

    await world.later(minutes=61)
    await (await world.notice("second", to=f"{forum.id}:{topic}")).becomes("sent")

    assert (await forum.receives("second")).message.thread_id == topic
    assert world.rows("SELECT count(*) FROM chat_troubles") == [(0,)]


async def test_a_chat_that_takes_nothing_outside_of_its_topics_is_reported(world: World) -> None:
    forum = world.group("Forum", forum=True)
    refuses(world, forum, "TOPIC_CLOSED")

    alert = await world.alert("disk full", to=forum)

    await world.duty.receives("disk full")
    assert (await alert.delivery(forum))["status"] == "failed"
    assert [each for each in await warnings(world) if "takes no posts outside its topics" in each]
    await (await world.alert("disk very full", to=forum)).becomes("sent")
    assert not [each for each in await warnings(world) if "takes no posts" in each]


async def test_the_admins_are_told_of_a_topic_once(admins: Place) -> None:
    world = world_of(admins)
    forum = world.group("Forum", forum=True)

    for number in range(3):
        await (await world.notice(f"notice {number}", to=f"{forum.id}:{TOPIC}")).becomes("sent")
        await world.ticks("chat_troubles")
        await world.later(minutes=61)

    await admins.receives(f"Topic {TOPIC} of Forum ({forum.id}) takes no posts since 09:00 UTC")
    await world.is_quiet()
    assert sum("takes no posts" in text for text in admins.texts) == 1


async def test_a_long_ban_is_in_the_health_and_the_admins_are_told_once(admins: Place) -> None:
    world = world_of(admins)
    ops = world.group("Ops")
    await (await world.notice("before", to=ops)).becomes("sent")
    world.sandbox.fault("flood", chat=ops.id, retry_after=86_400)

    await world.alert("disk full", to=ops)
    await world.sees(lambda: world.refusals("sendMessage"), "the ban is known")
    await world.is_quiet()
    await world.ticks("chat_troubles")

    health = await world.get("/health")
    sentence = f"Telegram accepts nothing for Ops ({ops.id}) until 2026-03-03 09:00 UTC (rate limit)."
    assert health["status"] == "degraded"
    assert [each for each in health["warnings"] if str(each).startswith(sentence) and "1 message waits" in str(each)]
    await admins.receives(sentence)
    await world.alert("disk very full", to=ops)
    await world.later(hours=12)
    assert sum("accepts nothing" in text for text in admins.texts) == 1


@pytest.mark.parametrize("seconds", [1, 30, 300, 599])
async def test_a_short_ban_is_no_trouble(world: World, ops: Place, seconds: int) -> None:
    world.sandbox.fault("flood", chat=ops.id, retry_after=seconds)

    await world.notice("disk full", to=ops)
    await world.sees(lambda: world.refusals("sendMessage"), "the ban is known")
    await world.is_quiet()

    assert not [each for each in await warnings(world) if "accepts nothing" in each]


async def test_a_ban_that_has_ended_is_no_warning(world: World, ops: Place) -> None:
    world.sandbox.fault("flood", chat=ops.id, retry_after=3600)
    notice = await world.notice("disk full", to=ops)
    await world.sees(lambda: world.refusals("sendMessage"), "the ban is known")

    await world.passes(seconds=3602)

    await notice.becomes("sent")
    health = await world.get("/health")
    assert health["status"] == "ok", health["warnings"]
