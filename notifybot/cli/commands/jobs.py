"""`notifybot jobs …`: the daemon's timed jobs."""

import argparse
from collections.abc import Iterable, Iterator
from datetime import datetime

from notifybot.cli.connection import connect
from notifybot.cli.output import (
    exact_time,
    full_time,
    now,
    one_line,
    print_json,
    print_line,
    short_time,
    terminal,
    unknown_name,
)
from notifybot.cli.parser import Commands, Parser, add_json
from notifybot.cli.tables import table
from notifybot.client import ClientError
from notifybot.client.jobs import JobInfo, JobRunInfo, Jobs

LABEL_WIDTH = 14
RUNS_SHOWN = 20


def run(arguments: argparse.Namespace) -> int:
    jobs = connect(arguments).jobs()
    match arguments.command:
        case "jobs list":
            _list(jobs, arguments)
        case "jobs show":
            _show(jobs, arguments)
        case "jobs trigger":
            _trigger(jobs, arguments)
    return 0


def _list(jobs: Jobs, arguments: argparse.Namespace) -> None:
    found = jobs.everything()
    if arguments.json:
        print_json({"jobs": [job.document for job in found]})
        return
    at = now()
    rows = [
        (
            job.name,
            _status(job),
            _when(job.last_run, at),
            _when(job.next_run, at),
            "-" if job.last_run is None else _duration(job.last_duration_s),
            "-" if job.last_run is None else _duration(job.average_s),
            _success_rate(job),
            job.last_error or "" if job.is_failing else "",
        )
        for job in found
    ]
    for line in table(("JOB", "STATUS", "LAST", "NEXT", "TOOK", "AVERAGE", "SUCCESS", "ERROR"), rows, terminal()):
        print_line(line)


def _status(job: JobInfo) -> str:
    if job.is_failing:
        return "failing"
    return "ok" if job.running_since is None else "running"


def _when(at: datetime | None, seen_at: datetime) -> str:
    return "-" if at is None else short_time(at, seen_at)


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _success_rate(job: JobInfo) -> str:
    """Rounded down, so that one failure in a thousand shows."""
    return "-" if job.success_rate is None else f"{int(job.success_rate * 1000) / 10:g} %"


def _show(jobs: Jobs, arguments: argparse.Namespace) -> None:
    job = _find(jobs.everything(runs=RUNS_SHOWN), arguments.name)
    if arguments.json:
        print_json(job.document)
        return
    print_line(f"{one_line(job.name)}  {terminal().paint(_status(job))}")
    for name, value in _facts(job, now()):
        if value:
            print_line(f"  {name:<{LABEL_WIDTH}}{one_line(value)}")
    for lines in (_put_off(job), _history(job.latest)):
        for line in lines:
            print_line(line)


def _find(jobs: Iterable[JobInfo], name: str) -> JobInfo:
    found = {job.name: job for job in jobs}
    if name not in found:
        raise unknown_name("job", name, found)
    return found[name]


def _facts(job: JobInfo, at: datetime) -> Iterator[tuple[str, str | None]]:
    yield "next run", None if job.next_run is None else full_time(job.next_run, at)
    yield "running", None if job.running_since is None else f"since {full_time(job.running_since, at)}"
    if job.last_run is not None:
        yield "last run", f"{full_time(job.last_run, at)}, {_duration(job.last_duration_s)}"
        yield "average", f"{_duration(job.average_s)} in {'one run' if job.runs == 1 else f'{job.runs} runs'}"
    yield "success rate", None if job.success_rate is None else _success_rate(job)
    if job.last_error is not None and job.last_error_at is not None:
        yield "last error", f"{full_time(job.last_error_at, at)}: {job.last_error}"


def _put_off(job: JobInfo) -> Iterator[str]:
    """Show the rows that the job cannot process."""
    if not job.put_off:
        return
    rows = [
        (each.row, exact_time(each.since), str(each.times), _when(each.tried_again_at, now()), each.error)
        for each in job.put_off
    ]
    yield ""
    yield from table(("PUT OFF", "SINCE", "TIMES", "RETRY", "ERROR"), rows, terminal())


def _history(runs: Iterable[JobRunInfo]) -> Iterator[str]:
    rows = [
        (exact_time(each.started_at), _duration(each.duration_s), str(each.done), _trigger_of(each), each.error or "")
        for each in runs
    ]
    if rows:
        yield ""
        yield from table(("RUN", "TOOK", "DONE", "BY", "ERROR"), rows, terminal())


def _trigger_of(run: JobRunInfo) -> str:
    return "manual" if run.is_manual else "scheduled"


def _trigger(jobs: Jobs, arguments: argparse.Namespace) -> None:
    """Run a job once; a failed run is an error."""
    done = jobs.trigger(arguments.name)
    if arguments.json:
        print_json(done.document)
    elif done.error is None:
        print_line(f"done: {one_line(done.job)} ({_duration(done.duration_s)}, {done.done} processed)")
    if done.error is not None:
        raise ClientError(f"{done.job} failed: {done.error}", hint="The daemon's log has the details.")


def add(commands: Commands) -> None:
    jobs = commands.group("jobs")
    add_json(jobs.add("list", "list all jobs: when each runs, how long it takes, how often it succeeds"))
    add_json(_add_name(jobs.add("show", "show one job with its latest runs, and the rows it has put off")))
    add_json(_add_name(jobs.add("trigger", "run a job once, now")))


def _add_name(command: Parser) -> Parser:
    command.add_argument("name", metavar="NAME", help="the job, as listed by `notifybot jobs`")
    return command
