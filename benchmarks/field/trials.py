"""Run a benchmark's trials by name, and print their figures."""

import argparse
import asyncio
import gc
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence

from benchmarks.field.figures import Figure

Trial = Callable[[], Awaitable[list[Figure]]]


def run_trials(trials: Mapping[str, Trial], *, about: str | None, seed: int, brief: Sequence[str]) -> int:
    """Run the trials named on the command line, or all, or with --quick the `brief` ones; return 1 on a miss."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"trial to run: {', '.join(trials)}; default all")
    parser.add_argument("--quick", action="store_true", help=f"only {', '.join(brief)}")
    options = parser.parse_args()
    if unknown := set(options.names) - trials.keys():
        parser.error(f"unknown trial: {', '.join(sorted(unknown))}")
    print(f"seed {seed}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}\n")
    gc.freeze()
    gc.disable()  # a full collection stalls the sandbox for 50 ms, so that calls seem to arrive at once
    chosen = options.names or (brief if options.quick else trials)
    missed = sum(_run(name, trials[name]) for name in chosen)
    return 1 if missed else 0


def _run(name: str, trial: Trial) -> int:
    """Run one trial and print its figures; return the number of missed targets."""

    async def run() -> list[Figure]:
        return await trial()

    figures = asyncio.run(run())
    print(name, *(f"  {figure.line()}" for figure in figures), sep="\n", flush=True)
    return sum(figure.has_met is False for figure in figures)
