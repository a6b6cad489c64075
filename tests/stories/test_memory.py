"""Peak memory of the daemon, the sandbox and the test together; benchmarks/memory_attacks.py measures it alone."""

from datetime import timedelta
from pathlib import Path

from tests.stories.places import Place
from tests.stories.world import World

MARKUP = "*a* " * 240_000
MAX_BYTES = 80_000_000


def begin_peak() -> int:
    Path("/proc/self/clear_refs").write_text("5")
    return peak()


def peak() -> int:
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in status if line.startswith("VmHWM:"))) * 1024


def files(world: World, place: Place) -> list[bytes]:
    return [world.sandbox.file_bytes(message) for message in world.sandbox.messages(place.id) if message.media]


async def test_long_markup_that_falls_due_at_once_takes_little_memory(world: World, ops: Place) -> None:
    due = (world.clock.now() + timedelta(minutes=1)).isoformat()
    places = [world.group(f"Group {number}") for number in range(2)]
    for place in places:
        await world.notice(MARKUP, to=place, parse_mode="MarkdownV2", send_at=due)
    before = begin_peak()

    world.moves(minutes=2)
    alert = await world.alert("disk full", to=ops)
    await alert.becomes("sent")
    for place in places:
        await world.in_time(lambda: len(files(world, place)) == 1, "the file is sent")  # noqa: B023 - awaited at once

    assert peak() - before < MAX_BYTES
    assert all(files(world, place) == [MARKUP.encode()] for place in places)
