"""Beats the jobs: one JobQueue entry a job, re-armed at its earliest deadline."""

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from apscheduler.jobstores.base import JobLookupError  # type: ignore[import-untyped]
from sqlmodel import Session
from telegram.ext import Job as QueueEntry
from telegram.ext import JobQueue

from notifybot.database import Changes
from notifybot.errors import Unavailable
from notifybot.jobs import JOBS, Job
from notifybot.logs import redact
from notifybot.runtime import Runtime
from notifybot.timetable import JobRun

AFTER_A_FAILURE = timedelta(seconds=5)
log = logging.getLogger(__name__)


class PatientJobQueue(JobQueue[Any]):
    """A job that comes late, because the event loop was busy, still runs: by default it is dropped after 1 s."""

    @property
    def scheduler_configuration(self) -> dict[str, object]:
        patience = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        return {**super().scheduler_configuration, "job_defaults": patience}


@dataclass
class _Beat:
    """One job's place in the JobQueue. `sooner`: a deadline that came up while it ran."""

    job: Job
    entry: QueueEntry[Any] | None = None
    armed_for: datetime | None = None
    sooner: datetime | None = None


class Metronome:
    """Knows when each job beats next."""

    def __init__(self, queue: JobQueue[Any], runtime: Runtime) -> None:
        self._queue = queue
        self._runtime = runtime
        self._beats = [_Beat(job) for job in JOBS]
        self._has_started = False

    def start(self) -> None:
        """Beat every job now: what fell due while nobody was there is done first."""
        self._has_started = True
        for beat in self._beats:
            self._arm(beat, self._runtime.clock.now())

    def on_commit(self, changes: Changes) -> None:
        """A new deadline: every job of deadlines that would look later than that looks then."""
        if changes.deadline is None or not self._has_started:
            return
        for beat in self._beats:
            if not beat.job.has_deadlines:
                continue
            if beat.entry is None:
                beat.sooner = min(changes.deadline, beat.sooner or changes.deadline)
            elif beat.armed_for is None or changes.deadline < beat.armed_for:
                self._arm(beat, changes.deadline)

    def _arm(self, beat: _Beat, at: datetime) -> None:
        if beat.entry is not None:
            try:
                beat.entry.schedule_removal()
            except JobLookupError:  # it has fired, and its tick is about to begin
                beat.sooner = min(at, beat.sooner or at)
                return
        beat.armed_for, beat.sooner = at, None
        delay = max(0.0, (at - self._runtime.clock.now()).total_seconds())
        beat.entry = self._queue.run_once(partial(self._beat, beat), when=delay, name=beat.job.name)

    async def _beat(self, beat: _Beat, _: object) -> None:
        beat.entry = None
        run = await run_tick(self._runtime, beat.job)
        self._note(beat.job, run)
        at = await self._next(beat.job, run)
        self._arm(beat, min(at, beat.sooner or at))

    def _note(self, job: Job, run: JobRun) -> None:
        progress = self._runtime.progress
        progress.jobs_ticked_at = self._runtime.clock.now()
        progress.job_errors.pop(job.name, None)
        if run.error is not None:
            progress.job_errors[job.name] = run.error

    async def _next(self, job: Job, run: JobRun) -> datetime:
        now = self._runtime.clock.now()
        if run.error is not None:
            return now + AFTER_A_FAILURE
        try:
            due = await self._runtime.database.read(job.next_due)
        except Exception:
            log.exception("a job's next time is unknown", extra={"action": "job_failed", "job": job.name})
            return now + AFTER_A_FAILURE
        latest = now + job.most_apart
        return latest if due is None else min(due, latest)


async def run_tick(runtime: Runtime, job: Job) -> JobRun:
    """Run one tick and keep it in the history; a failure is logged, kept, and never raised."""
    run = JobRun(job=job.name, started_at=runtime.clock.now(), duration_s=0)
    started = time.perf_counter()
    try:
        done = await job.tick(runtime, run.started_at)
    except Exception as error:
        log.exception("a job failed", extra={"action": "job_failed", "job": job.name})
        run.error = redact(repr(error))
    else:
        if done:
            log.info("a job did its work", extra={"action": "job", "job": job.name, "done": done})
    run.duration_s = time.perf_counter() - started
    try:
        await runtime.database.write(partial(_keep, run=run))
    except Unavailable:
        log.warning("a job's run was not kept", extra={"action": "job_failed", "job": job.name})
    return run


def _keep(session: Session, run: JobRun) -> None:
    session.add(run)
