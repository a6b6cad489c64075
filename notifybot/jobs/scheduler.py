"""Beats the jobs: one JobQueue entry a job, re-armed at its earliest deadline."""

import asyncio
import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from apscheduler.jobstores.base import JobLookupError  # type: ignore[import-untyped]
from telegram.ext import Job as QueueEntry
from telegram.ext import JobQueue

from notifybot.health.job_failures import QUIET_PERIOD
from notifybot.jobs import JOBS, Job
from notifybot.jobs import failures as jobs_failures
from notifybot.jobs.failures import reason_of
from notifybot.model.schedules import JobRun
from notifybot.runtime import Runtime
from notifybot.storage.writer import Changes

FIRST_RETRY_AFTER = timedelta(seconds=5)
"""Twice as long after the second one in a row, and so on."""
MAX_DOUBLINGS = 10
CHECK_EVERY_S = 15.0
LOST_AFTER = timedelta(minutes=1)
"""A beat that is so late will not come: the JobQueue begins one within milliseconds."""
CALM_MARGIN = timedelta(seconds=1)
"""The failure is noted a little after the tick has ended."""
log = logging.getLogger(__name__)


class PatientJobQueue(JobQueue[Any]):
    """A job that comes late, because the event loop was busy, still runs: by default it is dropped after 1 s."""

    @property
    def scheduler_configuration(self) -> dict[str, object]:
        patience = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        return {**super().scheduler_configuration, "job_defaults": patience}


@dataclass
class _ScheduledJob:
    """One job's place in the JobQueue. `sooner`: a deadline that came up while it ran."""

    job: Job
    entry: QueueEntry[Any] | None = None
    armed_for: datetime | None = None
    sooner: datetime | None = None
    failures: int = 0
    """In a row."""


class Scheduler:
    """Knows when each job beats next."""

    def __init__(self, queue: JobQueue[Any], runtime: Runtime) -> None:
        self._queue = queue
        self._runtime = runtime
        self._beats = [_ScheduledJob(job) for job in JOBS]
        self._has_started = False
        for beat in self._beats:
            self._note_next(beat, None)

    def start(self) -> None:
        """Beat every job now: what fell due while nobody was there is done first."""
        self._has_started = True
        self._runtime.progress.by_hand = self.by_hand
        for beat in self._beats:
            self._arm(beat, self._runtime.clock.now())

    def on_commit(self, changes: Changes) -> None:
        """New deadlines: each job that would look later than at its own looks then."""
        if not changes.deadlines or not self._has_started:
            return
        for beat in self._beats:
            deadline = None if beat.job.deadline is None else changes.deadlines.get(beat.job.deadline)
            if deadline is None:
                continue
            if beat.entry is None:
                beat.sooner = min(deadline, beat.sooner or deadline)
            elif beat.armed_for is None or deadline < beat.armed_for:
                self._arm(beat, deadline)

    def _arm(self, beat: _ScheduledJob, at: datetime) -> None:
        if beat.entry is not None:
            try:
                beat.entry.schedule_removal()
            except JobLookupError:  # it has fired, and its tick is about to begin
                beat.sooner = min(at, beat.sooner or at)
                return
        beat.armed_for, beat.sooner = at, None
        delay = max(0.0, (at - self._runtime.clock.now()).total_seconds())
        beat.entry = self._queue.run_once(partial(self._beat, beat), when=delay, name=beat.job.name)
        self._note_next(beat, at)

    def _note_next(self, beat: _ScheduledJob, at: datetime | None) -> None:
        self._runtime.progress.next_runs[beat.job.name] = at

    async def _beat(self, beat: _ScheduledJob, _: object) -> None:
        beat.entry = None
        self._note_next(beat, None)
        run = await run_job(self._runtime, beat.job)
        beat.failures = beat.failures + 1 if beat.job.name in self._runtime.progress.job_errors else 0
        at = await self._next(beat, run)
        self._arm(beat, min(at, beat.sooner or at))

    async def _next(self, beat: _ScheduledJob, run: JobRun) -> datetime:
        """When the job looks again: soon after a failure, and less soon after each further one. What was due before
        the tick and is due after it is no reason to look again at once."""
        now, job = self._runtime.clock.now(), beat.job
        latest = self._latest(job, now)
        if beat.failures > 0:
            return now + retry_delay(beat.failures, job.most_apart)
        try:
            due = await self._runtime.database.read(job.next_due)
        except Exception:
            log.exception("a job's next time is unknown", extra={"action": "job_failed", "job": job.name})
            return now + FIRST_RETRY_AFTER
        if due is not None and due <= run.started_at:
            return now + FIRST_RETRY_AFTER
        return latest if due is None else min(due, latest)

    async def by_hand(self, name: str) -> JobRun:
        """Run one tick because somebody asked for it, after one that is under way.

        Raises KeyError for a job that does not exist.
        """
        beats = {beat.job.name: beat for beat in self._beats}
        beat = beats[name]
        run = await run_job(self._runtime, beat.job, is_manual=True)
        now = self._runtime.clock.now()
        has_failed = name in self._runtime.progress.job_errors
        again_at = now + retry_delay(1, beat.job.most_apart) if has_failed else self._latest(beat.job, now)
        if beat.armed_for is not None and beat.armed_for > again_at:
            self._arm(beat, again_at)
        return run

    def _latest(self, job: Job, now: datetime) -> datetime:
        """When the job beats at the latest; after a failure, when that may count as over."""
        latest = now + job.most_apart
        calm_at = self._runtime.progress.calm_at.get(job.name)
        return latest if calm_at is None or calm_at <= now else min(latest, calm_at)

    async def watch(self) -> None:
        """Beat what the JobQueue has lost sight of: it waits for a time of day, so that after the clock was set back
        by an hour it would rest for an hour."""
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            self.look_after()

    def look_after(self) -> None:
        """Arm anew what is armed for a moment that lies too far ahead, or that has passed."""
        now = self._runtime.clock.now()
        for beat in self._beats:
            if beat.entry is None or beat.armed_for is None:
                continue
            if not now - LOST_AFTER <= beat.armed_for <= now + beat.job.most_apart:
                log.warning("a job had lost its time", extra={"action": "job_rearmed", "job": beat.job.name})
                self._arm(beat, now)


def retry_delay(failures: int, most: timedelta) -> timedelta:
    """How long a job rests that failed so often in a row: not longer than it does anyway."""
    return min(most, FIRST_RETRY_AFTER * (1 << min(failures - 1, MAX_DOUBLINGS)))


async def run_job(runtime: Runtime, job: Job, *, is_manual: bool = False) -> JobRun:
    """Run one tick, never beside another one of the same job, and note what became of it; a failure is logged, kept,
    and never raised."""
    progress = runtime.progress
    async with progress.locks[job.name]:
        run = JobRun(job=job.name, started_at=runtime.clock.now(), duration_s=0, is_manual=is_manual)
        progress.running[job.name] = run.started_at
        try:
            is_broken = await _execute(runtime, job, run)
        finally:
            del progress.running[job.name]
    progress.jobs_ticked_at = runtime.clock.now()
    progress.job_errors.pop(job.name, None)
    if is_broken and run.error is not None:
        progress.job_errors[job.name] = run.error
        progress.calm_at[job.name] = progress.jobs_ticked_at + QUIET_PERIOD + CALM_MARGIN
    await jobs_failures.record_run(runtime, run, is_broken=is_broken)
    progress.last_runs[job.name] = run
    return run


async def _execute(runtime: Runtime, job: Job, run: JobRun) -> bool:
    """Fill in what becomes of a run; whether the tick itself failed, rather than a row that was put off."""
    started, is_broken = time.perf_counter(), False
    tick = job.by_hand if run.is_manual and job.by_hand is not None else job.tick
    try:
        run.done = await tick(runtime, run.started_at)
    except Exception as error:
        log.exception("a job failed", extra={"action": "job_failed", "job": job.name})
        run.error, is_broken = reason_of(error), True
    run.duration_s = time.perf_counter() - started
    put_off = runtime.progress.put_off.pop(job.name, None)
    run.error = run.error or put_off
    if run.done:
        log.info("a job did its work", extra={"action": "job", "job": job.name, "done": run.done})
    return is_broken
