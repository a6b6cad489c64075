"""Messages whose time has come are released."""

from datetime import datetime
from functools import partial

from notifybot.jobs.batches import BATCH_ROWS, process_due
from notifybot.runtime import Runtime
from notifybot.schedules import changes
from notifybot.schedules import release as schedules_release


async def run(runtime: Runtime, now: datetime) -> int:
    """Release what is due; return how many."""
    release = partial(schedules_release.release_due, directory=runtime.directory)
    released = await process_due(runtime, "schedules", schedules_release.RELEASES, release, now=now)
    while await runtime.database.read(partial(changes.any_far_ahead, now=now)):
        await runtime.database.write(partial(changes.undo_clock_jump, now=now, most=BATCH_ROWS))
    return released
