"""Scheduling of jobs, in real time: the JobQueue can do other work between firing a job and running it."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from apscheduler.events import EVENT_JOB_EXECUTED, EVENT_JOB_SUBMITTED  # type: ignore[import-untyped]
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from notifybot.app import Daemon, daemon
from notifybot.config import load
from notifybot.errors import NotifybotError
from notifybot.health import job_history
from notifybot.health.job_failures import QUIET_PERIOD
from notifybot.jobs import JOBS, Job
from notifybot.jobs.scheduler import FIRST_RETRY_AFTER, QUIET_MARGIN, retry_delay, run_job
from notifybot.model.enums import Deadline
from notifybot.runtime import Runtime
from notifybot.storage.statements import affected
from notifybot.storage.writer import Changes
from notifybot.times.clock import Clock

WITHIN_S = 20.0


class Runs:
    """Counts the runs of all jobs together."""

    def __init__(self) -> None:
        self.seen = 0
        self._one_more = asyncio.Event()

    def note(self, _: object) -> None:
        self.seen += 1
        self._one_more.set()

    async def come_to(self, wanted: int) -> None:
        async with asyncio.timeout(WITHIN_S):
            while self.seen < wanted:
                await self._one_more.wait()
                self._one_more.clear()


class SetClock(Clock):
    """A real clock that can be set."""

    def __init__(self) -> None:
        self.by = timedelta()

    def now(self) -> datetime:
        return super().now() + self.by


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest_asyncio.fixture
async def running(tmp_path: Path, clock: SetClock) -> AsyncIterator[Daemon]:
    """Run a daemon without a token: its jobs run, and nothing else happens."""
    config = tmp_path / "config.yaml"
    config.write_text(f"data_dir: {tmp_path}\nsocket: {{path: {tmp_path}/s}}\n")
    async with daemon(load(config, {}), clock, []) as started:
        yield started


def new_deadlines(moment: datetime) -> Changes:
    """Return changes with one new deadline of each kind."""
    return Changes(deadlines=dict.fromkeys(Deadline, moment))


async def test_a_deadline_may_come_up_between_firing_and_the_run(running: Daemon) -> None:
    assert running.application.job_queue is not None
    scheduler, runs = running.application.job_queue.scheduler, Runs()
    scheduler.add_listener(runs.note, EVENT_JOB_EXECUTED)
    await runs.come_to(len(JOBS))
    refused: list[Exception] = []

    def commit_an_earlier_deadline(_: object) -> None:
        scheduler.remove_listener(commit_an_earlier_deadline)
        try:
            running.scheduler.on_commit(new_deadlines(Clock().now() - timedelta(minutes=1)))
        except Exception as error:  # noqa: BLE001 - a scheduler swallows what its listeners raise
            refused.append(error)

    scheduler.add_listener(commit_an_earlier_deadline, EVENT_JOB_SUBMITTED)
    running.scheduler.on_commit(new_deadlines(Clock().now()))
    await runs.come_to(2 * len(JOBS))
    assert refused == []


async def test_a_deadline_reschedules_its_own_job_only(running: Daemon) -> None:
    assert running.application.job_queue is not None
    scheduler, runs = running.application.job_queue.scheduler, Runs()
    scheduler.add_listener(runs.note, EVENT_JOB_EXECUTED)
    await runs.come_to(len(JOBS))
    before, soon = dict(running.runtime.job_status.next_runs), Clock().now() + timedelta(seconds=1)

    running.scheduler.on_commit(Changes(deadlines={Deadline.CLOSE: soon}))

    assert running.runtime.job_status.next_runs == {**before, "close": soon}


async def test_idle_runs_leave_little_history(running: Daemon) -> None:
    async def find_nothing(runtime: Runtime, now: datetime) -> int:
        return 0

    job = replace(Workshop().job, run=find_nothing)
    done = [await run_job(running.runtime, job) for _ in range(20)]

    kept = await running.runtime.database.read(partial(job_history.latest_runs, job=job.name, limit=20))
    assert [run.started_at for run in kept] == [done[0].started_at]
    assert running.runtime.job_status.last_runs[job.name] == done[-1]


class Workshop:
    """A job that runs until `finish` is set, and counts its runs."""

    def __init__(self) -> None:
        self.begun = 0
        self.at_once = 0
        self.most_at_once = 0
        self.came = asyncio.Event()
        self.finish = asyncio.Event()

    async def run(self, runtime: Runtime, now: datetime) -> int:
        self.begun += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.came.set()
        await self.finish.wait()
        self.at_once -= 1
        return self.begun

    @property
    def job(self) -> Job:
        return Job("workshop", self.run, lambda _: None)


async def test_a_manual_run_waits_for_the_current_run(running: Daemon) -> None:
    workshop = Workshop()
    regular = asyncio.create_task(run_job(running.runtime, workshop.job))
    await workshop.came.wait()
    manual = asyncio.create_task(run_job(running.runtime, workshop.job, is_manual=True))
    assert "workshop" in running.runtime.job_status.running
    workshop.finish.set()
    first, second = await regular, await manual
    assert [(run.is_manual, run.done) for run in (first, second)] == [(False, 1), (True, 2)]
    assert workshop.most_at_once == 1
    assert "workshop" not in running.runtime.job_status.running


async def test_a_job_waits_for_the_current_run_of_an_earlier_job(running: Daemon) -> None:
    (close,) = [job for job in JOBS if job.name == "close"]
    workshop = Workshop()
    first = asyncio.create_task(run_job(running.runtime, replace(workshop.job, name="escalation")))
    await workshop.came.wait()

    second = asyncio.create_task(run_job(running.runtime, close))
    await asyncio.wait([second], timeout=0.1)

    assert not second.done()
    workshop.finish.set()
    await asyncio.gather(first, second)


async def test_a_job_does_nothing_while_an_earlier_job_fails(running: Daemon) -> None:
    async def fail(runtime: Runtime, now: datetime) -> int:
        raise ValueError("no such step")

    workshop = Workshop()
    first = Job("first", fail, lambda _: running.runtime.job_status.started_at)
    run = await run_job(running.runtime, replace(workshop.job, after=(first,)))

    assert run.error == "The job first, which runs before this one, is failing: ValueError: no such step"
    assert workshop.begun == 0
    assert running.runtime.job_status.job_errors["first"] == "ValueError: no such step"


def test_a_job_runs_only_after_jobs_that_are_listed_before_it() -> None:
    for place, job in enumerate(JOBS):
        assert set(job.after) <= set(JOBS[:place])


async def test_a_manual_run_may_do_something_else(running: Daemon) -> None:
    async def now_and_for_all(runtime: Runtime, now: datetime) -> int:
        return 77

    run = await run_job(running.runtime, replace(Workshop().job, run_now=now_and_for_all), is_manual=True)
    assert (run.done, run.is_manual) == (77, True)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("no such step\nand more"), "ValueError: no such step"),
        (KeyError("to"), "KeyError: 'to'"),
        (RuntimeError(), "RuntimeError"),
        (NotifybotError("Nobody is known."), "Nobody is known."),
        (OperationalError("SELECT secret", {}, Exception("disk full")), "OperationalError: disk full"),
        (ValueError("6000000001:" + "x" * 35), "ValueError: <redacted>"),
        (ValueError("x" * 1000), "ValueError: " + "x" * 288),
    ],
)
async def test_a_failed_run_is_kept_with_its_reason_in_one_line(running: Daemon, error: Exception, reason: str) -> None:
    async def fail(runtime: Runtime, now: datetime) -> int:
        raise error

    run = await run_job(running.runtime, replace(Workshop().job, run=fail))
    assert run.error == reason
    assert running.runtime.job_status.job_errors["workshop"] == reason


async def test_every_job_has_a_next_run_once_the_jobs_have_started(running: Daemon) -> None:
    assert running.application.job_queue is not None
    scheduler, runs = running.application.job_queue.scheduler, Runs()
    scheduler.add_listener(runs.note, EVENT_JOB_EXECUTED)
    await runs.come_to(len(JOBS))
    next_runs = running.runtime.job_status.next_runs
    assert list(next_runs) == [job.name for job in JOBS]
    assert all(at is not None and at > running.runtime.job_status.started_at for at in next_runs.values())


@pytest.mark.parametrize("by", [timedelta(hours=-2), timedelta(hours=2)])
async def test_jobs_keep_running_after_the_clock_was_set(running: Daemon, clock: SetClock, by: timedelta) -> None:
    """The clock moves by two hours, and retention runs hourly."""
    runs = Runs()
    assert running.application.job_queue is not None
    running.application.job_queue.scheduler.add_listener(runs.note, EVENT_JOB_EXECUTED)
    await runs.come_to(len(JOBS))
    running.scheduler.recover_lost_runs()
    clock.by = by
    running.scheduler.recover_lost_runs()
    await runs.come_to(2 * len(JOBS))


async def test_a_job_that_failed_in_a_manual_run_runs_again_soon_and_after_the_quiet_period(
    running: Daemon, clock: SetClock
) -> None:
    """Retention runs hourly otherwise: admins do not wait that long to learn that it has recovered."""
    assert running.application.job_queue is not None
    scheduler, runs = running.application.job_queue.scheduler, Runs()
    scheduler.add_listener(runs.note, EVENT_JOB_EXECUTED)
    await runs.come_to(len(JOBS))
    database, run_now = running.runtime.database, running.scheduler.run_now

    async def rename(table: str, to: str) -> None:
        change: Any = text(f"ALTER TABLE {table} RENAME TO {to}")
        await database.write(lambda session: affected(session, change))

    def waits() -> timedelta:
        at = running.runtime.job_status.next_runs["retention"]
        assert at is not None
        return at - running.runtime.clock.now()

    assert waits() > timedelta(minutes=59)
    await rename("link_secrets", "elsewhere")
    assert (await run_now("retention")).error
    assert timedelta() < waits() <= FIRST_RETRY_AFTER
    await rename("elsewhere", "link_secrets")
    clock.by = timedelta(minutes=2)
    running.scheduler.recover_lost_runs()
    status = running.runtime.job_status
    while "retention" in status.job_errors or status.next_runs["retention"] is None:
        await runs.come_to(runs.seen + 1)
    assert timedelta(minutes=7) < waits() <= QUIET_PERIOD + QUIET_MARGIN


def test_a_job_that_keeps_failing_backs_off() -> None:
    """The backoff ends at its regular interval."""
    half_a_minute, hour = timedelta(seconds=30), timedelta(hours=1)
    waits = [retry_delay(failures, half_a_minute).total_seconds() for failures in range(1, 6)]
    assert waits == [5, 10, 20, 30, 30]
    assert retry_delay(1_000_000, hour) == hour


def test_the_docs_describe_every_job() -> None:
    page = Path(__file__).parents[2] / "docs" / "jobs.md"
    named = re.findall(r"(?m)^\| `([a-z_]+)` \|", page.read_text(encoding="utf-8").partition("\n## ")[0])
    assert named == [job.name for job in JOBS]
