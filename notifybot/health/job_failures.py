"""Failures of jobs, and the notices to admins when one begins and when it is over."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from sqlmodel import Session, col, select

from notifybot.model.schedules import JobRun, JobTrouble

QUIET_PERIOD = timedelta(minutes=10)
"""So long a job must go well after a failure before that is over: one that fails now and then is told of once."""
NOTICE_INTERVAL = timedelta(hours=1)
"""For what comes up while the admins know already that something is amiss with the job."""
MOST_ROWS = 200
"""Of one job; rows beyond that are put off as well, and stand in the log alone."""
WHOLE_RUN = ""
_IN_ORDER = (col(JobTrouble.job), col(JobTrouble.since), col(JobTrouble.row_key))


@dataclass(frozen=True)
class JobNotice:
    """What there is to tell of a job."""

    title: str
    content: str


def note_failure(session: Session, run: JobRun, *, now: datetime) -> None:
    """A tick failed."""
    assert run.error is not None
    _note(session, (run.job, WHOLE_RUN), run.error, now=now, until=now + QUIET_PERIOD)


def note_put_off(session: Session, job: str, row_key: str, error: str, *, now: datetime, until: datetime) -> None:
    """A row cannot be worked on; it is tried again at `until`."""
    is_new = session.get(JobTrouble, (job, row_key)) is None
    if not is_new or len(failures_of(session, job)) < MOST_ROWS:
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
    """After a tick: strike out what is over. Return what the admins are to be told.

    Something is over once a tick has gone well that began after `until`: a row that was put off was tried again then.
    """
    found = failures_of(session, run.job)
    over = [each for each in found if _is_over(each, run)]
    for each in over:
        session.delete(each)
    left = [each for each in found if not _is_over(each, run)]
    if not left:
        was_told = any(each.told_at is not None for each in over)
        return _recovered_notice(over) if was_told else None
    return _unsent_notice(session, left, now=now)


def _is_over(trouble: JobTrouble, run: JobRun) -> bool:
    return run.error is None and trouble.until <= run.started_at


def _unsent_notice(session: Session, left: Sequence[JobTrouble], *, now: datetime) -> JobNotice | None:
    """What the admins do not know yet; they count as told."""
    told_at = max((each.told_at for each in left if each.told_at is not None), default=None)
    untold = [each for each in left if each.told_at is None]
    if not untold or (told_at is not None and now - told_at < NOTICE_INTERVAL):
        return None
    for each in untold:
        each.told_at = now
        session.add(each)
    return _failing_notice(untold)


def failures_of(session: Session, job: str) -> list[JobTrouble]:
    """What is amiss with a job, in the order in which it began."""
    return list(session.exec(select(JobTrouble).where(JobTrouble.job == job).order_by(*_IN_ORDER)))


def put_off_warnings(session: Session) -> dict[str, str]:
    """What each job does with the rows that it cannot work on."""
    rows = session.exec(select(JobTrouble).where(JobTrouble.row_key != WHOLE_RUN).order_by(*_IN_ORDER))
    return {job: _put_off_words(list(of)) for job, of in groupby(rows, key=lambda each: each.job)}


def _failing_notice(troubles: Sequence[JobTrouble]) -> JobNotice:
    first = troubles[0]
    lines = [f"The job {first.job} fails: {each.error}" for each in troubles if each.row_key == WHOLE_RUN]
    if rows := [each for each in troubles if each.row_key != WHOLE_RUN]:
        lines.append(f"The job {first.job} {_put_off_words(rows)}")
    return JobNotice(
        "A job of notifybot fails", "\n".join([*lines, "It is tried again by itself. `notifybot jobs` says more."])
    )


def _put_off_words(rows: Sequence[JobTrouble]) -> str:
    """What a job does with rows that it cannot work on."""
    if len(rows) == 1:
        return f"cannot work on a row ({rows[0].row_key}) and puts it off: {rows[0].error}"
    return f"cannot work on {len(rows)} rows ({rows[0].row_key} first) and puts them off: {rows[0].error}"


def _recovered_notice(over: Sequence[JobTrouble]) -> JobNotice:
    since, last_at = min(each.since for each in over), max(each.last_at for each in over)
    times = sum(each.times for each in over)
    how_often = "once" if times == 1 else f"{times} times"
    when = f"at {since:%Y-%m-%d %H:%M}" if times == 1 else f"from {since:%Y-%m-%d %H:%M} to {last_at:%Y-%m-%d %H:%M}"
    job = over[0].job
    return JobNotice("A job of notifybot works again", f"The job {job} works again. It failed {how_often}, {when} UTC.")
