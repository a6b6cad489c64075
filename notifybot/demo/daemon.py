"""The demo's daemon: a child process with a temporary folder of its own, which can be killed and started again."""

import asyncio
import os
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from notifybot.errors import Conflict
from notifybot.times.clock import Clock

STOP_WITHIN_S = 15.0
LOG_TAIL_LINES = 20
BACK_AFTER_S = 2.0
"""As systemd would, where somebody else killed it: a demo is there to be killed from a shell, too."""
# What the demo's own surroundings would tell the child: a real bot's token, systemd's socket.
NOT_INHERITED = ("TELEGRAM_BOT_TOKEN", "TELEGRAM_WEBHOOK_SECRET", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID")


@dataclass(frozen=True)
class Folder:
    """Where one demo keeps everything; its path is short, because a socket's path must be."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def socket(self) -> Path:
        return self.path / "notifybot.sock"

    @property
    def log(self) -> Path:
        return self.path / "daemon.log"

    def log_tail(self) -> list[str]:
        """The last lines that the daemon wrote."""
        if not self.log.exists():
            return []
        return self.log.read_text("utf-8", "replace").splitlines()[-LOG_TAIL_LINES:]


class DaemonProcess:
    """The daemon as a child in a session of its own, so that Ctrl-C in the terminal reaches only the demo.

    `kills` counts the times that it was killed, whoever did it: after a signal of somebody else it is started again.
    """

    def __init__(self, folder: Folder, clock: Clock) -> None:
        self.kills = 0
        self.started_at: datetime | None = None
        self._folder = folder
        self._clock = clock
        self._process: asyncio.subprocess.Process | None = None
        self._changing = asyncio.Lock()
        self._coming_back: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it, without waiting until it answers. Does nothing while it runs."""
        async with self._changing:
            if self.is_alive:
                return
            with self._folder.log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *_command(self._folder),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=_environment(),
                    start_new_session=True,
                )
            self.started_at = self._clock.now()
            self._watching = asyncio.create_task(self._watch(self._process))

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Bring it back after a signal that we did not send. What ends by itself says why in its log and stays down."""
        if await process.wait() < 0:
            self.kills += 1
            self._coming_back = asyncio.create_task(self._start_after(BACK_AFTER_S))

    async def pull_the_plug(self, *, down_for_s: float) -> None:
        """End it with SIGKILL, and start it again later in the background. Raises Conflict if it does not run."""
        await self._kill()
        self._coming_back = asyncio.create_task(self._start_after(down_for_s))

    async def restart(self) -> None:
        """Stop it as an operator would, and start it again."""
        await self.stop()
        await self.start()

    async def stop(self) -> None:
        """Let it finish what it does, at most STOP_WITHIN_S, and forget a start that is still ahead."""
        for task in (self._watching, self._coming_back):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        async with self._changing:
            if self._process is not None and self.is_alive:
                await _end(self._process)

    async def _start_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.start()

    async def _kill(self) -> None:
        async with self._changing:
            if self._process is None or not self.is_alive:
                raise Conflict("The daemon is down already.", hint="Wait until it is back.")
            if self._watching is not None:
                self._watching.cancel()
            self._process.kill()
            await self._process.wait()
            self.kills += 1


async def _end(process: asyncio.subprocess.Process) -> None:
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_WITHIN_S)
    except TimeoutError:
        process.kill()
        await process.wait()


def _command(folder: Folder) -> list[str]:
    return [sys.executable, "-m", "notifybot", "run", "--config", str(folder.config)]


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    return kept | {"PYTHONUNBUFFERED": "1"}
