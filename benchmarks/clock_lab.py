"""Set the daemon's clock at random moments, and check that no alert stands still, fires early or is lost.

    python -m benchmarks.clock_lab [--steps 200] [--alerts 2000] [--seed N] [--folder DIR] [--quick]

The real daemon runs under Debian's libfaketime. Steps of 1 s to 9 days, forward and back, come under load, during
bans, back-offs and outages, over kill -9, and while the daemon starts. Each alert has spans of seconds.
"""

import argparse
import asyncio
import math
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.field.figures import latencies
from benchmarks.lab.alerts import Crowd, Excuses, Verdict, judge
from benchmarks.lab.process import Home, Life, new_sandbox, start
from benchmarks.lab.set_clock import PACKAGE, SetClock, libfaketime
from benchmarks.lab.tables import table
from notifybot.sandbox import Sandbox, serving

LARGEST_S = 9 * 86400
MOMENTS = ("under load", "ban", "back-off", "outage", "kill -9", "start")
RECOVERY_S = 1.0
"""Excused after each trouble: a probe, a back-off, and the calls that have piled up."""
BAN_S = 2
STUCK_S = 3.0
"""Later than this counts as standing still, without the time in which the daemon was down or Telegram refused calls.
The daemon looks at its clock every second."""
SETTLED_WITHIN_S = 60.0
QUICK = (20, 200)
MOST_SHOWN = 10


@dataclass
class Counts:
    """What the lab did; `early_calls` went into a ban."""

    moments: Counter[str] = field(default_factory=Counter)
    early_calls: int = 0


class ClockLab:
    """One daemon after the other, whose clock is set."""

    def __init__(self, home: Home, sandbox: Sandbox, crowd: Crowd, clock: SetClock, rng: random.Random) -> None:
        self.crowd = crowd
        self.counts = Counts()
        self.excuses = Excuses()
        self._home = replace(home, environment=clock.environment())
        self._sandbox = sandbox
        self._clock = clock
        self._rng = rng
        self._life: Life | None = None

    async def run(self, steps: int, alerts: int) -> list[Verdict]:
        """Set the clock so often while alerts come in; return a verdict on each alert."""
        self._life = await self._start()
        sending, watching = asyncio.create_task(self.crowd.send(alerts)), asyncio.create_task(self.crowd.watch())
        try:
            for number in range(steps):
                self.crowd.allowed = math.ceil(alerts * (number + 1) / steps)
                await self._step(MOMENTS[number % len(MOMENTS)])
                await asyncio.sleep(self._rng.uniform(0.4, 1.6))
                _show_progress(number + 1, steps, len(self.crowd.alerts))
            await sending
            return await self._settle()
        finally:
            sending.cancel()
            watching.cancel()
            self._life.kill()
            await self._life.end()

    async def _start(self) -> Life:
        life = await start(self._home)
        assert await life.ready(), self._home.log_tail()
        return life

    async def _step(self, moment: str) -> None:
        begin = time.time()
        self.counts.moments[moment] += 1
        match moment:
            case "ban":
                await self._banned()
            case "back-off":
                await self._in_trouble("error", "sendMessage")
            case "outage":
                await self._in_trouble("away", None)
            case "kill -9" | "start":
                await self._killed(at_start=moment == "start")
            case _:
                self._set_clock()
                return
        self.excuses.spans.append((begin, time.time() + RECOVERY_S))

    def _set_clock(self) -> None:
        """Set it by 1 s to 9 days, in either direction; each order of magnitude is as likely."""
        self._clock.step(self._rng.choice((-1, 1)) * round(LARGEST_S ** self._rng.random()))

    async def _in_trouble(self, kind: str, method: str | None) -> None:
        fault = self._sandbox.fault(kind, method=method)
        await asyncio.sleep(self._rng.uniform(0.2, 1.5))
        self._set_clock()
        await asyncio.sleep(self._rng.uniform(0.2, 1.5))
        self._sandbox.remove_fault(fault.id)

    async def _banned(self) -> None:
        """Ban the bot from a chat that gets one of the next alerts; count the calls that come before the ban ends."""
        chat, before = self.crowd.next_chat(), self._sandbox.calls.last
        fault = self._sandbox.fault("flood", chat=chat, times=1, retry_after=BAN_S)
        await self._sandbox.wait_for(lambda: fault.hits, timeout=SETTLED_WITHIN_S)
        self._set_clock()
        await asyncio.sleep(BAN_S)
        refused = [call for call in self._sandbox.calls.since(before) if call.chat_id == chat and call.status == 429]
        self.counts.early_calls += len(refused) - 1

    async def _killed(self, *, at_start: bool) -> None:
        assert self._life is not None
        self._life.kill()
        await self._life.end()
        if not at_start:
            self._set_clock()
        starting = asyncio.create_task(self._start())
        if at_start:
            await asyncio.sleep(self._rng.uniform(0, 1.5))
            self._set_clock()
        self._life = await starting

    async def _settle(self) -> list[Verdict]:
        deadline = time.monotonic() + SETTLED_WITHIN_S
        while True:
            verdicts = [judge(seen, self.excuses) for seen in self.crowd.seen()]
            if time.monotonic() > deadline or not any(verdict.missing for verdict in verdicts):
                return verdicts
            await asyncio.sleep(0.5)


async def experiment(folder: Path, *, steps: int, alerts: int, seed: int) -> tuple[ClockLab, list[Verdict]]:
    """Run a lab in this folder; return it with a verdict on each alert."""
    rng = random.Random(seed)
    sandbox = new_sandbox(limits=True)
    async with serving(sandbox) as url:
        home = Home(folder)
        lab = ClockLab(home, sandbox, Crowd(home, sandbox, url, rng), SetClock(folder), rng)
        return lab, await lab.run(steps, alerts)


def wrong(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Return the verdicts on alerts that were lost, early or stuck."""
    return [each for each in verdicts if each.early or each.missing or max(each.unexcused_s.values()) > STUCK_S]


def report(lab: ClockLab, verdicts: Sequence[Verdict], subtitle: str) -> str:
    """Format the counts and the lateness. Columns in capitals must be 0."""
    rows = []
    for what in ("shown", "escalated", "closed"):
        late = [verdict.late_s[what] for verdict in verdicts if what in verdict.late_s]
        stuck = sum(verdict.unexcused_s.get(what, 0.0) > STUCK_S for verdict in verdicts)
        early = sum(what in verdict.early for verdict in verdicts)
        never = sum(what in verdict.missing for verdict in verdicts)
        rows.append((what, [len(late), never, early, stuck, latencies(late)]))
    moments = ", ".join(f"{count} {moment}" for moment, count in lab.counts.moments.items())
    title = f"Clock lab: {subtitle}\nSteps: {moments}. Calls into a ban: {lab.counts.early_calls}"
    return table(title, ["alerts", "NEVER", "EARLY", "STUCK", "late"], rows)


def main() -> int:
    options = _parser().parse_args()
    if libfaketime() is None:
        print(f"Skipped: libfaketime is not installed. Run: apt-get install {PACKAGE}")
        return 0
    steps, alerts = QUICK if options.quick else (options.steps, options.alerts)
    folder = Path(tempfile.mkdtemp(prefix="nb")) if options.folder is None else options.folder
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    lab, verdicts = asyncio.run(experiment(folder, steps=steps, alerts=alerts, seed=options.seed))
    subtitle = f"{steps} steps, {len(verdicts)} alerts, seed {options.seed}, {time.monotonic() - started:.0f} s"
    print(report(lab, verdicts, subtitle))
    if bad := wrong(verdicts):
        print("", *bad[:MOST_SHOWN], f"The database and the log are in {folder}.", sep="\n")
    if bad or lab.counts.early_calls:
        return 1
    if options.folder is None:
        shutil.rmtree(folder)
    return 0


def _show_progress(done: int, steps: int, alerts: int) -> None:
    if done % 10 == 0:
        print(f"{done} of {steps} steps, {alerts} alerts", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.clock_lab", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--alerts", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="chooses the steps and their moments")
    parser.add_argument("--folder", type=Path, help="folder for the database and the log; default a temporary one")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK[0]} steps and {QUICK[1]} alerts only")
    return parser


if __name__ == "__main__":
    sys.exit(main())
