"""Servers under load, each in its own process: the real daemon with a sandbox, and the plain servers."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.lab.lab import add_person
from benchmarks.lab.process import ROOT, Home, new_sandbox, start
from benchmarks.load.caller import Load, Measured
from benchmarks.load.plain_stores import Kind
from notifybot.sandbox import Sandbox, serving

PEOPLE = 1000
READY_WITHIN_S = 60.0
ANSWERS_WITHIN_S = 60.0
FILLED_WITHIN_S = 3600.0
SETTLED_AFTER_S = 2.0
"""Time in which a daemon reaches the sandbox and its jobs run once."""


@dataclass(frozen=True)
class Server:
    """A server that accepts alerts at `socket`."""

    socket: Path
    pid: int

    @contextlib.contextmanager
    def awake(self) -> Iterator[None]:
        """Let the process run inside the block; outside, it is stopped and uses no CPU."""
        os.kill(self.pid, signal.SIGCONT)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGSTOP)


def people(sandbox: Sandbox) -> list[int]:
    """Return the private chats of PEOPLE; every new sandbox has the same ids."""
    return [add_person(sandbox, f"Person {number}").id for number in range(PEOPLE)]


@contextlib.asynccontextmanager
async def notifybot(url: str) -> AsyncIterator[Server]:
    """Run the real daemon with default settings, and a sandbox that receives what Telegram's limits allow. The daemon
    is stopped until `awake`."""
    sandbox = new_sandbox(limits=True)
    people(sandbox)
    channel = sandbox.add_chat("supergroup", "Escalations").id
    with _folder() as folder:
        async with serving(sandbox) as telegram:
            home = Home(folder)
            home.configure(sandbox, telegram, escalation_channel=channel)
            sections = json.loads(home.config.read_text())
            home.config.write_text(json.dumps(sections | {"database": {"url": url}}))
            life = await start(home)
            try:
                if not await life.ready():
                    raise RuntimeError(f"the daemon did not start:\n{home.log_tail()}")
                await asyncio.sleep(SETTLED_AFTER_S)
                os.kill(life.pid, signal.SIGSTOP)
                yield Server(home.socket, life.pid)
            finally:
                life.terminate()
                if not life.is_over:
                    os.kill(life.pid, signal.SIGCONT)
                await life.end()


@contextlib.asynccontextmanager
async def plain(kind: Kind, url: str) -> AsyncIterator[Server]:
    """Run one of the baseline servers, on a prepared database. It is stopped until `awake`."""
    with _folder() as folder:
        path = folder / "s"
        process = await _python("benchmarks.load.plain_server", kind, str(path), url)
        try:
            assert process.stdout is not None
            async with asyncio.timeout(READY_WITHIN_S):
                if not await process.stdout.readline():
                    raise RuntimeError(f"the server {kind} did not start")
            os.kill(process.pid, signal.SIGSTOP)
            yield Server(path, process.pid)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def measured(load: Load) -> Measured:
    """Run the callers of this load in a separate process; return their measurements."""
    within_s = load.warm_up_s + load.seconds + ANSWERS_WITHIN_S
    output = await _output(within_s, "benchmarks.load.caller", json.dumps(asdict(load)))
    return Measured(**json.loads(output))


async def fill(url: str, count: int, chat_ids: Sequence[int]) -> None:
    """Insert `count` waiting alerts into a new database."""
    await _output(FILLED_WITHIN_S, "benchmarks.load.filling", url, str(count), *map(str, chat_ids))


async def _output(within_s: float, module: str, *arguments: str) -> bytes:
    process = await _python(module, *arguments)
    try:
        async with asyncio.timeout(within_s):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise RuntimeError(f"{module} failed; see its output above")
    return output


async def _python(module: str, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """Create a temporary folder with a path short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="nb"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
