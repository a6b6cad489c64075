"""Topics of groups: `<chat>:<topic>` can be used in place of any chat."""

import pytest

from tests.stories.conftest import MakeWorld
from tests.stories.places import Place
from tests.stories.world import World


@pytest.fixture
def forum(world: World) -> Place:
    """A group with topics."""
    return world.group("Forum", forum=True)


def topic_of(world: World, forum: Place, title: str) -> tuple[int, str]:
    """Add a topic; return its number, and its name for callers."""
    topic = world.sandbox.add_topic(forum.id, title)
    return topic, f"{forum.id}:{topic}"


async def test_a_message_goes_to_the_topic_that_its_recipient_names(world: World, forum: Place) -> None:
    topic, disks = topic_of(world, forum, "Disks")

    alert = await world.alert("disk full", to=disks)

    assert (await forum.receives("disk full")).message.thread_id == topic
    assert (await alert.delivery(forum))["recipient"] == disks


async def test_one_message_goes_to_several_topics_of_a_group_and_to_the_group_itself(
    world: World, forum: Place
) -> None:
    topics = [topic_of(world, forum, title) for title in ("Disks", "Networks")]
    body = {"content": "all down", "to": [*(name for _, name in topics), str(forum.id), topics[0][1]]}

    answer = await world.ask("POST", "/api/ingest", body)

    assert answer.status == 202, answer
    posts = [await forum.receives("all down") for _ in range(3)]
    assert {post.message.thread_id for post in posts} == {topics[0][0], topics[1][0], None}
    await world.is_quiet()
    assert len(forum.texts) == 3


async def test_an_acknowledgement_in_one_topic_shows_in_all(world: World, forum: Place) -> None:
    anna = world.member(forum, "Anna")
    names = [topic_of(world, forum, title)[1] for title in ("Disks", "Networks")]
    await world.ask("POST", "/api/ingest", {"content": "disk full", "to": names})
    first, second = [await forum.receives("disk full") for _ in names]

    await first.pressed(by=anna)

    await first.becomes("Acknowledged by Anna")
    await second.becomes("Acknowledged by Anna")


async def test_the_topic_of_a_recipient_wins_over_the_topic_of_the_message(world: World, forum: Place) -> None:
    topic, disks = topic_of(world, forum, "Disks")
    other, _ = topic_of(world, forum, "Networks")

    body = {"content": "disk full", "to": [disks, str(forum.id)], "thread_id": other}
    await world.ask("POST", "/api/ingest", body)

    posts = [await forum.receives("disk full") for _ in range(2)]
    assert {post.message.thread_id for post in posts} == {topic, other}


async def test_an_alert_escalates_to_a_topic(another: MakeWorld) -> None:
    world = await another()
    ops, forum = world.group("Ops"), world.group("Forum", forum=True)
    topic, disks = topic_of(world, forum, "Disks")
    world.sets(alerts={"escalation_channel": disks})
    await world.starts()
    await world.alert("disk full", to=ops)
    await ops.receives("disk full")

    await world.later(minutes=15)

    assert (await forum.receives("disk full")).message.thread_id == topic
    await world.is_quiet()
    details = [row[0] for row in world.rows("SELECT detail FROM timeline WHERE event IN ('escalated', 'sent')")]
    assert details.count(f"To {disks}.") == 2  # decided, then posted


async def test_whoever_is_on_call_and_the_summary_may_be_a_topic(another: MakeWorld) -> None:
    world = await another()
    forum = world.group("Forum", forum=True)
    first, disks = topic_of(world, forum, "Disks")
    second, _ = topic_of(world, forum, "Nights")
    nobody = {"members": [disks], "start": "2099-01-01", "otherwise": [{"chat": forum.id, "thread": second}]}
    world.sets(rotations={"oncall": nobody}, summary={"to": [disks], "chart": False})
    await world.starts()

    await world.ask("POST", "/api/ingest", {"content": "disk full", "to": ["oncall"]})
    assert (await forum.receives("disk full")).message.thread_id == second
    await world.later(days=1)
    assert (await forum.receives("Daily summary")).message.thread_id == first


async def test_a_step_of_a_policy_and_a_name_of_the_config_lead_to_topics(another: MakeWorld) -> None:
    world = await another()
    forum = world.group("Forum", forum=True)
    first, disks = topic_of(world, forum, "Disks")
    second, night = topic_of(world, forum, "Night shift")
    policies = {"night": {"steps": [{"after": "5m", "to": [night]}]}}
    world.sets(recipients={"storage": [disks]}, alerts={"policies": policies})
    await world.starts()
    answer = await world.ask("POST", "/api/ingest", {"content": "disk full", "to": ["storage"], "policy": "night"})
    assert answer.status == 202, answer
    assert (await forum.receives("disk full")).message.thread_id == first

    await world.later(minutes=5)

    assert (await forum.receives("disk full")).message.thread_id == second


async def test_a_reminder_comes_in_each_topic(world: World, forum: Place) -> None:
    topics = [topic_of(world, forum, title) for title in ("Disks", "Networks")]
    body = {"content": "disk full", "to": [name for _, name in topics], "remind_every": "10m", "escalate_after": 0}
    await world.ask("POST", "/api/ingest", body)
    for _ in topics:
        await forum.receives("disk full")

    await world.later(minutes=10)

    reminders = [await forum.receives("Still open") for _ in topics]
    assert {post.message.thread_id for post in reminders} == {number for number, _ in topics}


@pytest.mark.parametrize(
    "name", ["-1001234:", "-1001234:0", "-1001234:x", "-1001234:-5", ":5", "@ops:", "@ops:x", "-1:2:3"]
)
async def test_a_malformed_topic_is_refused(world: World, name: str) -> None:
    answer = await world.ask("POST", "/api/ingest", {"content": "x", "channel_id": name})

    assert answer.status == 400
    assert answer.body["errors"][0]["loc"] == ["channel_id"]
