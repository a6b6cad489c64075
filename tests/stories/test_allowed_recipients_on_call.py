"""Callers with few allowed recipients: the person on call may be another one by the time of the release."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from notifybot.errors import Forbidden
from notifybot.messages.new_message import Acceptance, NewMessage
from notifybot.recipients.address import recipient_of
from notifybot.recipients.allowed import check_may_notify
from notifybot.recipients.lookup import RecipientQuery
from notifybot.recipients.resolve import check_reachable
from tests.stories.conftest import MakeWorld
from tests.stories.places import Person
from tests.stories.planning import arrives, utc
from tests.stories.test_recipients import linked
from tests.stories.world import World

DAILY = {"members": ["alice", "bob"], "start": "2026-03-02", "handover": "0 0 * * *"}
"""Alice's shift began on the day of the story; Bob's is next."""
NAMES = {"everyone": ["duty", "carol"], "both": ["alice", "bob"]}
TOMORROW = "2026-03-03T09:00"


@pytest.fixture
async def team(another: MakeWorld) -> AsyncIterator[World]:
    world = await another(rotations={"duty": DAILY}, recipients=NAMES)
    await world.starts()
    yield world


async def sends(world: World, to: str, *allowed: str, **other: Any) -> Acceptance:
    """Send a message as a caller that may send to `allowed` only."""
    whom = (recipient_of(to),)
    new = NewMessage("ci", "ci", whom, "the report", None, False, None, None, allowed=frozenset(allowed), **other)
    return await world.runtime.batcher.accept(new)


def told(*people: Person) -> list[bool]:
    return [any("the report" in text for text in person.texts) for person in people]


@pytest.mark.parametrize(
    "later",
    [{"send_at": utc("2026-03-02T10:00")}, {"send_at": utc(TOMORROW)}, {"repeat": "0 9 * * *"}],
    ids=["in an hour", "tomorrow", "every day"],
)
async def test_a_rotation_is_refused_later_if_only_its_members_are_allowed(team: World, later: dict[str, Any]) -> None:
    alice, bob = await linked(team, "Alice", "alice"), await linked(team, "Bob", "bob")

    for to in ("duty", "everyone"):
        with pytest.raises(Forbidden) as refusal:
            await sends(team, to, "alice", "carol", **later)
        assert "must be allowed by name" in str(refusal.value.hint)

    await arrives(team, TOMORROW)
    assert told(alice, bob) == [False, False]


async def test_the_allowed_person_on_call_is_notified_at_once(team: World) -> None:
    alice, bob = await linked(team, "Alice", "alice"), await linked(team, "Bob", "bob")

    await sends(team, "duty", "alice")
    await alice.receives("the report")

    assert told(bob) == [False]


async def test_a_past_time_counts_as_at_once(team: World) -> None:
    alice = await linked(team, "Alice", "alice")

    await sends(team, "duty", "alice", send_at=utc("2026-03-02T08:00"))

    await alice.receives("the report")


@pytest.mark.parametrize("allowed", ["duty", "everyone"])
async def test_an_allowed_rotation_reaches_whoever_is_on_call_by_then(team: World, allowed: str) -> None:
    alice, bob = await linked(team, "Alice", "alice"), await linked(team, "Bob", "bob")

    await sends(team, "duty", allowed, send_at=utc(TOMORROW))
    await arrives(team, TOMORROW)

    await bob.receives("the report")
    assert told(alice) == [False]


async def test_a_group_allowed_member_by_member_can_be_notified_later(team: World) -> None:
    carol = await linked(team, "Carol", "carol")

    await sends(team, "everyone", "duty", "carol", send_at=utc(TOMORROW))
    await arrives(team, TOMORROW)

    await carol.receives("the report")


@pytest.mark.parametrize("to", ["bob", "both"])
async def test_a_rotation_that_is_allowed_allows_later_what_it_allows_now(team: World, to: str) -> None:
    await linked(team, "Alice", "alice")
    await linked(team, "Bob", "bob")

    await sends(team, "alice", "duty", send_at=utc(TOMORROW))
    with pytest.raises(Forbidden):
        await sends(team, to, "duty", send_at=utc(TOMORROW))


@pytest.mark.parametrize("check", [check_reachable, check_may_notify], ids=["a step of a policy", "a change"])
async def test_notifying_at_another_time_needs_the_rotation_itself(team: World, check: object) -> None:
    assert callable(check)
    await linked(team, "Alice", "alice")
    asked = {"now": team.runtime.clock.now(), "directory": team.runtime.directory}

    for allowed, is_refused in ((["alice"], True), (["alice", "bob"], True), (["everyone"], False), (["duty"], False)):
        whom = RecipientQuery("ci", (recipient_of("duty"),), frozenset(allowed))
        checking = team.runtime.database.write(partial(check, whom=whom, **asked))
        if is_refused:
            with pytest.raises(Forbidden):
                await checking
        else:
            await checking


async def test_a_dedup_key_that_outlives_a_shift_needs_the_rotation_itself(team: World) -> None:
    alice = await linked(team, "Alice", "alice")

    with pytest.raises(Forbidden):
        await sends(team, "duty", "alice", dedup_key="disk")
    await sends(team, "duty", "duty", dedup_key="disk")

    await alice.receives("the report")
