"""The timed jobs, for admins: when each runs next, how it did so far, and running one now."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from aiohttp import web
from pydantic import BeforeValidator, WithJsonSchema
from sqlmodel import Session

from notifybot.auth.permissions import Action
from notifybot.errors import Conflict, NotFound, Unavailable
from notifybot.health import job_failures, job_history
from notifybot.health.job_history import JobStatistics
from notifybot.model.schedules import JobRun, JobTrouble
from notifybot.runtime import Runtime
from notifybot.schemas import responses
from notifybot.schemas.responses import Document
from notifybot.web.bodies import RequestFields, read_fields, read_query
from notifybot.web.problems import shortened
from notifybot.web.route import Route, runtime_of

MOST_RUNS = 100
STATUS = "/api/admin/scheduler/status"
TRIGGER = "/api/admin/scheduler/jobs/{name}/trigger"


def _runs(value: object) -> int:
    digits = str(value)
    if not (digits.isascii() and digits.isdecimal()) or int(digits[:4]) > MOST_RUNS or len(digits) > 4:
        raise ValueError(f"this is a whole number from 0 to {MOST_RUNS}")
    return int(digits)


_RUNS = {"type": "integer", "minimum": 0, "maximum": MOST_RUNS}


class StatusQuery(RequestFields):
    """`runs`: so many of the latest runs of each job are listed too."""

    runs: Annotated[int, BeforeValidator(_runs), WithJsonSchema(_RUNS)] = 0


@dataclass(frozen=True)
class _JobRecord:
    """What the database says of one job."""

    standing: JobStatistics
    troubles: Sequence[JobTrouble]
    runs: Sequence[JobRun]


async def status(request: web.Request) -> web.Response:
    """Every job: when it runs next, and how it did."""
    query = read_query(request, StatusQuery)
    runtime = runtime_of(request)
    names = list(runtime.progress.next_runs)
    found = await runtime.database.read(partial(_read_record, names=names, runs=query.runs))
    jobs = [_job(name, look, runtime, lists_runs=query.runs > 0) for name, look in found.items()]
    return responses.json_response({"jobs": jobs})


def _read_record(session: Session, names: Sequence[str], runs: int) -> dict[str, _JobRecord]:
    return {
        name: _JobRecord(
            job_history.statistics(session, name),
            job_failures.failures_of(session, name),
            job_history.latest_runs(session, name, most=runs),
        )
        for name in names
    }


def _job(name: str, look: _JobRecord, runtime: Runtime, *, lists_runs: bool) -> Document:
    progress, standing = runtime.progress, look.standing
    put_off = [_put_off(each) for each in look.troubles if each.row_key != job_failures.WHOLE_RUN]
    document: Document = {
        "name": name,
        "next_run": responses.moment(progress.next_runs.get(name)),
        "running_since": responses.moment(progress.running.get(name)),
        **_last(progress.last_runs.get(name) or standing.last),
        "average": _seconds(standing.average_s),
        "success_rate": None if standing.success_rate is None else round(standing.success_rate, 4),
        "runs": standing.runs,
        "since": responses.moment(standing.since),
        "is_failing": name in progress.job_errors or bool(put_off),
        **_last_failure(standing.last_failure),
        "put_off": put_off,
    }
    return {**document, "history": [run_document(each) for each in look.runs]} if lists_runs else document


def _last(found: JobRun | None) -> Document:
    return {
        "last_run": found and responses.moment(found.started_at),
        "last_duration_s": found and _seconds(found.duration_s),
        "last_done": found and found.done,
    }


def _last_failure(found: JobRun | None) -> Document:
    return {"last_error": found and found.error, "last_error_at": found and responses.moment(found.started_at)}


def _put_off(trouble: JobTrouble) -> Document:
    return {
        "row": trouble.row_key,
        "error": trouble.error,
        "since": responses.moment(trouble.since),
        "times": trouble.times,
        "tried_again_at": responses.moment(trouble.until),
    }


def run_document(found: JobRun) -> Document:
    return {
        "job": found.job,
        "started_at": responses.moment(found.started_at),
        "duration_s": _seconds(found.duration_s),
        "done": found.done,
        "manual": found.is_manual,
        "succeeded": found.error is None,
        "error": found.error,
    }


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


async def trigger(request: web.Request) -> web.Response:
    """Run one tick now, after one that is under way, and answer what came of it."""
    if request.method == "HEAD":  # whoever looks whether there is something here does not want it done
        raise web.HTTPMethodNotAllowed("HEAD", ["GET", "POST"])
    if request.method == "POST":
        await read_fields(request, RequestFields)
    runtime, name = runtime_of(request), request.match_info["name"]
    _check_may_run(runtime, name)
    if runtime.progress.by_hand is None:
        raise Unavailable("The jobs have not begun yet: what waits at Telegram comes first.", hint="Try again soon.")
    return responses.json_response(run_document(await runtime.progress.by_hand(name)))


def _check_may_run(runtime: Runtime, name: str) -> None:
    """Raise NotFound for a job that does not exist, Conflict for one whose tick does not end."""
    names = list(runtime.progress.next_runs)
    if name not in names:
        raise NotFound(f"There is no job {shortened(name)}.", hint=" ".join(_hints(name, names)))
    if span := runtime.progress.hanging(runtime.clock.now()).get(name):
        minutes = int(span.total_seconds() // 60)
        hint = "Restart the daemon if it goes on: what it does is done once all the same."
        raise Conflict(f"{name} has been at work for {minutes} minutes, and does not end.", hint=hint)


def _hints(name: str, names: Sequence[str]) -> Iterator[str]:
    if near := difflib.get_close_matches(shortened(name), names, n=1):
        yield f"Did you mean {near[0]}?"
    yield f"Jobs are {', '.join(names)}."


ROUTES = (
    Route(
        "GET",
        STATUS,
        status,
        "The timed jobs: next and last run, duration, success rate, last error, rows put off; ?runs=N lists runs.",
        Action.ADMINISTER,
        query=StatusQuery,
    ),
    Route(
        "POST",
        TRIGGER,
        trigger,
        "Run one tick of a job now; answers its result.",
        Action.ADMINISTER,
        body=RequestFields,
    ),
    Route("GET", TRIGGER, trigger, "The same.", Action.ADMINISTER),
)
