"""The real daemon as a process: start, kill by pid, stop, and keep its log."""

import asyncio
import json
import os
import secrets
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from benchmarks.lab import launcher
from benchmarks.lab.forks import Forked, fork
from benchmarks.lab.steps import CRASH_AT, Kill
from notifybot.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
READY_WITHIN_S = 60.0
ENDS_WITHIN_S = 60.0
LOG_TAIL_LINES = 40
# Variables that would point the child to a real bot, or to our own systemd unit.
NOT_INHERITED = ("TELEGRAM_BOT_TOKEN", "NOTIFYBOT_CONFIG", "LISTEN_FDS", "LISTEN_PID", "WATCHDOG_USEC", CRASH_AT)
UNLIMITED = {"overall_per_second": 1000, "chat_per_second": 1000, "group_per_minute": 60000}
_numbers = count()


@dataclass(frozen=True)
class Home:
    """Folder of one daemon; its path must be short enough for a socket."""

    folder: Path
    database_url: str | None = None
    """Path of its database, if outside the folder."""
    program: str = "notifybot"
    """Module to run."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Additional environment variables."""

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def socket(self) -> Path:
        return self.folder / "s"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def database(self) -> Path:
        return self.folder / "data" / "notifybot.sqlite3"

    def configure(self, sandbox: Sandbox, url: str, *, escalation_channel: int | None) -> None:
        """Write the config as JSON, which is also YAML. Without limits in the sandbox, the daemon has none either."""
        telegram: dict[str, object] = {"token": sandbox.token, "base_url": url}
        if not sandbox.world.limits.enabled:
            telegram["limits"] = UNLIMITED
        sections = {
            "telegram": telegram,
            "data_dir": str(self.folder / "data"),
            "socket": {"path": str(self.socket)},
            "alerts": {"escalation_channel": escalation_channel},
            "log": {"format": "json"},
            "database": {"url": self.database_url},
        }
        self.config.write_text(json.dumps(sections, indent=2))

    def log_tail(self) -> str:
        """Return the last log lines of the daemons."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-LOG_TAIL_LINES:])


def new_sandbox(*, limits: bool) -> Sandbox:
    """Return a sandbox whose bot has a unique token, since a machine runs one daemon per bot."""
    return Sandbox(token=f"600000001:{secrets.token_hex(20)}", limits=limits)


class Life:
    """One daemon process, from start to end."""

    def __init__(self, process: asyncio.subprocess.Process | Forked, notices: socket.socket) -> None:
        self._process = process
        self._notices = notices

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_over(self) -> bool:
        return self._process.returncode is not None

    def go(self) -> None:
        """Let a prepared daemon start."""
        assert isinstance(self._process, Forked)
        self._process.go()

    async def ready(self) -> bool:
        """Wait until it accepts requests; return False if it exits first."""
        loop = asyncio.get_running_loop()
        told = asyncio.create_task(loop.sock_recv(self._notices, 1024))
        ended = asyncio.create_task(self._process.wait())
        async with asyncio.timeout(READY_WITHIN_S):
            await asyncio.wait({told, ended}, return_when=asyncio.FIRST_COMPLETED)
        is_ready = told.done()
        for task in (told, ended):
            task.cancel()
        await asyncio.gather(told, ended, return_exceptions=True)
        return is_ready

    def kill(self) -> None:
        """Send SIGKILL."""
        if not self.is_over:
            self._process.kill()

    def terminate(self) -> None:
        """Send SIGTERM."""
        if not self.is_over:
            self._process.terminate()

    async def end(self) -> int:
        """Wait for the exit; return the exit code, or minus the signal number."""
        async with asyncio.timeout(ENDS_WITHIN_S):
            code = await self._process.wait()
        self._notices.close()
        return code


async def start(home: Home, output: int | None = None) -> Life:
    """Start the daemon like an operator. `output`: file descriptor for what it prints, in place of its log file."""
    notices, environ = _surroundings(home)
    command = [sys.executable, "-m", home.program, "run", "--config", str(home.config)]
    with home.log.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=ROOT,
            env=environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output or log,
            stderr=output or log,
        )
    return Life(process, notices)


async def prepare(home: Home, kill: Kill) -> Life:
    """Start a daemon that waits for `go`, and kills itself at the step of `kill`, if there is one."""
    notices, environ = _surroundings(home)
    if kill.ends_itself:
        environ[CRASH_AT] = f"{kill.step}:{kill.nth}"
    argv = ["run", "--config", str(home.config)]
    return Life(await fork(launcher.run, argv, environ, home.log), notices)


def _surroundings(home: Home) -> tuple[socket.socket, dict[str, str]]:
    """Return the socket for the daemon's ready notification, and its environment."""
    notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    address = home.folder / f"n{next(_numbers)}"
    notices.bind(str(address))
    kept = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    return notices, {**kept, **home.environment, "NOTIFY_SOCKET": str(address)}
