"""A chaos day: troubles in random order under load, and what became of every message."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.lab.counts import Counts, count, total
from benchmarks.lab.lab import Lab, laboratory
from benchmarks.lab.log_pipe import LogPipe
from benchmarks.lab.set_clock import SetClock
from benchmarks.lab.tables import table
from benchmarks.lab.troubles import CLOCK_STEP, Scene, Trouble
from benchmarks.lab.verdict import Finding
from benchmarks.lab.watch import HealthWatch, ProgressWatch, StandStill

KILLED_TOO = 0.3
"""Share of the troubles that allow it in which the daemon is killed as well."""
REST = 0.4
"""Pause after a trouble, as a share of it."""


@dataclass(frozen=True)
class Episode:
    """One trouble that was. `said_s`: after how many seconds /health named it, None if it did not."""

    trouble: Trouble
    was_killed: bool
    said_s: float | None


@dataclass
class Day:
    """Figures of a day."""

    seed: int
    episodes: list[Episode] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    no_post: StandStill = field(default_factory=StandStill)
    no_accept: StandStill = field(default_factory=StandStill)
    mended: int = 0
    took_s: float = 0.0

    @property
    def counts(self) -> Counts:
        return total(list(count(self.findings, ()).values()))

    def said(self, trouble: Trouble) -> list[float | None]:
        return [each.said_s for each in self.episodes if each.trouble is trouble]


def plan(troubles: Sequence[Trouble], number: int, rng: random.Random) -> list[Trouble]:
    """Return each trouble about equally often, in random order."""
    planned = [troubles[index % len(troubles)] for index in range(number)]
    rng.shuffle(planned)
    return planned


async def live_through_day(folder: Path, troubles: Sequence[Trouble], *, number: int, each_s: float, seed: int) -> Day:
    """Run `number` troubles of about `each_s` under load, then let everything finish, and judge it."""
    day, rng, started = Day(seed), random.Random(seed), time.monotonic()
    clock = SetClock(folder) if CLOCK_STEP in troubles else None
    environment = {} if clock is None else clock.environment()
    async with laboratory(folder, seed, environment=environment) as lab, _piped(lab) as pipe:
        scene = Scene(lab, pipe, rng, await lab.start(), clock)
        health, progress = HealthWatch(lab.home.socket), ProgressWatch(lab.ledger)
        watching = [asyncio.create_task(each.run()) for each in (health, progress)]
        lab.callers.start()
        try:
            for trouble in plan(troubles, number, rng):
                day.episodes.append(await _live_through(trouble, scene, health, progress, each_s=each_s))
                await asyncio.sleep(REST * each_s)
            progress.has_callers = False
            await lab.callers.stop()
            day.findings = await lab.settle()
        finally:
            for task in watching:
                task.cancel()
        day.no_post, day.no_accept = progress.posts, progress.accepts
        day.mended, day.took_s = scene.mended, time.monotonic() - started
        await lab.stop(scene.life)
    return day


@contextlib.asynccontextmanager
async def _piped(lab: Lab) -> AsyncIterator[LogPipe]:
    pipe = LogPipe(lab.home.log)
    lab.output = pipe.write_end
    try:
        yield pipe
    finally:
        await lab.close()
        pipe.close()


async def _live_through(
    trouble: Trouble, scene: Scene, health: HealthWatch, progress: ProgressWatch, *, each_s: float
) -> Episode:
    """Let the trouble begin, last and end. It lasts longer if /health has not named it yet."""
    progress.where = trouble.name
    lasts_until = time.monotonic() + scene.rng.uniform(0.7, 1.3) * each_s
    is_killed = trouble.allows_kill and scene.rng.random() < KILLED_TOO
    progress.excuses_posts, progress.excuses_accepts = trouble.stops_posts, trouble.stops_accepting
    await trouble.begin(scene)
    said_s = None if trouble.said is None else await health.says(trouble.said)
    if is_killed:
        progress.excuses_posts = progress.excuses_accepts = True
        await scene.kill()
        await scene.start()
        progress.excuses_posts, progress.excuses_accepts = trouble.stops_posts, trouble.stops_accepting
    await asyncio.sleep(max(0.0, lasts_until - time.monotonic()))
    await trouble.end(scene)
    progress.where = f"after {trouble.name}"
    progress.excuses_posts = progress.excuses_accepts = False
    return Episode(trouble, is_killed, said_s)


HEADINGS = ("times", "killed too", "said in 5 s", "slowest")
FIGURES = ("accepted", "shown", "lost", "presses", "presses_lost", "escalated", "doubles", "uncertain", "wrong")


def report(day: Day) -> str:
    """Format the troubles and the figures of a day."""
    troubles = list(dict.fromkeys(each.trouble for each in day.episodes))
    rows = [(each.name, _row(day, each)) for each in sorted(troubles, key=lambda each: each.name)]
    title = f"Chaos day: {len(day.episodes)} troubles, seed {day.seed}, {day.took_s:.0f} s"
    counts = day.counts
    lines = [f"  {name.replace('_', ' '):<14}{getattr(counts, name):>6}" for name in FIGURES]
    return "\n".join(
        [
            table(title, list(HEADINGS), rows),
            "",
            *lines,
            "",
            "  longest stand-still, although something was due and possible:",
            f"    no post for {day.no_post}",
            f"    no accepted message for {day.no_accept}",
            f"  restarted by hand, because the daemon did not recover by itself: {day.mended} times",
        ]
    )


def _row(day: Day, trouble: Trouble) -> list[str]:
    said = day.said(trouble)
    heard = [each for each in said if each is not None]
    kills = sum(each.was_killed for each in day.episodes if each.trouble is trouble)
    if trouble.said is None:
        return [str(len(said)), "-", "-", "-"]
    return [str(len(said)), str(kills), f"{len(heard)} of {len(said)}", f"{max(heard):.1f} s" if heard else "-"]


def without_clock(troubles: Sequence[Trouble]) -> list[Trouble]:
    """Leave out clock steps, which need Debian's libfaketime."""
    return [each for each in troubles if each is not CLOCK_STEP]
