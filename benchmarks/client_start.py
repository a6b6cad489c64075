"""Time that a script waits for `notifybot send`, compared to a Python that does nothing, and to curl.

    python -m benchmarks.client_start [--rounds 60] [--before CHECKOUT] [--quick]

Each round runs every command once, one after the other, against one daemon that answers; the first rounds do not count.
The script is the one that pip writes, and bytecode is cached, as after an installation. CPU is the command's own, as
the kernel counts it; other work disturbs it less than the time that passes. `--before`: the `send` of another checkout,
in the same rounds.
"""

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from benchmarks.lab.process import ROOT, Home, new_sandbox, start
from benchmarks.lab.tables import table
from notifybot.sandbox import serving

QUICK_ROUNDS = 15
WARM_UP = 3
TARGET = 3.0
BASELINE = "python3 -c pass"
SEND = "notifybot send"
SCRIPT = """
import sys
from notifybot.__main__ import main
if __name__ == '__main__':
    sys.exit(main())
"""
"""The console script, as pip writes it."""


@dataclass(frozen=True)
class Command:
    words: Sequence[str]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Run:
    took_s: float
    cpu_s: float


def main() -> None:
    options = _parser().parse_args()
    rounds = QUICK_ROUNDS if options.quick else options.rounds
    with tempfile.TemporaryDirectory(prefix="nb") as folder:
        runs = asyncio.run(_measure(Home(Path(folder)), options.before, rounds))
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    print(_report(runs, f"{rounds} rounds, Python {sys.version.split()[0]}, {load}"))


async def _measure(home: Home, before: Path | None, rounds: int) -> dict[str, list[Run]]:
    sandbox = new_sandbox(limits=False)
    channel = sandbox.add_chat("channel", "Alerts")
    async with serving(sandbox) as url:
        home.configure(sandbox, url, escalation_channel=None)
        life = await start(home)
        try:
            assert await life.ready(), home.log_tail()
            # In a thread: the sandbox runs in this loop.
            return await asyncio.to_thread(_in_turns, _commands(home, channel.id, before), rounds)
        finally:
            life.terminate()
            await life.end()


def _commands(home: Home, chat: int, before: Path | None) -> dict[str, Command]:
    script = home.folder / "notifybot"
    script.write_text(SCRIPT)
    python = (sys.executable, str(script))
    environment = _environment(home, ROOT)
    send = (*python, "send", "--to", str(chat), "backup done")
    commands = {
        BASELINE: Command((sys.executable, "-c", "pass"), environment),
        SEND: Command(send, environment),
        "notifybot messages": Command((*python, "messages"), environment),
    }
    if before is not None:
        commands[f"{SEND}, before"] = Command(send, _environment(home, before))
    if curl := shutil.which("curl"):
        body = f'{{"content": "backup done", "channel_id": {chat}}}'
        words = (curl, "-sf", "--unix-socket", str(home.socket), "--json", body, "http://notifybot/api/ingest")
        commands["curl"] = Command(words, environment)
    return commands


def _environment(home: Home, checkout: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "NOTIFYBOT"))}
    return {
        **kept,
        "NOTIFYBOT_SOCKET": str(home.socket),
        "PYTHONPATH": str(checkout),
        "PYTHONPYCACHEPREFIX": str(home.folder / "bytecode"),
    }


def _in_turns(commands: Mapping[str, Command], rounds: int) -> dict[str, list[Run]]:
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for _ in range(WARM_UP + rounds):
        for name, command in commands.items():
            runs[name].append(_run(command))
    return {name: found[WARM_UP:] for name, found in runs.items()}


def _run(command: Command) -> Run:
    began = time.perf_counter()
    process = subprocess.Popen(command.words, env=command.environment, cwd="/", stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    took_s = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{command.words} failed"
    return Run(took_s, used.ru_utime + used.ru_stime)


def _report(runs: Mapping[str, Sequence[Run]], about: str) -> str:
    rows = [(name, _cells(found, runs[BASELINE])) for name, found in runs.items()]
    columns = ["CPU, ms", "of the baseline's", "took, p50, ms", "p10 to p90", "of the baseline's"]
    cpu = _ratio([run.cpu_s for run in runs[SEND]], [run.cpu_s for run in runs[BASELINE]])
    took = _ratio([run.took_s for run in runs[SEND]], [run.took_s for run in runs[BASELINE]])
    verdict = f"`{SEND}` uses {cpu:.2f} times the CPU of `{BASELINE}`, and takes {took:.2f} times as long, with the"
    verdict += f" daemon's commit; target: at most {TARGET:g}"
    return f"{table(f'A command of the client: {about}', columns, rows)}\n\n  {verdict}"


def _cells(found: Sequence[Run], baseline: Sequence[Run]) -> list[str]:
    cpu, took = [run.cpu_s for run in found], [run.took_s for run in found]
    tenths = quantiles(took, n=10)
    return [
        f"{1000 * median(cpu):.1f}",
        f"{_ratio(cpu, [run.cpu_s for run in baseline]):.2f}",
        f"{1000 * median(took):.1f}",
        f"{1000 * tenths[0]:.0f} to {1000 * tenths[-1]:.0f}",
        f"{_ratio(took, [run.took_s for run in baseline]):.2f}",
    ]


def _ratio(values: Sequence[float], baseline: Sequence[float]) -> float:
    """Median of the ratios within each round: both ran at nearly the same load."""
    return median(one / other for one, other in zip(values, baseline, strict=True))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.client_start", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--before", type=Path, metavar="CHECKOUT", help="also run `notifybot send` of this checkout")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROUNDS} rounds only")
    return parser


if __name__ == "__main__":
    main()
