"""Notify people when their shift starts."""

from datetime import datetime
from functools import partial

from notifybot.jobs.batches import process_due
from notifybot.oncall import notify
from notifybot.runtime import Runtime


async def run(runtime: Runtime, now: datetime) -> int:
    """Notify people whose shift has started; return the number of shifts."""
    directory = runtime.directory
    if await runtime.database.read(partial(notify.is_outdated, directory=directory, now=now)):
        await runtime.database.write(partial(notify.sync_rotations, directory=directory, now=now))
    work = partial(notify.notify_due, directory=directory)
    return await process_due(runtime, "on_call", notify.SHIFT_CHANGES, work)
