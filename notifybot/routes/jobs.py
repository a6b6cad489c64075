"""Show jobs and run one now; for admins."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from aiohttp import web
from pydantic import BeforeValidator, WithJsonSchema
from sqlmodel import Session

from notifybot.auth.permissions import Action
from notifybot.errors import Conflict, NotFound, Unavailable, did_you_mean
from notifybot.health import job_failures, job_history
from notifybot.health.job_history import JobStatistics
from notifybot.model.schedules import JobRun, JobTrouble
from notifybot.runtime import Runtime
from notifybot.schemas.responses import jobs as documents
from notifybot.schemas.responses.jobs import JobRunDocument, JobsDocument
from notifybot.summaries import plan
from notifybot.web.bodies import RequestFields, read_fields, read_query
from notifybot.web.documents import json_response
from notifybot.web.problems import shortened
from notifybot.web.route import Route, runtime_of

MAX_RUNS = 100
STATUS = "/api/admin/scheduler/status"
TRIGGER = "/api/admin/scheduler/jobs/{name}/trigger"


def _runs(value: object) -> int:
    digits = str(value)
    if not (digits.isascii() and digits.isdecimal()) or int(digits[:4]) > MAX_RUNS or len(digits) > 4:
        raise ValueError(f"this must be a whole number from 0 to {MAX_RUNS}")
    return int(digits)


_RUNS = {"type": "integer", "minimum": 0, "maximum": MAX_RUNS}


class StatusQuery(RequestFields):
    """`runs`: how many of the latest runs to list for each job."""

    runs: Annotated[int, BeforeValidator(_runs), WithJsonSchema(_RUNS)] = 0


@dataclass(frozen=True)
class _JobRecord:
    """The database's records of a job."""

    statistics: JobStatistics
    failures: Sequence[JobTrouble]
    runs: Sequence[JobRun]


async def status(request: web.Request) -> web.Response:
    query = read_query(request, StatusQuery)
    runtime = runtime_of(request)
    names = list(runtime.job_status.next_runs)
    found = await runtime.database.read(partial(_read_record, names=names, runs=query.runs))
    summary = partial(plan.next_summary, defaults=plan.defaults_of(runtime.config), now=runtime.clock.now())
    next_runs = runtime.job_status.next_runs.copy()
    if next_runs.get(plan.JOB) is not None:  # people mean the summary, not the next look at what is due
        next_runs[plan.JOB] = await runtime.database.read(summary)
    jobs = [
        documents.job(
            name,
            runtime.job_status,
            record.statistics,
            next_run=next_runs.get(name),
            failures=record.failures,
            history=record.runs if query.runs else None,
        )
        for name, record in found.items()
    ]
    return json_response(JobsDocument(jobs=jobs))


def _read_record(session: Session, names: Sequence[str], runs: int) -> dict[str, _JobRecord]:
    return {
        name: _JobRecord(
            job_history.statistics(session, name),
            job_failures.failures_of(session, name),
            job_history.latest_runs(session, name, limit=runs),
        )
        for name in names
    }


async def trigger(request: web.Request) -> web.Response:
    """Run a job now, after its current run, and return the outcome."""
    if request.method == "HEAD":  # HEAD must not run it
        raise web.HTTPMethodNotAllowed("HEAD", ["GET", "POST"])
    if request.method == "POST":
        await read_fields(request, RequestFields)
    runtime, name = runtime_of(request), request.match_info["name"]
    _check_may_run(runtime, name)
    if runtime.job_status.run_now is None:
        raise Unavailable("The jobs have not started yet: updates from Telegram come first.", hint="Try again soon.")
    return json_response(documents.job_run(await runtime.job_status.run_now(name)))


def _check_may_run(runtime: Runtime, name: str) -> None:
    """Raise NotFound for an unknown job, Conflict if its current run hangs."""
    names = list(runtime.job_status.next_runs)
    if name not in names:
        near = did_you_mean(shortened(name), names)
        guess = "" if near is None else f"Did you mean {near}? "
        raise NotFound(f"There is no job {shortened(name)}.", hint=f"{guess}Jobs are {', '.join(names)}.")
    if span := runtime.job_status.hanging(runtime.clock.now()).get(name):
        minutes = int(span.total_seconds() // 60)
        hint = "Restart the daemon if it stays so: no work is lost or done twice."
        raise Conflict(f"{name} has been running for {minutes} minutes.", hint=hint)


ROUTES = (
    Route(
        "GET",
        STATUS,
        status,
        JobsDocument,
        "Show each job: next and last run, duration, success rate, last error, poison rows; ?runs=N lists its runs.",
        Action.ADMINISTER,
        query=StatusQuery,
    ),
    Route("POST", TRIGGER, trigger, JobRunDocument, "Run a job now.", Action.ADMINISTER, body=RequestFields),
    Route("GET", TRIGGER, trigger, JobRunDocument, "Run a job now.", Action.ADMINISTER),
)
