"""A daemon on a prepared database, and the memory and CPU time of its process."""

import asyncio
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.lab.process import Home, Life, new_sandbox, start

NOBODY_LISTENS = "http://127.0.0.1:1"
"""Address that refuses connections at once, as if Telegram were down."""
CHANNEL = -1001000000001
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def new_home(folder: Path, database: Path) -> Home:
    """Return the home of a daemon with this database and without Telegram."""
    folder.mkdir()
    home = Home(folder)
    home.configure(new_sandbox(limits=True), NOBODY_LISTENS, escalation_channel=CHANNEL)
    use_database(home, database)
    return home


def use_database(home: Home, database: Path) -> None:
    sections = json.loads(home.config.read_text())
    home.config.write_text(json.dumps(sections | {"database": {"url": f"sqlite:///{database}"}}))


async def started(home: Home) -> tuple[Life, float]:
    """Start a daemon; return it and the seconds until it was ready."""
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
    """`memory_mb`: private memory in 10^6 bytes, without mapped files; `cpu_s`: user and system time."""

    memory_mb: float
    cpu_s: float


def usage(pid: int) -> Usage:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    # Split after the name, which may contain spaces: utime and stime are fields 14 and 15 of the whole.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return Usage(int(status["RssAnon"].split()[0]) * 1024 / 1e6, (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND)


async def steady(life: Life, *, seconds: float) -> Usage:
    """Return the daemon's usage after it has run for `seconds`."""
    await asyncio.sleep(seconds)
    return usage(life.pid)
