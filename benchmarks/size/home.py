"""A daemon on a database that was made before, and what the system says of its process."""

import asyncio
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.lab.process import Home, Life, new_sandbox, start

NOBODY_LISTENS = "http://127.0.0.1:1"
"""Telegram is away: whatever is called there is refused at once."""
CHANNEL = -1001000000001
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def new_home(folder: Path, database: Path) -> Home:
    """A home whose daemon uses this database and finds Telegram away."""
    folder.mkdir()
    home = Home(folder)
    home.configure(new_sandbox(limits=True), NOBODY_LISTENS, escalation_channel=CHANNEL)
    use_database(home, database)
    return home


def use_database(home: Home, database: Path) -> None:
    sections = json.loads(home.config.read_text())
    home.config.write_text(json.dumps(sections | {"database": {"url": f"sqlite:///{database}"}}))


async def started(home: Home) -> tuple[Life, float]:
    """A daemon that is ready, and how many seconds that took from the start of its process."""
    began = time.perf_counter()
    life = await start(home)
    if not await life.ready():
        raise RuntimeError(f"the daemon did not start:\n{home.log_tail()}")
    return life, time.perf_counter() - began


async def stop(life: Life) -> None:
    life.terminate()
    await life.end()


@dataclass(frozen=True)
class Usage:
    """`memory_mb`: what is its own, in 10^6 bytes, files that are mapped left out; `cpu_s`: user and system."""

    memory_mb: float
    cpu_s: float


def usage(pid: int) -> Usage:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    # The fields after the name, which may hold spaces: utime and stime are the 14th and 15th of all.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return Usage(int(status["RssAnon"].split()[0]) * 1024 / 1e6, (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND)


async def steady(life: Life, *, seconds: float) -> Usage:
    """What the daemon uses once it has run for so long."""
    await asyncio.sleep(seconds)
    return usage(life.pid)
