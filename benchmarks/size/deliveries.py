"""Many deliveries in a row, without limits: rate, CPU time, and memory growth."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.lab.lab import add_person
from benchmarks.lab.process import Home, new_sandbox
from benchmarks.load.filling import fill
from benchmarks.size.home import Usage, started, stop, usage, use_database
from notifybot.sandbox import Sandbox, serving

PEOPLE = 2000
LOOK_EVERY_S = 0.2
STUCK_AFTER_S = 120.0
MARKS = (0.2, 0.6, 1.0)
"""Shares of the run at which memory is measured; caches fill before the first."""


@dataclass(frozen=True)
class Run:
    """Cost of `count` deliveries: memory in megabytes at each of MARKS, `cpu_ms` per delivery."""

    count: int
    seconds: float
    cpu_ms: float
    memory_mb: tuple[float, ...]


async def deliveries(folder: Path, count: int) -> Run:
    """Let a daemon deliver `count` alerts that wait in its database."""
    sandbox = new_sandbox(limits=False)
    chat_ids = [add_person(sandbox, f"Person {number}").id for number in range(PEOPLE)]
    database = folder / "deliveries.sqlite3"
    await asyncio.to_thread(fill, f"sqlite:///{database}", count, [str(chat_id) for chat_id in chat_ids])
    home = Home(folder)
    async with serving(sandbox) as url:
        home.configure(sandbox, url, escalation_channel=None)
        use_database(home, database)
        life, _ = await started(home)
        try:
            return await _watch(sandbox, life.pid, count)
        finally:
            await stop(life)


async def _watch(sandbox: Sandbox, pid: int, count: int) -> Run:
    """Measure from the first delivery to the last."""
    await _shown(sandbox, 1)
    began, before = time.monotonic(), usage(pid)
    at: list[Usage] = []
    for mark in MARKS:
        await _shown(sandbox, round(mark * count))
        at.append(usage(pid))
    seconds = time.monotonic() - began
    return Run(count, seconds, (at[-1].cpu_s - before.cpu_s) * 1000 / count, tuple(each.memory_mb for each in at))


async def _shown(sandbox: Sandbox, wanted: int) -> None:
    """Wait until `wanted` messages are posted."""
    last, moved_at = -1, time.monotonic()
    while (shown := sum(len(chat.messages) for chat in sandbox.world.chats.values())) < wanted:
        if shown != last:
            last, moved_at = shown, time.monotonic()
        if time.monotonic() - moved_at > STUCK_AFTER_S:
            raise RuntimeError(f"nothing was posted for {STUCK_AFTER_S:g} s, after {shown} messages")
        await asyncio.sleep(LOOK_EVERY_S)
