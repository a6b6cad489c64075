"""Run the jobs: one JobQueue entry per job, rescheduled to its earliest deadline."""

import asyncio
import logging
import time
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from apscheduler.jobstores.base import JobLookupError  # type: ignore[import-untyped]
from telegram.ext import Job as QueueEntry
from telegram.ext import JobQueue

from notifybot.errors import NotifybotError
from notifybot.health.job_failures import QUIET_PERIOD
from notifybot.jobs import JOBS, Job
from notifybot.jobs.failures import record_run
from notifybot.model.schedules import JobRun
from notifybot.runtime import Runtime
from notifybot.storage.under_way import MAX_DEATHS, Work, WorkKind
from notifybot.storage.writer import Changes
from notifybot.system.logs import reason_of

FIRST_RETRY_AFTER = timedelta(seconds=5)
"""Doubles with each additional failure in a row."""
MAX_DOUBLINGS = 10
FIRST_REST, LONGEST_REST = timedelta(seconds=1), timedelta(seconds=30)
"""Of a job during which the process died MAX_DEATHS times, from the start on; doubles with each further death."""
CHECK_EVERY_S = 15.0
LOST_AFTER = timedelta(minutes=1)
"""A run that is this late never comes: the JobQueue starts one within milliseconds."""
QUIET_MARGIN = timedelta(seconds=1)
"""A failure is recorded shortly after the run has ended."""
log = logging.getLogger(__name__)


class PatientJobQueue(JobQueue[Any]):
    """A JobQueue that runs a late job after all. The default drops one that the event loop delayed by 1 s."""

    @property
    def scheduler_configuration(self) -> dict[str, object]:
        patience = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        return {**super().scheduler_configuration, "job_defaults": patience}


@dataclass
class _ScheduledJob:
    """One job's place in the JobQueue. `sooner`: a deadline that came up during the run."""

    job: Job
    entry: QueueEntry[Any] | None = None
    run_at: datetime | None = None
    sooner: datetime | None = None
    failures: int = 0
    """In a row."""


class Scheduler:
    """The next run of each job."""

    def __init__(self, queue: JobQueue[Any], runtime: Runtime) -> None:
        self._queue = queue
        self._runtime = runtime
        self._jobs = {job.name: _ScheduledJob(job) for job in JOBS}
        self._has_started = False
        for each in self._jobs.values():
            self._publish_next_run(each, None)
        runtime.clock.on_step(self._follow_clock)

    def _follow_clock(self, step: timedelta) -> None:
        """Run every job now: the JobQueue waits for a time of day, and its times may mean another moment now."""
        self._runtime.job_status.move(step)
        if self._has_started:
            for each in self._jobs.values():
                self._run_soon(each)

    def _run_soon(self, each: _ScheduledJob) -> None:
        now = self._runtime.clock.now()
        if each.entry is None:  # its run is under way
            each.sooner = now
        else:
            self._reschedule(each, now)

    def start(self) -> None:
        """Run every job now: what fell due while the daemon was down comes first."""
        self._has_started = True
        self._runtime.job_status.run_now = self.run_now
        for each in self._jobs.values():
            self._reschedule(each, self._runtime.clock.now())

    def on_commit(self, changes: Changes) -> None:
        """Bring forward each job whose new deadline lies before its next run."""
        if not changes.deadlines or not self._has_started:
            return
        for each in self._jobs.values():
            deadline = None if each.job.deadline is None else changes.deadlines.get(each.job.deadline)
            if deadline is None:
                continue
            if each.entry is None:
                each.sooner = min(deadline, each.sooner or deadline)
            elif each.run_at is None or deadline < each.run_at:
                self._reschedule(each, deadline)

    def _reschedule(self, each: _ScheduledJob, at: datetime) -> None:
        if each.entry is not None:
            try:
                each.entry.schedule_removal()
            except JobLookupError:  # it has fired, and its run is about to start
                each.sooner = min(at, each.sooner or at)
                return
        each.run_at, each.sooner = at, None
        delay = max(0.0, (at - self._runtime.clock.now()).total_seconds())
        each.entry = self._queue.run_once(partial(self._run, each), when=delay, name=each.job.name)
        self._publish_next_run(each, at)

    def _publish_next_run(self, each: _ScheduledJob, at: datetime | None) -> None:
        self._runtime.job_status.next_runs[each.job.name] = at

    async def _run(self, each: _ScheduledJob, _: object) -> None:
        each.entry = None
        self._publish_next_run(each, None)
        run = await run_job(self._runtime, each.job)
        each.failures = each.failures + 1 if each.job.name in self._runtime.job_status.job_errors else 0
        at = await self._next_run(each, run)
        self._reschedule(each, min(at, each.sooner or at))

    async def _next_run(self, each: _ScheduledJob, run: JobRun) -> datetime:
        """Back off after failures. Rows that were due before the run and still are do not make it run again at once."""
        now, job = self._runtime.clock.now(), each.job
        latest = self._latest(job, now)
        if each.failures > 0:
            return now + retry_delay(each.failures, job.max_interval)
        try:
            due = await self._runtime.database.read(job.next_due)
        except Exception:
            log.exception("a job's next run is unknown", extra={"action": "job_failed", "job": job.name})
            return now + FIRST_RETRY_AFTER
        if due is not None and due <= run.started_at:
            return now + FIRST_RETRY_AFTER
        return latest if due is None else min(due, latest)

    async def run_now(self, name: str) -> JobRun:
        """Run a job because someone asked for it, after a run that is under way.

        Raises KeyError for a job that does not exist.
        """
        each = self._jobs[name]
        run = await run_job(self._runtime, each.job, is_manual=True)
        now = self._runtime.clock.now()
        has_failed = name in self._runtime.job_status.job_errors
        again_at = now + retry_delay(1, each.job.max_interval) if has_failed else self._latest(each.job, now)
        if each.run_at is not None and each.run_at > again_at:
            self._reschedule(each, again_at)
        return run

    def _latest(self, job: Job, now: datetime) -> datetime:
        """The latest time of the next run; after a failure, the time when that may count as over."""
        latest = now + job.max_interval
        quiet_until = self._runtime.job_status.quiet_until.get(job.name)
        return latest if quiet_until is None or quiet_until <= now else min(latest, quiet_until)

    async def watch(self) -> None:
        """Recover runs that the JobQueue has lost: it waits for a time of day, so after the clock is set back by an
        hour it would rest for an hour."""
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            self.recover_lost_runs()

    def recover_lost_runs(self) -> None:
        """Run at once what is scheduled too far ahead, or for a time that has passed."""
        now = self._runtime.clock.now()
        for each in self._jobs.values():
            if each.entry is None or each.run_at is None:
                continue
            if not now - LOST_AFTER <= each.run_at <= now + each.job.max_interval:
                log.warning("a job's run was lost", extra={"action": "job_rescheduled", "job": each.job.name})
                self._reschedule(each, now)


def retry_delay(failures: int, max_interval: timedelta) -> timedelta:
    """Back off after so many failures in a row, up to the job's regular interval."""
    return min(max_interval, FIRST_RETRY_AFTER * (1 << min(failures - 1, MAX_DOUBLINGS)))


class JobRests(NotifybotError):
    """The process died again and again during this job."""


def _check_rest(runtime: Runtime, deaths: int) -> None:
    """Raise JobRests for a while after the start if the job ended earlier processes: what it does matters too much to
    be given up, but so does everything else."""
    if deaths < MAX_DEATHS:
        return
    rest = min(LONGEST_REST, FIRST_REST * (1 << min(deaths - MAX_DEATHS, MAX_DOUBLINGS)))
    left = runtime.job_status.started_at + rest - runtime.clock.now()
    if left > timedelta():
        raise JobRests(
            f"notifybot died {deaths} times while running this job. It runs again in {left.total_seconds():.0f} s."
        )


class EarlierJobFailed(NotifybotError):
    """A job that runs before this one is failing."""


async def run_job(runtime: Runtime, job: Job, *, is_manual: bool = False) -> JobRun:
    """Run a job once, after the jobs that come before it, and never twice at a time.

    A failure is logged and recorded, but not raised.
    """
    async with runtime.job_status.locks[job.name]:
        run = JobRun(job=job.name, started_at=runtime.clock.now(), duration_s=0, is_manual=is_manual)
        await _run_locked(runtime, job, run)
    return run


async def _run_locked(runtime: Runtime, job: Job, run: JobRun) -> None:
    status = runtime.job_status
    status.running[job.name] = run.started_at
    try:
        is_broken = await _execute(runtime, job, run)
    finally:
        del status.running[job.name]
    status.last_run_at = runtime.clock.now()
    status.job_errors.pop(job.name, None)
    if is_broken and run.error is not None:
        status.job_errors[job.name] = run.error
        status.quiet_until[job.name] = status.last_run_at + QUIET_PERIOD + QUIET_MARGIN
    await record_run(runtime, run, is_broken=is_broken)
    status.last_runs[job.name] = run


async def _execute(runtime: Runtime, job: Job, run: JobRun) -> bool:
    """Fill in the result of a run; return True if the run itself failed, rather than a row that was put off."""
    started, is_broken = time.perf_counter(), False
    work = job.run_now if run.is_manual and job.run_now is not None else job.run
    try:
        await _run_earlier_jobs(runtime, job)
        is_due = await _is_due(runtime, job)
        if job.presses_first and is_due:
            await runtime.telegram.presses_first()  # they count first
        async with _marked(runtime, run, is_due=is_due):
            started = time.perf_counter()
            run.done = await work(runtime, run.started_at)
    except Exception as error:
        log.exception("job failed", extra={"action": "job_failed", "job": job.name})
        run.error, is_broken = reason_of(error), True
    run.duration_s = time.perf_counter() - started
    put_off = runtime.job_status.put_off.pop(job.name, None)
    run.error = run.error or put_off
    if run.done:
        log.info("job finished", extra={"action": "job", "job": job.name, "done": run.done})
    return is_broken


async def _is_due(runtime: Runtime, job: Job) -> bool:
    """Return True if a row was due when the run under way began."""
    due = await runtime.database.read(job.next_due)
    return due is not None and due <= runtime.job_status.running[job.name]


def _marked(runtime: Runtime, run: JobRun, *, is_due: bool) -> AbstractAsyncContextManager[None]:
    """Mark a run that has something to do; others cannot end the process. Raises JobRests."""
    if not (is_due or run.is_manual):
        return nullcontext()
    this = Work(WorkKind.JOB, run.job)
    if not run.is_manual:
        _check_rest(runtime, runtime.under_way.deaths_of(this))
    return runtime.under_way.marked(this)


async def _run_earlier_jobs(runtime: Runtime, job: Job) -> None:
    """Run the jobs that come before this one and have something due, each under its own name and lock.

    Locks are taken against the order of JOBS, so nobody waits in a circle.
    """
    for earlier in job.after:
        async with runtime.job_status.locks[earlier.name]:
            due = await runtime.database.read(earlier.next_due)
            now = runtime.job_status.running[job.name]  # the start of this run; it follows a step of the clock
            if due is None or due > now:
                continue
            run = JobRun(job=earlier.name, started_at=now, duration_s=0)
            await _run_locked(runtime, earlier, run)
        if earlier.name in runtime.job_status.job_errors:
            raise EarlierJobFailed(f"The job {earlier.name}, which runs before this one, is failing: {run.error}")
