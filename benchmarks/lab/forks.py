"""Daemons forked from a process with all imports done: the imports cost as much as the rest of a run."""

import asyncio
import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["benchmarks.lab.launcher", "notifybot.app"])


class Forked:
    """A process that waits for `go`; otherwise like asyncio's `Process`."""

    def __init__(self, process: multiprocessing.process.BaseProcess, go: Connection) -> None:
        self._process = process
        self._go = go
        self._loop = asyncio.get_running_loop()
        self._over = self._loop.create_future()
        self._loop.add_reader(process.sentinel, self._note_end)

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def go(self) -> None:
        self._go.send(True)

    def kill(self) -> None:
        self._process.kill()

    def terminate(self) -> None:
        self._process.terminate()

    async def wait(self) -> int:
        code: int = await asyncio.shield(self._over)
        return code

    def _note_end(self) -> None:
        self._loop.remove_reader(self._process.sentinel)
        self._process.join()
        self._go.close()
        self._over.set_result(self._process.exitcode)


async def fork(run: Callable[[list[str]], int], argv: list[str], environ: Mapping[str, str], log: Path) -> Forked:
    """Fork a process that calls `run` with `argv` after `go`, and appends its output to `log`."""
    waits, go = _context.Pipe(duplex=False)
    process = _context.Process(target=_begin, args=(run, argv, dict(environ), log, waits))
    await asyncio.to_thread(process.start)  # the first one waits for the imports
    waits.close()
    return Forked(process, go)


def _begin(
    run: Callable[[list[str]], int], argv: list[str], environ: Mapping[str, str], log: Path, waits: Connection
) -> None:
    with log.open("ab") as written:
        for stream in (1, 2):
            os.dup2(written.fileno(), stream)
    os.environ.clear()
    os.environ.update(environ)
    try:
        waits.recv()
    except EOFError:
        return  # the parent is gone
    sys.exit(run(argv))
