"""Policies: recipients, times and rounds of an alert's steps, until someone acknowledges it."""

import pytest

from tests.stories.conftest import MakeWorld
from tests.stories.places import OPEN, Person
from tests.stories.world import Json, Sent, World

HOUR = OPEN[1]


def steps(*each: tuple[str, str | int], **more: object) -> Json:
    """Return a policy with these steps: time and recipients."""
    return {"steps": [{"after": after, "to": [to]} for after, to in each], **more}


async def linked(world: World, name: str) -> Person:
    """Add a person linked to the account of their name."""
    person = await world.subscriber(name)
    links(world, person)
    return person


def links(world: World, person: Person) -> None:
    world.rows("UPDATE people SET account = ? WHERE chat_id = ?", person.name.lower(), str(person.id))


async def escalations(alert: Sent) -> list[str]:
    """Return the details of its escalations in the timeline."""
    return [line["detail"] for line in (await alert.now())["timeline"] if line["event"] == "escalated"]


class Night:
    """A world in which alerts go to anna after 5 minutes and to the boss after 20, unless `policy` differs."""

    def __init__(self, world: World, **policy: object) -> None:
        self.world = world
        self.ops, self.boss = world.group("Ops"), world.group("Boss")
        night = steps(("5m", "anna"), ("20m", self.boss.id), close_after="4h") | policy
        accounts = {f"{name}@example.org": name for name in ("anna", "ben")}
        world.sets(accounts=accounts, alerts={"policies": {"night": night}})

    async def begins(self) -> Sent:
        return await self.world.alert("disk full", to=self.ops, policy="night")


async def test_steps_follow_one_another_until_all_are_taken(another: MakeWorld) -> None:
    night = Night(world := await another())
    await world.starts()
    anna = await linked(world, "Anna")
    alert = await night.begins()
    post = await night.ops.receives("disk full")

    await world.later(minutes=4, seconds=50)
    assert len(anna.texts) == 1
    await world.later(seconds=10)
    first = await anna.receives("disk full")
    await post.becomes("⏫ Escalated at 09:05 UTC.", buttons=OPEN)
    assert night.boss.texts == []
    await world.later(minutes=15)
    second = await night.boss.receives("disk full")

    assert first.buttons == second.buttons == OPEN
    await post.becomes("⏫ Escalated at 09:20 UTC.")
    await first.becomes("⏫ Escalated again at 09:20 UTC.")
    assert "further" not in second.text
    await world.later(hours=2)
    assert await escalations(alert) == ["Step 1 of 2, to anna.", f"Step 2 of 2, to {night.boss.id}."]
    assert world.duty.texts == []
    assert (await alert.now())["status"] == "escalated"


async def test_an_acknowledgement_ends_the_policy_and_every_post_says_who(another: MakeWorld) -> None:
    night = Night(world := await another())
    await world.starts()
    anna = await linked(world, "Anna")
    alert = await night.begins()
    post = await night.ops.receives("disk full")
    await world.later(minutes=5)

    await anna.receives("disk full").presses()

    await alert.becomes("closed")
    await post.becomes("Acknowledged by Anna", buttons=[])
    await world.later(hours=1)
    assert night.boss.texts == []


@pytest.mark.both_databases
async def test_a_policy_that_repeats_goes_through_its_steps_again(another: MakeWorld) -> None:
    night = Night(world := await another(), repeat=1)
    await world.starts()
    anna = await linked(world, "Anna")
    alert = await night.begins()

    for minutes, place in ((5, anna), (15, night.boss), (5, anna), (15, night.boss)):
        await world.later(minutes=minutes)
        await place.receives("disk full")

    await world.later(hours=1)
    assert [line[:11] for line in await escalations(alert)] == [f"Step {number} of 4" for number in (1, 2, 3, 4)]
    assert len(night.boss.texts) == 2


async def test_recipients_are_resolved_when_the_step_is_taken(another: MakeWorld) -> None:
    night = Night(world := await another())
    await world.starts()
    anna = await world.subscriber("Anna")
    await night.begins()
    await night.ops.receives("disk full")
    await world.later(minutes=4)

    links(world, anna)
    await world.later(minutes=1)

    await anna.receives("disk full")


async def test_a_step_that_reaches_nobody_goes_to_the_escalation_channel(another: MakeWorld) -> None:
    night = Night(world := await another())
    await world.starts()
    alert = await night.begins()
    await night.ops.receives("disk full")

    await world.later(minutes=5)

    await world.duty.receives("disk full")
    assert await escalations(alert) == [
        "Step 1 of 2, to anna. Not notified, as they have no chat with the bot: anna. "
        f"None of them can be reached, so it goes to {world.duty.id}."
    ]
    await world.later(minutes=15)
    await night.boss.receives("disk full")


async def test_without_an_escalation_channel_the_next_step_is_taken_at_once(another: MakeWorld) -> None:
    night = Night(world := await another(alerts={"escalation_channel": None}), repeat=1)
    await world.starts()
    alert = await night.begins()
    await night.ops.receives("disk full")

    await world.later(minutes=5)

    await night.boss.receives("disk full")
    message = await alert.now()
    assert len(await escalations(alert)) == 2
    assert message["escalate_at"][:16] == "2026-03-02T09:10", "the next round begins as long after it as ever"
    await world.later(minutes=5)
    await night.boss.receives("disk full")


async def test_after_a_round_that_reached_nobody_the_next_round_comes_on_time(another: MakeWorld) -> None:
    night = Night(world := await another(alerts={"escalation_channel": None}), repeat=1)
    world.sets(alerts={"policies": {"night": steps(("5m", "anna"), ("20m", "ben"), repeat=1, close_after="4h")}})
    await world.starts()
    await night.begins()
    await night.ops.receives("disk full")
    await world.later(minutes=5)

    anna = await linked(world, "Anna")
    await world.later(minutes=5)

    await anna.receives("disk full")


async def test_steps_due_during_a_downtime_notify_everyone_once(another: MakeWorld) -> None:
    night = Night(world := await another(), repeat=2)
    await world.starts()
    anna = await linked(world, "Anna")
    alert = await night.begins()
    await night.ops.receives("disk full")
    await alert.becomes("sent")
    await world.stops()
    world.moves(minutes=42)

    await world.starts()

    await anna.receives("disk full")
    await night.boss.receives("disk full")
    assert await escalations(alert) == [f"Steps 1 to 4 of 6, to anna, {night.boss.id}."]
    assert (await alert.now())["escalate_at"][:16] == "2026-03-02T09:45"
    await world.later(minutes=3)
    await anna.receives("disk full")
    assert len(night.boss.texts) == 1


async def test_a_restart_between_two_steps_changes_nothing(another: MakeWorld) -> None:
    night = Night(world := await another())
    await world.starts()
    anna = await linked(world, "Anna")
    await night.begins()
    await night.ops.receives("disk full")
    await world.later(minutes=5)
    await anna.receives("disk full")

    await world.restarts()
    await world.later(minutes=15)

    await night.boss.receives("disk full")
    assert len(anna.texts) == 2


async def test_alerts_keep_a_policy_that_was_removed_from_the_config(another: MakeWorld) -> None:
    night = Night(world := await another())
    await world.starts()
    await night.begins()
    await night.ops.receives("disk full")
    await world.stops()
    world.sets(alerts={"policies": None})
    await world.starts()
    anna = await linked(world, "Anna")

    await world.later(minutes=5)

    await anna.receives("disk full")


async def test_a_snoozed_alert_takes_its_next_step_as_long_after_it_wakes(another: MakeWorld) -> None:
    night = Night(world := await another())
    await world.starts()
    anna = await linked(world, "Anna")
    alert = await night.begins()
    await night.ops.receives("disk full")
    await world.later(minutes=5)
    post = await anna.receives("disk full")

    await post.pressed(anna, HOUR)

    assert (await alert.now())["escalate_at"][:16] == "2026-03-02T10:25"
    await world.later(minutes=79)
    assert night.boss.texts == []
    await world.later(minutes=1)
    await night.boss.receives("disk full")


async def test_an_alert_that_reached_nobody_takes_its_first_step_at_once_and_the_others_follow(
    another: MakeWorld,
) -> None:
    night = Night(world := await another())
    await world.starts()
    anna = await linked(world, "Anna")
    gone = world.group("Gone")
    world.sandbox.kick(gone.id)

    alert = await world.alert("disk full", to=gone, policy="night")

    await alert.tells("failed")
    await world.ticks()
    await anna.receives("disk full")
    await world.later(minutes=14, seconds=50)
    assert night.boss.texts == []
    await world.later(seconds=10)
    await night.boss.receives("disk full")


async def test_after_a_step_to_people_who_blocked_the_bot_the_next_is_taken_at_once(another: MakeWorld) -> None:
    night = Night(world := await another())
    await world.starts()
    anna = await linked(world, "Anna")
    alert = await night.begins()
    await night.ops.receives("disk full")
    world.sandbox.block(anna.user)

    await world.later(minutes=5)
    await alert.tells("failed")
    await world.ticks()

    await night.boss.receives("disk full")
    assert (await alert.delivery(anna))["status"] == "failed"


async def test_a_step_due_when_the_alert_closes_is_not_taken(another: MakeWorld) -> None:
    night = Night(world := await another())
    await world.starts()
    anna = await linked(world, "Anna")
    alert = await world.alert("disk full", to=night.ops, policy="night", close_after="20m")
    await night.ops.receives("disk full")
    await world.later(minutes=5)
    await anna.receives("disk full")

    await world.later(hours=1)

    await alert.becomes("closed")
    await world.is_quiet()
    assert night.boss.texts == []
    assert await escalations(alert) == ["Step 1 of 1, to anna."]


async def test_a_message_can_have_an_inline_policy(another: MakeWorld) -> None:
    night = Night(world := await another())
    await world.starts()
    anna = await linked(world, "Anna")
    own = steps(("1m", night.boss.id), ("2m", "anna"), close_after="3m")

    alert = await world.alert("disk full", to=night.ops, policy=own)

    await night.ops.receives("disk full")
    await world.later(minutes=1)
    await night.boss.receives("disk full")
    await world.later(minutes=1)
    await anna.receives("disk full")
    await world.later(minutes=1)
    await alert.becomes("closed")


async def test_all_recipients_of_a_step_are_notified_once_per_chat(another: MakeWorld) -> None:
    world = await another()
    ops, boss = world.group("Ops"), world.group("Boss")
    world.sets(
        recipients={"team": ["anna", boss.id]},
        alerts={"policies": {"all": {"steps": [{"after": "5m", "to": ["team", boss.id, "anna"]}]}}},
    )
    await world.starts()
    anna = await linked(world, "Anna")
    alert = await world.alert("disk full", to=ops, policy="all")
    await ops.receives("disk full")

    await world.later(minutes=5)

    for place in (anna, boss):
        await place.receives("disk full")
        assert (await alert.delivery(place))["recipient"] == "team"
    assert await escalations(alert) == [f"Step 1 of 1, to team, {boss.id}, anna."]


async def test_an_alert_with_another_policy_is_not_delayed(another: MakeWorld) -> None:
    night = Night(world := await another())
    await world.starts()
    anna = await linked(world, "Anna")
    await night.begins()
    usual = await world.alert("fan broken", to=night.ops, escalate_after="5m")
    for text in ("disk full", "fan broken"):
        await night.ops.receives(text)

    await world.later(minutes=5)

    await anna.receives("disk full")
    await world.duty.receives("fan broken")
    assert await escalations(usual) == [f"To {world.duty.id}."]


async def test_the_steps_of_an_alert_for_later_count_from_when_it_is_sent(another: MakeWorld) -> None:
    night = Night(world := await another())
    await world.starts()
    anna = await linked(world, "Anna")
    alert = await world.alert("disk full", to=night.ops, policy="night", send_at="2026-03-02T12:00:00Z")

    await world.later(hours=3)
    await night.ops.receives("disk full")
    await world.later(minutes=4)
    assert len(anna.texts) == 1
    await world.later(minutes=1)
    await anna.receives("disk full")
    await world.later(minutes=15)
    await night.boss.receives("disk full")

    assert len(await escalations(alert)) == 2


async def test_each_occurrence_of_a_repeating_alert_takes_all_steps(another: MakeWorld) -> None:
    night = Night(world := await another())
    await world.starts()
    anna = await linked(world, "Anna")
    body = {"content": "check the tape", "to": [night.ops.id], "policy": "night", "repeat": "every 1h"}
    answer = await world.ask("POST", "/api/ingest", body | {"send_at": "2026-03-02T10:00:00Z"})
    assert answer.status == 202, answer

    await world.later(hours=1)
    for _ in range(2):
        await night.ops.receives("check the tape")
        for minutes, place in ((5, anna), (15, night.boss)):
            await world.later(minutes=minutes)
            await place.receives("check the tape")
        await world.later(minutes=40)

    assert len(night.boss.texts) == 2
