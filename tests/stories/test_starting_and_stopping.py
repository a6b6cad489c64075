"""Starting, stopping, and what a daemon does that may not lead or has no token."""

from tests.stories.conftest import MakeWorld
from tests.stories.world import World


async def test_a_daemon_stops_cleanly_before_telegram_has_answered(another: MakeWorld) -> None:
    world: World = await another()
    world.sandbox.fault("away")
    await world.starts()
    await world.alert("disk full", to=world.duty)

    await world.stops()

    world.sandbox.clear_faults()
    await world.starts()
    await world.duty.receives("disk full")
