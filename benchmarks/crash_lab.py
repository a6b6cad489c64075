"""Kill the daemon at every step of a message's life, under load, and check that nothing is lost.

    python -m benchmarks.crash_lab [--kills 1000] [--seed N] [--folder DIR] [--postgresql] [--quick]

Callers keep sending alerts and notices, and repeat requests without a response; people press Acknowledge, the
sandbox is Telegram, alerts escalate and close after seconds. All daemons use the same database.
After every ROUND kills, the daemon runs on until everything is finished, and every message is judged.
"""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.lab.counts import ByStep, add, count, failures, report, total
from benchmarks.lab.lab import Lab, laboratory
from benchmarks.lab.steps import Kill, plan
from benchmarks.lab.verdict import Finding
from benchmarks.load.databases import databases

ROUND = 48
QUICK_KILLS = 24


def main() -> int:
    options = _parser().parse_args()
    kills = QUICK_KILLS if options.quick else options.kills
    folder = Path(tempfile.mkdtemp(prefix="nb")) if options.folder is None else options.folder
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with databases(folder) as found:
        kind = found[-1] if options.postgresql else found[0]
        if options.postgresql and kind.name != "PostgreSQL":
            print("No PostgreSQL server can be started here: its programs are missing.", file=sys.stderr)
            return 2
        counts, wrong = asyncio.run(_run(folder, kind.new(), kills, options.seed))
    print(report(counts, f"{kills} kills on {kind.name}, seed {options.seed}, {time.monotonic() - started:.0f} s"))
    if wrong or total(list(counts.values())).missed:
        print(f"\n{wrong}\n\nThe database and the log are in {folder}.")
        return 1
    if options.folder is None:
        shutil.rmtree(folder)
    return 0


async def _run(folder: Path, database_url: str, kills: int, seed: int) -> tuple[ByStep, str]:
    """Run rounds until all kills are done or one finds a problem; return the counts and the problem."""
    counts: ByStep = {}
    wrong = ""
    planned = plan(kills, random.Random(seed))
    async with laboratory(folder, seed, database_url=database_url) as lab:
        lab.callers.start()
        for begin in range(0, kills, ROUND):
            findings = await _round(lab, planned[begin : begin + ROUND])
            counts = add(counts, count(findings, lab.deaths[begin:]))
            _show_progress(counts, kills)
            if wrong := failures(findings):
                break
    return counts, wrong


async def _round(lab: Lab, kills: Sequence[Kill]) -> list[Finding]:
    await lab.live_through(kills)
    life = await lab.start()
    await lab.callers.stop()
    findings = await lab.settle()
    lab.ledger.forget([finding.entry for finding in findings])
    lab.callers.start()
    await lab.stop(life)
    return findings


def _show_progress(counts: ByStep, kills: int) -> None:
    done = total(list(counts.values()))
    line = f"{done.kills} of {kills} kills: {done.accepted} accepted, {done.lost} lost, {done.doubles} doubles"
    print(line, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.crash_lab", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="chooses the steps and the load")
    parser.add_argument("--folder", type=Path, help="folder for the database and the log; default a temporary one")
    parser.add_argument("--postgresql", action="store_true", help="on a PostgreSQL server of its own, not on SQLite")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_KILLS} kills only")
    return parser


if __name__ == "__main__":
    sys.exit(main())
