"""The history of job runs: duration, success rate, last failure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete
from sqlmodel import Session, col, func, select

from notifybot.model.schedules import JobRun
from notifybot.storage.statements import affected

RUNS_KEPT = 1000
"""Per job. An idle job fills this in 17 hours."""
IDLE_RUN_KEPT_EVERY = timedelta(minutes=5)
"""One idle run in this time is kept: deadlines may come every few milliseconds, and a daemon at rest should write
seldom."""
FAILURES_KEPT = 100
"""Per job, besides the successful ones."""
KEPT_FOR = timedelta(days=7)


@dataclass(frozen=True)
class JobStatistics:
    """Figures over a job's latest runs, at most RUNS_KEPT."""

    last: JobRun | None = None
    last_failure: JobRun | None = None
    runs: int = 0
    since: datetime | None = None
    """Start of the first of these runs."""
    average_s: float | None = None
    success_rate: float | None = None
    """From 0 to 1."""


def is_worth_keeping(run: JobRun, last_kept: datetime | None) -> bool:
    """Return False for an idle run that starts within IDLE_RUN_KEPT_EVERY of the `last_kept` run."""
    if run.done or run.is_manual or run.error is not None or last_kept is None:
        return True
    return abs(run.started_at - last_kept) >= IDLE_RUN_KEPT_EVERY


def keep_run(session: Session, run: JobRun) -> None:
    """Insert a copy of the run; the caller keeps the value."""
    session.add(JobRun(**run.model_dump(exclude={"id"})))


def latest_runs(session: Session, job: str, *, limit: int) -> list[JobRun]:
    """Return the latest runs of a job, newest first."""
    newest = select(JobRun).where(JobRun.job == job).order_by(col(JobRun.id).desc()).limit(limit)
    return list(session.exec(newest))


def statistics(session: Session, job: str) -> JobStatistics:
    """Return the figures of a job; those of an unknown job are empty."""
    last = latest_runs(session, job, limit=1)
    if not last:
        return JobStatistics()
    first_id = _newest_but(session, RUNS_KEPT - 1, col(JobRun.job) == job)
    counted = (JobRun.job == job, col(JobRun.id) >= (first_id or 0))
    figures = select(func.count(), func.count(col(JobRun.error)), func.avg(JobRun.duration_s), func.min(JobRun.id))
    runs, failures, average_s, oldest_id = session.exec(figures.where(*counted)).one()
    oldest = session.get(JobRun, oldest_id)
    failed = select(JobRun).where(JobRun.job == job, col(JobRun.error).is_not(None)).order_by(col(JobRun.id).desc())
    return JobStatistics(
        last=last[0],
        last_failure=session.exec(failed.limit(1)).first(),
        runs=runs,
        since=None if oldest is None else oldest.started_at,
        average_s=average_s,
        success_rate=(runs - failures) / runs,
    )


def forget_old(session: Session, *, now: datetime) -> int:
    """Delete runs older than KEPT_FOR and those beyond RUNS_KEPT and FAILURES_KEPT; return how many."""
    gone = affected(session, delete(JobRun).where(col(JobRun.started_at) < now - KEPT_FOR))
    for job in session.exec(select(JobRun.job).distinct()).all():
        succeeded = (col(JobRun.job) == job, col(JobRun.error).is_(None))
        failed = (col(JobRun.job) == job, col(JobRun.error).is_not(None))
        gone += _forget_but(session, RUNS_KEPT, *succeeded) + _forget_but(session, FAILURES_KEPT, *failed)
    return gone


def _forget_but(session: Session, limit: int, *of: ColumnElement[bool]) -> int:
    newest_to_go = _newest_but(session, limit, *of)
    if newest_to_go is None:
        return 0
    return affected(session, delete(JobRun).where(*of, col(JobRun.id) <= newest_to_go))


def _newest_but(session: Session, skipped: int, *of: ColumnElement[bool]) -> int | None:
    """Return the id of the newest run after skipping so many newer ones."""
    return session.exec(select(JobRun.id).where(*of).order_by(col(JobRun.id).desc()).offset(skipped).limit(1)).first()


def last_run(session: Session, job: str) -> datetime | None:
    return session.exec(select(func.max(JobRun.started_at)).where(JobRun.job == job)).one()
