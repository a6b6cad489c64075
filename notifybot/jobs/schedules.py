"""Messages whose time has come are released."""

from datetime import datetime
from functools import partial

from notifybot import releases, schedules
from notifybot.jobs.rows import A_TRANSACTION, work_off
from notifybot.runtime import Runtime


async def tick(runtime: Runtime, now: datetime) -> int:
    """Release what is due; return how many."""
    release = partial(releases.release_due, directory=runtime.directory)
    released = await work_off(runtime, "schedules", releases.DUE, release, now=now)
    while await runtime.database.read(partial(schedules.any_far_ahead, now=now)):
        await runtime.database.write(partial(schedules.turn_back, now=now, most=A_TRANSACTION))
    return released
