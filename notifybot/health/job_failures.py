"""Failures of jobs, and the notices to admins when one starts and when it is over."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from sqlmodel import Session, col, select

from notifybot.model.schedules import JobRun, JobTrouble

QUIET_PERIOD = timedelta(minutes=10)
"""A failure is over once the job has worked for this long, so a flaky job is reported once."""
NOTICE_INTERVAL = timedelta(hours=1)
"""Covers more failures of a job that the admins have been notified of."""
MAX_ROWS = 200
"""Recorded per job. Rows beyond that are put off too, but appear in the log only."""
WHOLE_RUN = ""
_IN_ORDER = (col(JobTrouble.job), col(JobTrouble.since), col(JobTrouble.row_key))


@dataclass(frozen=True)
class JobNotice:
    """A notice to the admins about a job."""

    title: str
    content: str


def note_failure(session: Session, run: JobRun, *, now: datetime) -> None:
    """Record that a whole run failed."""
    assert run.error is not None
    _note(session, (run.job, WHOLE_RUN), run.error, now=now, until=now + QUIET_PERIOD)


def note_put_off(session: Session, job: str, row_key: str, error: str, *, now: datetime, until: datetime) -> None:
    """Record that a row was put off; it is retried at `until`."""
    is_new = session.get(JobTrouble, (job, row_key)) is None
    if not is_new or len(failures_of(session, job)) < MAX_ROWS:
        _note(session, (job, row_key), error, now=now, until=until)


def _note(session: Session, key: tuple[str, str], error: str, *, now: datetime, until: datetime) -> None:
    known = session.get(JobTrouble, key)
    if known is None:
        job, row_key = key
        session.add(JobTrouble(job=job, row_key=row_key, error=error, since=now, last_at=now, until=until))
    else:
        known.error, known.last_at, known.until, known.times = error, now, until, known.times + 1
        session.add(known)


def settle(session: Session, run: JobRun, *, now: datetime) -> JobNotice | None:
    """After a run, delete the failures that are over; return the notice that the admins should get now.

    A failure is over once a run that started after its `until` has succeeded: a row that was put off was retried then.
    """
    found = failures_of(session, run.job)
    over = [each for each in found if _is_over(each, run)]
    for each in over:
        session.delete(each)
    left = [each for each in found if not _is_over(each, run)]
    if not left:
        was_notified = any(each.told_at is not None for each in over)
        return _recovered_notice(over) if was_notified else None
    return _unsent_notice(session, left, now=now)


def _is_over(failure: JobTrouble, run: JobRun) -> bool:
    return run.error is None and failure.until <= run.started_at


def _unsent_notice(session: Session, left: Sequence[JobTrouble], *, now: datetime) -> JobNotice | None:
    """Make a notice of the failures that the admins have not had one for, and mark them."""
    last_notice_at = max((each.told_at for each in left if each.told_at is not None), default=None)
    unsent = [each for each in left if each.told_at is None]
    if not unsent or (last_notice_at is not None and now - last_notice_at < NOTICE_INTERVAL):
        return None
    for each in unsent:
        each.told_at = now
        session.add(each)
    return _failing_notice(unsent)


def failures_of(session: Session, job: str) -> list[JobTrouble]:
    """Return the current failures of a job, oldest first."""
    return list(session.exec(select(JobTrouble).where(JobTrouble.job == job).order_by(*_IN_ORDER)))


def put_off_warnings(session: Session) -> dict[str, str]:
    """Return a warning for each job that has put rows off."""
    rows = session.exec(select(JobTrouble).where(JobTrouble.row_key != WHOLE_RUN).order_by(*_IN_ORDER))
    return {job: _put_off_text(list(of)) for job, of in groupby(rows, key=lambda each: each.job)}


def _failing_notice(failures: Sequence[JobTrouble]) -> JobNotice:
    first = failures[0]
    lines = [f"Job {first.job} is failing: {each.error}" for each in failures if each.row_key == WHOLE_RUN]
    if rows := [each for each in failures if each.row_key != WHOLE_RUN]:
        lines.append(f"Job {first.job} {_put_off_text(rows)}")
    hint = "notifybot keeps retrying. Run `notifybot jobs` for details."
    return JobNotice("notifybot job failing", "\n".join([*lines, hint]))


def _put_off_text(rows: Sequence[JobTrouble]) -> str:
    if len(rows) == 1:
        return f"cannot process a row ({rows[0].row_key}) and will retry it later: {rows[0].error}"
    return f"cannot process {len(rows)} rows ({rows[0].row_key} first) and will retry them later: {rows[0].error}"


def _recovered_notice(over: Sequence[JobTrouble]) -> JobNotice:
    since, last_at = min(each.since for each in over), max(each.last_at for each in over)
    times = sum(each.times for each in over)
    how_often = "once" if times == 1 else f"{times} times"
    when = f"at {since:%Y-%m-%d %H:%M}" if times == 1 else f"from {since:%Y-%m-%d %H:%M} to {last_at:%Y-%m-%d %H:%M}"
    job = over[0].job
    return JobNotice("notifybot job recovered", f"Job {job} has recovered. It failed {how_often}, {when} UTC.")
