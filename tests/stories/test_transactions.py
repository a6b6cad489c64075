"""Claims in the transaction that makes a post due: one alert takes two transactions."""

import pytest

from tests.stories.places import Place
from tests.stories.world import World


@pytest.fixture
async def ops(world: World) -> Place:
    """Return a chat that took a message before."""
    place = world.group("Ops")
    await world.notice("first", to=place)
    await place.receives("first")
    await world.passes(minutes=10)  # the jobs have had their first run
    return place


async def test_an_alert_by_itself_takes_two_transactions(world: World, ops: Place) -> None:
    before = world.runtime.database.commits

    await world.alert("disk full", to=ops)
    await ops.receives("disk full")
    await world.is_quiet()

    assert world.runtime.database.commits - before == 2  # accepted and claimed, shown


async def test_a_text_in_parts_takes_a_transaction_for_each_part(world: World, ops: Place) -> None:
    before = world.runtime.database.commits

    await world.notice("long " * 1500, to=ops)
    await world.is_quiet()

    assert len(ops.texts) == 3
    assert world.runtime.database.commits - before == 3  # accepted; the first shown, and the second claimed; shown
