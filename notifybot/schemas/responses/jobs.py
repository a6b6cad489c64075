"""Jobs, their runs, and the health of the daemon in the API."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field, PlainSerializer

from notifybot.health import job_failures
from notifybot.health.assess import HealthStatus
from notifybot.health.job_history import JobStatistics
from notifybot.health.job_status import JobStatus
from notifybot.model.schedules import JobRun, JobTrouble
from notifybot.web.documents import OPTIONAL, Timestamp, build, named

Seconds = Annotated[float, PlainSerializer(lambda value: round(value, 6), return_type=float)]
Rate = Annotated[float, PlainSerializer(lambda value: round(value, 4), return_type=float), Field(ge=0, le=1)]


@dataclass(slots=True, kw_only=True)
class JobRunDocument:
    """One run of a job; `done` counts the rows it processed."""

    job: str
    started_at: Timestamp
    duration_s: Seconds
    done: int
    is_manual: Annotated[bool, named("manual")]
    succeeded: bool
    error: str | None


@dataclass(slots=True, kw_only=True)
class PoisonRowDocument:
    """A row that a job cannot process, put off until `tried_again_at`."""

    row_key: Annotated[str, named("row")]
    error: str
    since: Timestamp
    times: int
    until: Annotated[Timestamp, named("tried_again_at")]


@dataclass(slots=True, kw_only=True)
class JobDocument:
    """A job: its next and last run, and its `runs` since `since`. `history` only after ?runs=."""

    name: str
    next_run: Timestamp | None
    running_since: Timestamp | None
    last_run: Timestamp | None
    last_duration_s: Seconds | None
    last_done: int | None
    average_s: Annotated[Seconds | None, named("average")]
    success_rate: Rate | None
    runs: int
    since: Timestamp | None
    is_failing: bool
    last_error: str | None
    last_error_at: Timestamp | None
    put_off: list[PoisonRowDocument]
    history: Annotated[list[JobRunDocument] | None, OPTIONAL] = None


@dataclass(slots=True, kw_only=True)
class JobsDocument:
    jobs: list[JobDocument]


@dataclass(slots=True, kw_only=True)
class HealthDocument:
    """The health of the daemon. Callers that are not authenticated get the status alone."""

    status: HealthStatus
    telegram: Annotated[str | None, OPTIONAL] = None
    database: Annotated[str | None, OPTIONAL] = None
    jobs: Annotated[str | None, OPTIONAL] = None
    waiting: Annotated[int | None, OPTIONAL] = None
    oldest_waiting_s: Annotated[float | None, OPTIONAL] = None
    warnings: Annotated[tuple[str, ...] | None, OPTIONAL] = None
    log_lines_dropped: Annotated[int | None, OPTIONAL] = None
    version: Annotated[str | None, OPTIONAL] = None


@dataclass(slots=True, kw_only=True)
class IndexDocument:
    """The endpoints of this server. Callers that are not authenticated get no version."""

    message: str
    version: Annotated[str | None, OPTIONAL] = None
    endpoints: dict[str, str]


def job_run(found: JobRun) -> JobRunDocument:
    return build(JobRunDocument, found, succeeded=found.error is None)


def job(
    name: str,
    status: JobStatus,
    statistics: JobStatistics,
    *,
    next_run: datetime | None,
    failures: Sequence[JobTrouble],
    history: Sequence[JobRun] | None,
) -> JobDocument:
    """Describe a job; `history` None leaves the field out."""
    last, last_failure = status.last_runs.get(name) or statistics.last, statistics.last_failure
    poison_rows = [build(PoisonRowDocument, each) for each in failures if each.row_key != job_failures.WHOLE_RUN]
    return build(
        JobDocument,
        statistics,
        name=name,
        next_run=next_run,
        running_since=status.running.get(name),
        last_run=last and last.started_at,
        last_duration_s=last and last.duration_s,
        last_done=last and last.done,
        is_failing=name in status.job_errors or bool(poison_rows),
        last_error=last_failure and last_failure.error,
        last_error_at=last_failure and last_failure.started_at,
        put_off=poison_rows,
        history=None if history is None else [job_run(each) for each in history],
    )
