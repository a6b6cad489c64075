"""Messages whose time has come are released."""

from datetime import datetime
from functools import partial

from notifybot import releases
from notifybot.jobs.rows import work_off
from notifybot.runtime import Runtime


async def tick(runtime: Runtime, now: datetime) -> int:
    """Release what is due; return how many."""
    release = partial(releases.release_due, directory=runtime.directory)
    return await work_off(runtime, "schedules", releases.DUE, release, now=now)
