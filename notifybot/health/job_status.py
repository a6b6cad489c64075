"""The state of the jobs in memory, for /health, the watchdog and manual runs."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from notifybot.model.schedules import JobRun

JOBS_STALLED_AFTER = timedelta(minutes=2)
"""Jobs run twice a minute: if none has run for this long, work has stopped."""
HANGING_AFTER = timedelta(minutes=10)
"""A run that takes longer counts as hanging."""
RunNow = Callable[[str], Awaitable[JobRun]]
"""Run the job of that name once, because someone asked for it."""


@dataclass
class JobStatus:
    """Job status kept in memory by the scheduler and the jobs. The history is in the database."""

    started_at: datetime
    last_run_at: datetime | None = None
    job_errors: dict[str, str] = field(default_factory=dict)
    """Reason, for each job whose last run failed as a whole."""
    quiet_until: dict[str, datetime] = field(default_factory=dict)
    """For each job that has failed since the start: the time when that may count as over."""
    put_off: dict[str, str] = field(default_factory=dict)
    """For each run under way: the last row that it put off, and why."""
    running: dict[str, datetime] = field(default_factory=dict)
    """Start of each run under way."""
    next_runs: dict[str, datetime | None] = field(default_factory=dict)
    """Every job, with its next run: None before the jobs start and during a run."""
    last_runs: dict[str, JobRun] = field(default_factory=dict)
    """Last run of each job since the start, including runs that the history leaves out."""
    kept_at: dict[str, datetime] = field(default_factory=dict)
    """Start of each job's last run in the history."""
    run_now: RunNow | None = None
    """None before the jobs start."""
    locks: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    """Held during a run: a job never runs twice at a time."""

    def move(self, step: timedelta) -> None:
        """Follow a step of the clock."""
        self.started_at += step
        self.last_run_at = None if self.last_run_at is None else self.last_run_at + step
        for times in (self.quiet_until, self.running, self.kept_at):
            times.update({name: at + step for name, at in times.items()})

    def is_moving(self, now: datetime) -> bool:
        return now - (self.last_run_at or self.started_at) <= JOBS_STALLED_AFTER

    def hanging(self, now: datetime) -> dict[str, timedelta]:
        """Return the jobs that have been running for more than HANGING_AFTER, and for how long."""
        spans = {name: now - since for name, since in self.running.items()}
        return {name: span for name, span in spans.items() if span > HANGING_AFTER}
