"""Servers under load: the real daemon beside a sandbox, and the plain ones, each a process of its own."""

import asyncio
import contextlib
import json
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.lab.lab import add_person
from benchmarks.lab.process import ROOT, Home, new_sandbox, start
from benchmarks.load.caller import Load, Measured
from benchmarks.load.plain_stores import Kind
from notifybot.sandbox import serving

PEOPLE = 1000
READY_WITHIN_S = 60.0
ANSWERS_WITHIN_S = 60.0


@dataclass(frozen=True)
class Server:
    """Something that accepts alerts for `chat_ids` at `socket`."""

    socket: Path
    pid: int
    chat_ids: list[int]


@contextlib.asynccontextmanager
async def notifybot(url: str) -> AsyncIterator[Server]:
    """The real daemon with its default settings, while a sandbox takes what Telegram's limits let through."""
    sandbox = new_sandbox(limits=True)
    chat_ids = [add_person(sandbox, f"Person {number}").id for number in range(PEOPLE)]
    channel = sandbox.add_chat("supergroup", "Escalations").id
    with _folder() as folder:
        async with serving(sandbox) as telegram:
            home = Home(folder)
            home.configure(sandbox, telegram, escalation_channel=channel)
            _use_database(home, url)
            life = await start(home)
            try:
                if not await life.ready():
                    raise RuntimeError(f"the daemon did not start:\n{home.log_tail()}")
                yield Server(home.socket, life.pid, chat_ids)
            finally:
                life.terminate()
                await life.end()


def _use_database(home: Home, url: str) -> None:
    sections = json.loads(home.config.read_text())
    home.config.write_text(json.dumps(sections | {"database": {"url": url}}))


@contextlib.asynccontextmanager
async def plain(kind: Kind, url: str, chat_ids: Sequence[int]) -> AsyncIterator[Server]:
    """One of the servers that notifybot is compared with, on a database that has its tables and the chats."""
    with _folder() as folder:
        path = folder / "s"
        process = await _python("benchmarks.load.plain_server", kind, str(path), url)
        try:
            assert process.stdout is not None
            async with asyncio.timeout(READY_WITHIN_S):
                if not await process.stdout.readline():
                    raise RuntimeError(f"the server {kind} did not start")
            yield Server(path, process.pid, list(chat_ids))
        finally:
            process.kill()
            await process.wait()


async def measured(load: Load) -> Measured:
    """What the callers of this load see; they run in a process of their own."""
    process = await _python("benchmarks.load.caller", json.dumps(asdict(load)))
    try:
        async with asyncio.timeout(load.warm_up_s + load.seconds + ANSWERS_WITHIN_S):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise RuntimeError("the callers gave up; what they said stands above")
    return Measured(**json.loads(output))


async def _python(module: str, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A temporary folder with a short path, because a socket's path must be short."""
    folder = Path(tempfile.mkdtemp(prefix="nb"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
