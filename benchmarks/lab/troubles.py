"""Troubles of a chaos day, each with how it begins and ends, and with what /health should say about it."""

import random
import resource
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from benchmarks.lab.lab import UPLOADS, Lab
from benchmarks.lab.log_pipe import LogPipe
from benchmarks.lab.process import Life
from benchmarks.lab.set_clock import SetClock

FULL_DISK_BYTES = 1024
"""No file of the daemon may grow beyond this: less than a page of its database."""
CLOCK_STEPS_S = (-7200, -600, -90, 90, 600, 7200)


@dataclass
class Scene:
    """What troubles act on. `clock`: the daemons' clock, if a trouble sets it."""

    lab: Lab
    pipe: LogPipe
    rng: random.Random
    life: Life
    clock: SetClock | None = None
    mended: int = 0
    """Times that the daemon did not recover by itself, and was restarted."""

    async def restart(self) -> None:
        await self.lab.stop(self.life)
        self.life = await self.lab.start()

    async def kill(self) -> None:
        await self.lab.kill(self.life)

    async def start(self) -> None:
        self.life = await self.lab.start()


Act = Callable[[Scene], Awaitable[None]]


@dataclass(frozen=True)
class Trouble:
    """`said`: regular expression for /health. While it lasts, posts or accepted messages may be impossible.

    `allows_kill`: the daemon can be killed and started again meanwhile.
    """

    name: str
    begin: Act
    end: Act
    said: str | None
    stops_posts: bool = False
    stops_accepting: bool = False
    allows_kill: bool = False


async def _cut_off(scene: Scene) -> None:
    scene.lab.sandbox.fault("away")


async def _refuse(scene: Scene) -> None:
    scene.lab.sandbox.fault("error", error_code=401, description="Unauthorized")


async def _cut_uploads(scene: Scene) -> None:
    for method in UPLOADS:
        scene.lab.sandbox.fault("cut_before", method=method)


async def _clear(scene: Scene) -> None:
    scene.lab.sandbox.clear_faults()


async def _stop_reading(scene: Scene) -> None:
    scene.pipe.pause()


async def _read_again(scene: Scene) -> None:
    scene.pipe.resume()


async def _unlink_socket(scene: Scene) -> None:
    scene.lab.home.socket.unlink()


async def _expect_socket(scene: Scene) -> None:
    if not scene.lab.home.socket.exists():
        scene.mended += 1
        await scene.restart()


async def _fill_disk(scene: Scene) -> None:
    _limit_files(scene.life.pid, FULL_DISK_BYTES)


async def _free_disk(scene: Scene) -> None:
    _limit_files(scene.life.pid, resource.RLIM_INFINITY)


def _limit_files(pid: int, size: int) -> None:
    """Let writes beyond `size` fail in that process, as on a full disk."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


async def _step_clock(scene: Scene) -> None:
    assert scene.clock is not None
    scene.clock.step(scene.rng.choice(CLOCK_STEPS_S))


async def _set_clock_right(scene: Scene) -> None:
    assert scene.clock is not None
    scene.clock.step(-scene.clock.ahead_s)


async def _kill(scene: Scene) -> None:
    await scene.kill()


async def _start(scene: Scene) -> None:
    await scene.start()


OUTAGE = Trouble("outage", _cut_off, _clear, r'"telegram": "away"', stops_posts=True, allows_kill=True)
REFUSED = Trouble("401", _refuse, _clear, r'"telegram": "refused"', stops_posts=True, allows_kill=True)
CUT_UPLOADS = Trouble("cut uploads", _cut_uploads, _clear, r"(?i)upload", allows_kill=True)
FULL_PIPE = Trouble("full log pipe", _stop_reading, _read_again, r"(?i)nobody has read the log|log lines were dropped")
NO_SOCKET = Trouble("unlinked socket", _unlink_socket, _expect_socket, r"(?i)socket")
FULL_DISK = Trouble(
    "full disk", _fill_disk, _free_disk, r'"database": "failed"', stops_posts=True, stops_accepting=True
)
CLOCK_STEP = Trouble("clock step", _step_clock, _set_clock_right, r"(?i)clock")
KILL = Trouble("kill -9", _kill, _start, None, stops_posts=True, stops_accepting=True)
TROUBLES = (OUTAGE, REFUSED, CUT_UPLOADS, FULL_PIPE, NO_SOCKET, FULL_DISK, CLOCK_STEP, KILL)
