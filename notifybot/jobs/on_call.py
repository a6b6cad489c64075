"""Whoever's turn on call begins is told."""

from datetime import datetime
from functools import partial

from notifybot import on_call_turns
from notifybot.jobs.rows import work_off
from notifybot.runtime import Runtime


async def tick(runtime: Runtime, now: datetime) -> int:
    """Tell those whose turn has begun; return how many turns that were."""
    directory = runtime.directory
    if await runtime.database.read(partial(on_call_turns.is_astray, directory=directory, now=now)):
        await runtime.database.write(partial(on_call_turns.arrange, directory=directory, now=now))
    work = partial(on_call_turns.begin_due, directory=directory)
    return await work_off(runtime, "on_call", on_call_turns.DUE, work, now=now)
