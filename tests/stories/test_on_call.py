"""On call: messages to a rotation, notices when a shift starts, overrides."""

from datetime import UTC, datetime, timedelta

import pytest

from notifybot.handlers.oncall import NOT_ALLOWED
from tests.stories.clock import BEGINNING
from tests.stories.conftest import MakeWorld
from tests.stories.places import Person
from tests.stories.test_recipients import brought_by, linked
from tests.stories.world import Answer, Json, Sent, World

WEEKLY: Json = {"members": ["alice", "bob"], "start": "2026-03-02"}
"""Alice's shift starts with the story, on a Monday at 09:00 UTC."""


async def team(another: MakeWorld, rotation: Json, **settings: Json | list[str]) -> tuple[World, Person, Person]:
    """Start a world with the rotation `duty` and its members Alice and Bob."""
    world = await another()
    await world.starts()
    alice, bob = await linked(world, "Alice", "alice"), await linked(world, "Bob", "bob")
    world.sets(rotations={"duty": rotation}, **settings)
    await world.restarts()
    return world, alice, bob


async def alerts(world: World, to: list[object], content: str = "disk full") -> Sent:
    answer = await world.ask("POST", "/api/ingest", {"content": content, "to": to})
    assert answer.status == 202, answer
    return Sent(world, answer.body["id"], answer.body)


async def stands_in(world: World, member: str, **fields: object) -> Json:
    answer: Answer = await world.ask("POST", "/api/oncall/duty/overrides", {"member": member, **fields})
    assert answer.status == 200, answer
    return dict(answer.body)


def shift_notices(person: Person) -> list[str]:
    """Return the notices that a person got about their shifts."""
    return [text for text in person.texts if text.startswith("On call: ")]


@pytest.mark.both_databases
async def test_an_alert_goes_to_whoever_is_on_call_when_it_is_sent(another: MakeWorld) -> None:
    world, alice, bob = await team(another, WEEKLY)

    first = await alerts(world, ["duty"], "in the first week")
    await alice.receives("in the first week")
    assert brought_by(await first.now()) == {str(alice.id): "duty"}
    await world.later(days=7)
    await alerts(world, ["duty"], "in the second week")
    await bob.receives("in the second week")
    assert not any("second week" in text for text in alice.texts)


async def test_a_nested_rotation_leads_to_whoever_is_on_call(another: MakeWorld) -> None:
    names = {"backend": ["duty", "carol"], "everything": ["backend"]}
    nights = {"members": ["everything"], "start": "2026-03-02", "hours": [{"start": "18:00", "end": "08:00"}]}
    world = await another(recipients=names, rotations={"duty": WEEKLY, "nights": nights})
    await world.starts()
    people = [await linked(world, name.title(), name) for name in ("alice", "bob", "carol")]

    await world.later(hours=10)
    await alerts(world, ["nights"], "at night")

    for person in (people[0], people[2]):
        await person.receives("at night")
    await world.is_quiet()
    assert not any("at night" in text for text in people[1].texts)


async def test_an_alert_escalates_to_whoever_is_on_call_by_then(another: MakeWorld) -> None:
    policy = {"steps": [{"after": "8d", "to": ["duty"]}], "close_after": "30d"}
    world, alice, bob = await team(another, WEEKLY, alerts={"policies": {"slow": policy}})

    ops = world.group("Ops")
    alert = await world.alert("nobody looks", to=ops, policy="slow")
    await ops.receives("nobody looks")
    await world.later(days=8, seconds=1)

    await bob.receives("nobody looks")
    await alert.becomes("escalated")
    assert not any("nobody looks" in text for text in alice.texts)


async def test_an_alert_with_nobody_on_call_escalates_at_once(another: MakeWorld) -> None:
    world, _, _ = await team(another, {**WEEKLY, "hours": [{"start": "18:00", "end": "08:00"}]})

    alert = await alerts(world, ["duty"])
    await world.ticks("escalation")

    await world.duty.receives("disk full")
    assert alert.accepted["status"] == "failed"
    details = [line["detail"] for line in (await alert.now())["timeline"]]
    assert "Nobody is on call: duty." in details


async def test_an_alert_is_accepted_if_whoever_is_on_call_has_no_chat(another: MakeWorld) -> None:
    world = await another(rotations={"duty": WEEKLY})
    await world.starts()

    alert = await alerts(world, ["duty"])
    await world.ticks("escalation")

    await world.duty.receives("disk full")
    assert "Not notified, as they have no chat with the bot: alice." in [
        line["detail"] for line in (await alert.now())["timeline"]
    ]
    assert any("alice, bob" in warning for warning in (await world.get("/health"))["warnings"])


@pytest.mark.both_databases
async def test_a_new_shift_notifies_once_with_its_end(another: MakeWorld) -> None:
    world, alice, bob = await team(another, {**WEEKLY, "time_zone": "Europe/Berlin"})

    await world.ticks("on_call")
    await alice.receives("You are on call until 2026-03-09 09:00 (Europe/Berlin).")
    await world.later(days=7)
    await bob.receives("You are on call until 2026-03-16 09:00 (Europe/Berlin).")
    for _ in range(3):
        await world.later(minutes=1)

    await world.is_quiet()
    assert (len(shift_notices(alice)), len(shift_notices(bob))) == (1, 1)


@pytest.mark.parametrize(
    ("zone", "handover"),
    [
        ("Europe/Berlin", "2026-03-30T07:00Z"),
        ("Europe/Berlin", "2026-10-26T08:00Z"),
        ("America/New_York", "2026-03-09T13:00Z"),
        ("America/New_York", "2026-11-02T14:00Z"),
        ("Africa/Cairo", "2026-04-27T06:00Z"),
        ("Africa/Cairo", "2026-11-02T07:00Z"),
    ],
)
async def test_a_shift_starts_by_the_wall_clock_after_a_clock_change(
    another: MakeWorld, zone: str, handover: str
) -> None:
    at = datetime.fromisoformat(handover)
    start = (at - timedelta(days=7)).date().isoformat()
    world, alice, bob = await team(another, {**WEEKLY, "start": start, "time_zone": zone})

    world.moves(seconds=(at - world.clock.at).total_seconds() - 1)
    await world.ticks("on_call")
    await alice.receives("You are on call")
    assert shift_notices(bob) == []
    await world.later(seconds=1)

    await bob.receives("You are on call")


async def test_after_downtime_only_whoever_is_on_call_now_is_notified(another: MakeWorld) -> None:
    world, alice, bob = await team(another, {**WEEKLY, "handover": "@daily"})
    await world.ticks("on_call")
    await alice.receives("You are on call")

    await world.stops()
    world.moves(days=5)
    await world.starts()
    await world.ticks("on_call")

    await bob.receives("You are on call")
    await world.restarts()
    await world.ticks("on_call")
    await world.is_quiet()
    assert (len(shift_notices(alice)), len(shift_notices(bob))) == (1, 1)


async def test_a_clock_set_back_over_a_handover_notifies_nobody_again(another: MakeWorld) -> None:
    world, alice, bob = await team(another, WEEKLY)
    await world.ticks("on_call")
    await alice.receives("You are on call")
    await world.later(days=7)
    await bob.receives("You are on call")

    world.clock.at -= timedelta(hours=1)
    await world.ticks("on_call")
    await world.later(minutes=50)
    await world.later(minutes=20)

    await world.is_quiet()
    assert (len(shift_notices(alice)), len(shift_notices(bob))) == (1, 1)


async def test_hours_within_a_shift_notify_nobody(another: MakeWorld) -> None:
    hours = [{"days": ["mon", "tue", "wed", "thu", "fri"], "start": "08:00", "end": "18:00"}]
    world, alice, bob = await team(another, {**WEEKLY, "hours": hours, "otherwise": ["bob"]})

    for _ in range(5):
        await world.later(hours=12)

    await world.is_quiet()
    assert (len(shift_notices(alice)), len(shift_notices(bob))) == (1, 0)


@pytest.mark.both_databases
async def test_an_override_gets_the_alerts_until_its_end_and_both_are_notified(another: MakeWorld) -> None:
    world, alice, bob = await team(another, WEEKLY)
    await world.ticks("on_call")
    await alice.receives("You are on call")

    made = await stands_in(world, "bob", **{"for": "2h"})
    await world.ticks("on_call")
    by = made["created_by"].removeprefix("account:")
    await bob.receives(f"You are on call until 11:00 UTC (override by {by}).")
    await alice.receives(f"bob is on call in your place until 11:00 UTC (override by {by}).")
    await alerts(world, ["duty"], "at noon")
    await bob.receives("at noon")

    await world.later(hours=2)
    await alice.receives("You are on call until 2026-03-09 09:00 UTC.")
    await alerts(world, ["duty"], "after noon")
    await alice.receives("after noon")


async def test_a_cancelled_override_gives_the_shift_back(another: MakeWorld) -> None:
    world, alice, _ = await team(another, WEEKLY)
    await world.ticks("on_call")
    made = await stands_in(world, "bob", until="2026-03-03T09:00:00Z")
    await world.ticks("on_call")
    await alice.receives("in your place until 2026-03-03 09:00 UTC (override by ")

    cancelled = await world.ask("DELETE", f"/api/oncall/overrides/{made['id']}")
    await world.ticks("on_call")

    assert cancelled.body["cancelled_at"] is not None
    await alice.receives("You are on call until 2026-03-09 09:00 UTC.")
    await alerts(world, ["duty"])
    await alice.receives("disk full")
    again = await world.ask("DELETE", f"/api/oncall/overrides/{made['id']}")
    assert (again.status, again.body) == (200, cancelled.body)


async def test_a_future_override_starts_at_its_time(another: MakeWorld) -> None:
    world, alice, bob = await team(another, WEEKLY)
    await stands_in(world, "bob", **{"from": "2026-03-02T12:00:00Z", "for": "1h"})

    for hour, person in (("first", alice), ("second", bob), ("third", alice)):
        await alerts(world, ["duty"], f"the {hour}")
        await person.receives(f"the {hour}")
        await world.later(hours=3 if hour == "first" else 1)


async def test_an_override_survives_a_restart(another: MakeWorld) -> None:
    world, _, bob = await team(another, WEEKLY)
    await stands_in(world, "bob", **{"for": "1d"})
    await world.restarts()

    await alerts(world, ["duty"])
    await bob.receives("disk full")


async def test_a_changed_rotation_in_the_config_notifies_whoever_is_on_call(another: MakeWorld) -> None:
    world, alice, bob = await team(another, WEEKLY)
    await world.ticks("on_call")
    await alice.receives("You are on call")

    world.sets(rotations={"duty": {"members": ["bob", "alice"]}})
    await world.restarts()
    await world.ticks("on_call")

    await bob.receives("You are on call")
    world.sets(rotations=None)
    await world.restarts()
    await world.ticks("on_call")
    assert world.rows("SELECT rotation FROM on_call_turns") == []


def test_the_simulated_clock_starts_on_a_monday_at_nine() -> None:
    assert datetime(2026, 3, 2, 9, tzinfo=UTC) == BEGINNING


TAKE = ["Take over for 1 h", "Take over for 8 h", "Take over until the handover"]


async def test_oncall_shows_who_is_on_call_until_when_and_who_is_next(another: MakeWorld) -> None:
    _, alice, _ = await team(another, {**WEEKLY, "time_zone": "Europe/Berlin"})

    alice.says("/oncall")

    post = await alice.receives("Who is on call: duty")
    assert post.text.splitlines()[2:6] == [
        "alice until Mon 2026-03-09 09:00",
        "then bob until Mon 2026-03-16 09:00",
        "then alice until Mon 2026-03-23 09:00",
        "then bob until Mon 2026-03-30 09:00",
    ]
    assert post.text.endswith("Times are in Europe/Berlin.")
    (code,) = [each for each in post.message.entities if each["type"] == "code"]
    assert post.text[int(str(code["offset"])) :].startswith("/oncall override duty NAME 2h")
    assert post.buttons == TAKE


async def test_unlinked_people_learn_how_to_link_but_not_who_is_on_call(another: MakeWorld) -> None:
    world, *_ = await team(another, WEEKLY)
    eve, zoe, group = world.person("Eve"), await world.subscriber("Zoe"), world.group("Party")
    world.joins(eve, group)
    for person in (eve, zoe):
        for words in ("/oncall", "/oncall override dutty eve 2h", "/oncall cancel duty"):
            person.says(words)
            await person.receives(NOT_ALLOWED)
    eve.says("/oncall", to=group)
    await group.receives(NOT_ALLOWED)
    assert not any("alice" in text for text in (*eve.texts, *zoe.texts, *group.texts))


async def test_chats_and_people_in_the_config_can_see_who_is_on_call(another: MakeWorld) -> None:
    world, *_ = await team(another, WEEKLY)
    eve, zoe, ops = world.person("Eve"), await world.subscriber("Zoe"), world.group("Ops", kind="group")
    world.sets(recipients={"ops": [str(ops.id), str(zoe.id)]})
    await world.restarts()
    world.joins(eve, ops)

    zoe.says("/oncall")
    await zoe.receives("Who is on call: duty")
    eve.says("/oncall", to=ops)
    await ops.receives("Who is on call: duty")
    moved = world.migrates(ops)
    await world.is_quiet()
    eve.says("/oncall", to=moved)
    await moved.receives("Who is on call: duty")


async def test_oncall_without_a_rotation_says_so(world: World) -> None:
    anna = await linked(world, "Anna", "anna")
    anna.says("/oncall")
    await anna.receives("No rotation is configured")


@pytest.mark.both_databases
async def test_an_override_is_added_and_ended_in_telegram(another: MakeWorld) -> None:
    world, alice, bob = await team(another, WEEKLY)
    await world.ticks("on_call")  # else the job may first look when bob is on call already
    bob.says("/oncall")
    post = await bob.receives("Who is on call: duty")

    assert await post.pressed(bob, TAKE[0]) == "bob is on call for duty until Mon 2026-03-02 10:00 (UTC)."
    await post.becomes(
        "bob (override) until Mon 2026-03-02 10:00\nthen alice until", buttons=[*TAKE, "End the override"]
    )
    await world.ticks("on_call")
    await bob.receives("You are on call until 10:00 UTC. ")
    await alice.receives("bob is on call in your place until 10:00 UTC.")
    await alerts(world, ["duty"], "while bob stands in")
    await bob.receives("while bob stands in")

    assert await post.pressed(bob, "End the override") == "alice is on call for duty until Mon 2026-03-09 09:00 (UTC)."
    await post.becomes("alice until Mon 2026-03-09 09:00", buttons=TAKE)
    await alerts(world, ["duty"], "after that")
    await alice.receives("after that")


async def test_taking_over_again_replaces_the_override_and_one_press_ends_all(
    another: MakeWorld,
) -> None:
    world, _, bob = await team(another, {**WEEKLY, "handover": "0 21 * * *"})
    await stands_in(world, "bob", **{"for": "4h"})
    bob.says("/oncall")
    post = await bob.receives("Who is on call: duty")

    assert "until Mon 2026-03-02 21:00" in await post.pressed(bob, TAKE[2])
    assert "until Mon 2026-03-02 17:00" in await post.pressed(bob, TAKE[1])
    assert "until Mon 2026-03-02 13:00" in await post.pressed(bob, TAKE[0])
    assert (await post.pressed(bob, "End the override")).startswith(
        "nobody is on call for duty until Mon 2026-03-02 21:00"
    )
    await post.becomes("nobody until", buttons=TAKE)


async def test_a_shift_is_taken_over_until_the_handover(another: MakeWorld) -> None:
    _, _, bob = await team(another, {**WEEKLY, "handover": "0 21 * * *"})
    bob.says("/oncall")
    post = await bob.receives("Who is on call: duty")

    said = await post.pressed(bob, TAKE[2])

    assert said == "bob is on call for duty until Mon 2026-03-02 21:00 (UTC)."


async def test_in_a_group_only_members_of_the_rotation_take_over(another: MakeWorld) -> None:
    world, alice, bob = await team(another, WEEKLY, admins=["dora"])
    ops = world.group("Ops")
    dora = await linked(world, "Dora", "dora")
    zoe, stranger = await linked(world, "Zoe", "zoe"), world.person("Stranger")
    for person in (alice, bob, dora, zoe, stranger):
        world.joins(person, ops)
    alice.says("/oncall", to=ops)
    post = await ops.receives("Who is on call: duty")

    assert await post.pressed(stranger, TAKE[0]) == NOT_ALLOWED
    assert "Only members of duty and admins" in await post.pressed(zoe, TAKE[0])
    assert (await post.pressed(bob, TAKE[0])).startswith("bob is on call")
    assert (await post.pressed(dora, TAKE[0])).startswith("dora is on call")
    await post.becomes("dora (override)")


async def test_an_override_can_be_typed(another: MakeWorld) -> None:
    world, alice, _ = await team(another, WEEKLY)
    carol = await linked(world, "Carol", "carol")

    alice.says("/oncall override duty carol 2h")
    await alice.receives("carol is on call for duty until Mon 2026-03-02 11:00 (UTC).")
    await alerts(world, ["duty"])
    await carol.receives("disk full")
    alice.says("/oncall cancel duty")
    await alice.receives("alice is on call for duty until Mon 2026-03-09 09:00 (UTC).")


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("override duty carol", "Use /oncall override ROTATION NAME 2h"),
        ("override duty carol soon", "I could not read that: a span is written like"),
        ("override duty carol 0", "An override must end after it starts"),
        ("override duty carol 366d1h", "at most 366 days"),
        ("override dutty carol 2h", "There is no rotation 'dutty'. Did you mean duty?"),
        ("override duty nobody 2h", "There is no recipient 'nobody'."),
        ("override duty duty 2h", "duty cannot be put on call."),
        ("override duty subscribers 2h", "subscribers cannot be put on call."),
        ("cancel duty", "There is no active override."),
        ("cancel", "Use /oncall override ROTATION NAME 2h"),
    ],
)
async def test_an_invalid_override_is_refused_in_one_plain_sentence(
    another: MakeWorld, words: str, answer: str
) -> None:
    _, alice, _ = await team(another, WEEKLY)
    alice.says(f"/oncall {words}")
    await alice.receives(answer)


async def test_each_of_several_rotations_has_its_own_page(another: MakeWorld) -> None:
    hours = [{"start": "18:00", "end": "08:00"}]
    world, alice, _ = await team(another, WEEKLY)
    night = {"members": ["bob"], "start": "2026-03-02", "time_zone": "Europe/Berlin", "hours": hours}
    world.sets(rotations={"night": night})
    await world.restarts()
    alice.says("/oncall")
    post = await alice.receives("Who is on call")
    assert post.text.splitlines()[2:] == [
        "duty: alice until Mon 2026-03-09 09:00 (UTC)",
        "night: nobody until Mon 2026-03-02 18:00 (Europe/Berlin)",
    ]
    assert post.buttons == ["duty", "night"]

    post.press(alice, "night")
    await post.becomes("Who is on call: night", "then bob until Tue 2026-03-03 08:00", buttons=[*TAKE, "All rotations"])
    assert "Only members of night" in await post.pressed(alice, TAKE[0])
    post.press(alice, "All rotations")
    await post.becomes("Who is on call", buttons=["duty", "night"])


async def test_a_button_of_a_removed_rotation_says_so(another: MakeWorld) -> None:
    world, alice, _ = await team(another, WEEKLY)
    alice.says("/oncall")
    post = await alice.receives("Who is on call: duty")
    world.sets(rotations=None)
    await world.restarts()

    assert await post.pressed(alice, TAKE[0]) == "This rotation is no longer in the config."
    await post.becomes("No rotation is configured", buttons=[])


async def test_many_rotations_with_long_names_fit_into_one_message(another: MakeWorld) -> None:
    world, alice, _ = await team(another, WEEKLY)
    member = "m" * 128
    many = {
        f"{number}{'r' * 120}": {"members": [member], "start": "2026-03-02", "otherwise": [member], "time_zone": zone}
        for number in range(30)
        for zone in ("America/Argentina/ComodRivadavia",)
    }
    world.sets(rotations={**many, "duty": {**WEEKLY, "otherwise": [f"{number}{member[3:]}" for number in range(99)]}})
    await world.restarts()

    alice.says("/oncall")

    post = await alice.receives("Who is on call")
    assert len(post.text) < 4096
    assert "and 11 more" in post.text
    assert len(post.buttons) == 20


async def test_a_scheduled_message_goes_to_whoever_is_on_call_by_then(another: MakeWorld) -> None:
    world, alice, bob = await team(another, WEEKLY)
    answer = await world.ask(
        "POST", "/api/ingest", {"content": "next week", "to": ["duty"], "send_at": "2026-03-10T09:00:00Z"}
    )
    assert (answer.status, answer.body["status"]) == (202, "scheduled")

    await world.later(days=8, minutes=1)

    await bob.receives("next week")
    assert not any("next week" in text for text in alice.texts)


async def test_a_repeating_message_goes_to_whoever_is_on_call_each_time(another: MakeWorld) -> None:
    world, alice, bob = await team(another, {**WEEKLY, "handover": "0 9 * * *"})
    fields = {"content": "water the plants", "to": ["duty"], "acknowledge": False, "repeat": "0 12 * * *"}
    assert (await world.ask("POST", "/api/ingest", fields)).status == 202

    await world.later(hours=4)
    await alice.receives("water the plants")
    for person in (bob, alice, bob):
        await world.later(days=1)
        await person.receives("water the plants")


async def test_a_scheduled_alert_with_nobody_on_call_escalates_when_due(another: MakeWorld) -> None:
    world, *_ = await team(another, {**WEEKLY, "hours": [{"start": "08:00", "end": "18:00"}]})
    fields = {"content": "at night", "to": ["duty"], "send_at": "2026-03-02T22:00:00Z"}
    assert (await world.ask("POST", "/api/ingest", fields)).status == 202

    await world.later(hours=13, minutes=1)

    await world.ticks("escalation")
    await world.duty.receives("at night")
