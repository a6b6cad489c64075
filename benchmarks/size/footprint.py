"""Memory and startup time of a daemon with a full database, compared to a small one."""

import asyncio
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ClientSession, UnixConnector

from benchmarks.lab.process import ROOT, Home
from benchmarks.size.home import new_home, started, steady, stop

SETTLED_AFTER_S = 12.0
"""Time in which all jobs have started, even if Telegram does not respond."""
LOOKED_AT = ("/health", "/api/messages?limit=500", "/api/messages?status=initiated&limit=500")
IMPORTS = "import notifybot.cli, notifybot.cli.commands.daemon, notifybot.app"


@dataclass(frozen=True)
class Start:
    """Return the seconds for the imports alone, and until the daemon accepts requests with each database."""

    imports: float
    small: float
    full: float


async def starts(folder: Path, small: Path, full: Path, *, rounds: int) -> list[Start]:
    found = []
    for number in range(rounds):
        home_of_small, home_of_full = new_home(folder / f"{number}s", small), new_home(folder / f"{number}f", full)
        found.append(
            Start(await _imported(), await _start_and_stop(home_of_small), await _start_and_stop(home_of_full))
        )
    return found


async def _imported() -> float:
    """Return the seconds that a process takes to import the daemon's modules."""
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", f"{IMPORTS}; print('done', flush=True)", cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    line = await process.stdout.readline()
    seconds = time.perf_counter() - began
    await process.wait()
    if not line:
        raise RuntimeError("the daemon's modules cannot be imported; see the output above")
    return seconds


async def _start_and_stop(home: Home) -> float:
    life, seconds = await started(home)
    await stop(life)
    return seconds


async def memory(folder: Path, database: Path) -> float:
    """Return the megabytes of a daemon after its jobs and an operator's usual requests."""
    home = new_home(folder, database)
    life, _ = await started(home)
    try:
        await steady(life, seconds=SETTLED_AFTER_S)
        await _look(home)
        return (await steady(life, seconds=1)).memory_mb
    finally:
        await stop(life)


async def _look(home: Home) -> None:
    async with ClientSession(connector=UnixConnector(str(home.socket))) as http:
        for path in LOOKED_AT:
            async with http.get(f"http://notifybot{path}") as response:
                response.raise_for_status()
                await response.read()
