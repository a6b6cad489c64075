"""The state of the jobs in memory, for /health, the watchdog and manual runs."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from notifybot.model.schedules import JobRun

JOBS_STALLED_AFTER = timedelta(minutes=2)
"""Jobs beat twice a minute: without one for so long, work stands still."""
HANGING_AFTER = timedelta(minutes=10)
"""A tick that takes longer hangs, as far as anybody can tell."""
RunNow = Callable[[str], Awaitable[JobRun]]
"""Runs one tick of the job of that name, for somebody who asked for it."""


@dataclass
class JobStatus:
    """What the scheduler and the ticks write down here, in memory; their history is in the database."""

    started_at: datetime
    jobs_ticked_at: datetime | None = None
    job_errors: dict[str, str] = field(default_factory=dict)
    """Why, for each job whose last tick failed, rather than a row of it."""
    calm_at: dict[str, datetime] = field(default_factory=dict)
    """For each job that has failed since the start: when that may count as over."""
    put_off: dict[str, str] = field(default_factory=dict)
    """Of the ticks under way: the row that the job could not work on last, and why."""
    running: dict[str, datetime] = field(default_factory=dict)
    """Since when, for each job that is at work."""
    next_runs: dict[str, datetime | None] = field(default_factory=dict)
    """Every job, and when it beats next: unknown before the jobs start, and while it is at work."""
    last_runs: dict[str, JobRun] = field(default_factory=dict)
    """Of each job since the start: not each run is worth a place in the history."""
    kept_at: dict[str, datetime] = field(default_factory=dict)
    """When the run of each job began that was kept last."""
    by_hand: RunNow | None = None
    """None before the jobs start."""
    locks: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    """A job is at work once at a time, whoever beats it."""

    def is_moving(self, now: datetime) -> bool:
        return now - (self.jobs_ticked_at or self.started_at) <= JOBS_STALLED_AFTER

    def hanging(self, now: datetime) -> dict[str, timedelta]:
        """How long they have been at work, for jobs that should have ended long ago."""
        spans = {name: now - since for name, since in self.running.items()}
        return {name: span for name, span in spans.items() if span > HANGING_AFTER}
