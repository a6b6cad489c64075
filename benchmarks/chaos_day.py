"""One hour of troubles, compressed: nothing is lost, nothing stands still, and /health names each trouble.

    python -m benchmarks.chaos_day [--minutes 6] [--seed N] [--only NAME …] [--folder DIR] [--quick]

The real daemon runs in its own process, against the sandbox and under the load of the crash lab: outages, 401s, cut
uploads, a full log pipe, an unlinked socket, a full disk and SIGKILL, in random order, some of them at once. Where
Debian's libfaketime is installed, the clock is set, too.
"""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.lab.counts import failures
from benchmarks.lab.day import REST, live_through_day, report, without_clock
from benchmarks.lab.set_clock import libfaketime
from benchmarks.lab.troubles import TROUBLES

EACH_S = 6.0
QUICK_MINUTES = 1.0


def main() -> int:
    options = _parser().parse_args()
    seed = options.seed
    print(f"seed {seed}", file=sys.stderr, flush=True)
    folder = Path(tempfile.mkdtemp(prefix="nb")) if options.folder is None else options.folder
    folder.mkdir(parents=True, exist_ok=True)
    possible = TROUBLES if libfaketime() else without_clock(TROUBLES)
    chosen = [each for each in TROUBLES if each.name in options.only] or possible
    minutes = QUICK_MINUTES if options.quick else options.minutes
    number = max(1, round(minutes * 60 / (EACH_S * (1 + REST))))
    day = asyncio.run(live_through_day(folder, chosen, number=number, each_s=EACH_S, seed=seed))
    print(report(day))
    if wrong := failures(day.findings):
        print(f"\n{wrong}\n\nThe database and the log are in {folder}.")
        return 1
    if options.folder is None:
        shutil.rmtree(folder)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.chaos_day", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="chooses the order and the load")
    parser.add_argument("--only", nargs="+", choices=[each.name for each in TROUBLES], default=[], help="these alone")
    parser.add_argument("--folder", type=Path, help="folder for the database and the log; default a temporary one")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_MINUTES:g} minute only")
    return parser


if __name__ == "__main__":
    sys.exit(main())
