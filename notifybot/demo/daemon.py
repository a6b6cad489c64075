"""The demo's daemon: a child process with its own temporary folder, which can be killed and restarted."""

import asyncio
import os
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from notifybot.errors import Conflict
from notifybot.times.clock import Clock

STOP_TIMEOUT_S = 15.0
LOG_TAIL_LINES = 20
RESTART_DELAY_S = 2.0
"""Pause before a restart when someone kills the daemon from a shell, as systemd has."""
# The child must not see a real bot's token or systemd's socket.
NOT_INHERITED = (
    *("TELEGRAM_BOT_TOKEN", "TELEGRAM_WEBHOOK_SECRET", "DATABASE_URL", "BASE_URL"),
    *("NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID"),
)


@dataclass(frozen=True)
class Folder:
    """The folder of one demo; its path must be short enough for a socket."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def socket(self) -> Path:
        return self.path / "notifybot.sock"

    @property
    def picture(self) -> Path:
        return self.path / "db-1.png"

    @property
    def log(self) -> Path:
        return self.path / "daemon.log"

    def log_tail(self) -> list[str]:
        """Return the last lines of the daemon's log."""
        if not self.log.exists():
            return []
        return self.log.read_text("utf-8", "replace").splitlines()[-LOG_TAIL_LINES:]


class DaemonProcess:
    """The daemon as a child process in its own session, so that Ctrl-C reaches only the demo.

    `kills` counts how often it was killed, by us or by someone else; either way it is restarted.
    """

    def __init__(self, folder: Folder, clock: Clock) -> None:
        self.kills = 0
        self.started_at: datetime | None = None
        self._folder = folder
        self._clock = clock
        self._process: asyncio.subprocess.Process | None = None
        self._changing = asyncio.Lock()
        self._restarting: asyncio.Task[None] | None = None
        self._watcher: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start the daemon, without waiting for it to respond. Does nothing while it runs."""
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
            self._watcher = asyncio.create_task(self._watch(self._process))

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Restart the daemon after someone else's signal. If it exits by itself, it stays down; its log says why."""
        if await process.wait() < 0:
            self.kills += 1
            self._restarting = asyncio.create_task(self._start_after(RESTART_DELAY_S))

    async def pull_the_plug(self, *, down_for_s: float) -> None:
        """Kill the daemon with SIGKILL, and restart it later. Raises Conflict if it is not running."""
        await self._kill()
        self._restarting = asyncio.create_task(self._start_after(down_for_s))

    async def restart(self) -> None:
        """Restart the daemon as an operator would."""
        await self.stop()
        await self.start()

    async def stop(self) -> None:
        """Stop the daemon gracefully, within STOP_TIMEOUT_S, and cancel any pending restart."""
        for task in (self._watcher, self._restarting):
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
                raise Conflict("The daemon is already down.", hint="Wait until it is back.")
            if self._watcher is not None:
                self._watcher.cancel()
            self._process.kill()
            await self._process.wait()
            self.kills += 1


async def _end(process: asyncio.subprocess.Process) -> None:
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
    except TimeoutError:
        process.kill()
        await process.wait()


def _command(folder: Folder) -> list[str]:
    return [sys.executable, "-m", "notifybot", "run", "--config", str(folder.config)]


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    return kept | {"PYTHONUNBUFFERED": "1"}
