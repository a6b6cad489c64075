"""Release scheduled messages."""

from datetime import datetime
from functools import partial

from notifybot.jobs.batches import BATCH_ROWS, process_due
from notifybot.runtime import Runtime
from notifybot.schedules import changes, release


async def run(runtime: Runtime, now: datetime) -> int:
    """Release due messages; return the number released."""
    work = partial(release.release_due, directory=runtime.directory)
    released = await process_due(runtime, "schedules", release.RELEASES, work)
    while await runtime.database.read(partial(changes.any_far_ahead, now=now)):
        await runtime.database.write(partial(changes.undo_clock_jump, now=now, limit=BATCH_ROWS))
    return released
