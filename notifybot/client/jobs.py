"""The daemon's timed jobs, for admins, from Python: `Client().jobs()`. Standard library only."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from notifybot.client.json_fields import JsonFields, JsonObject
from notifybot.client.transport import Transport
from notifybot.client.unix_http import HttpRequest

STATUS = "/api/admin/scheduler/status"
RUN_TIMEOUT_S = 300.0
"""So long a job that is run by hand may take before its answer counts as lost."""


@dataclass(frozen=True)
class JobRunInfo:
    """One tick of a job. `done`: how much it did; `error` None: it went well."""

    job: str
    started_at: datetime
    duration_s: float
    done: int
    is_manual: bool
    error: str | None
    document: JsonObject


@dataclass(frozen=True)
class PutOffRow:
    """A row that a job cannot do; it is tried again at `tried_again_at`, and holds up no other meanwhile."""

    row: str
    error: str
    since: datetime
    times: int
    tried_again_at: datetime | None


@dataclass(frozen=True)
class JobInfo:
    """How a job did in its latest `runs`. `success_rate` from 0 to 1, None before the first run; `latest`: the runs
    themselves, where they were asked for."""

    name: str
    next_run: datetime | None
    running_since: datetime | None
    last_run: datetime | None
    last_duration_s: float
    average_s: float
    success_rate: float | None
    runs: int
    is_failing: bool
    last_error: str | None
    last_error_at: datetime | None
    put_off: tuple[PutOffRow, ...]
    latest: tuple[JobRunInfo, ...]
    document: JsonObject


class Jobs:
    """Calls about the timed jobs; for admins."""

    def __init__(self, calls: Transport) -> None:
        self._calls = calls

    def everything(self, *, runs: int = 0) -> tuple[JobInfo, ...]:
        """All jobs, each with so many of its latest runs, newest first (at most 100)."""
        fields = JsonFields(self._calls.call(HttpRequest("GET", f"{STATUS}?runs={runs}" if runs else STATUS)))
        return tuple(_job(each) for each in fields.each("jobs"))

    def trigger(self, name: str) -> JobRunInfo:
        """Run a job once, now, and return what came of it. Refused (404) where there is none of this name."""
        path = f"/api/admin/scheduler/jobs/{quote(name, safe='')}/trigger"
        return _run(JsonFields(self._calls.attempt(HttpRequest("POST", path), extra_s=RUN_TIMEOUT_S)))


def _job(fields: JsonFields) -> JobInfo:
    return JobInfo(
        name=fields.text("name"),
        next_run=fields.moment_or_none("next_run"),
        running_since=fields.moment_or_none("running_since"),
        last_run=fields.moment_or_none("last_run"),
        last_duration_s=fields.number("last_duration_s"),
        average_s=fields.number("average"),
        success_rate=None if fields.document.get("success_rate") is None else fields.number("success_rate"),
        runs=int(fields.number("runs")),
        is_failing=fields.truth("is_failing"),
        last_error=fields.text_or_none("last_error"),
        last_error_at=fields.moment_or_none("last_error_at"),
        put_off=tuple(_put_off(each) for each in fields.each("put_off")),
        latest=tuple(_run(each) for each in fields.each("history")),
        document=fields.document,
    )


def _put_off(fields: JsonFields) -> PutOffRow:
    return PutOffRow(
        row=fields.text("row"),
        error=fields.text("error"),
        since=fields.moment("since"),
        times=int(fields.number("times")),
        tried_again_at=fields.moment_or_none("tried_again_at"),
    )


def _run(fields: JsonFields) -> JobRunInfo:
    return JobRunInfo(
        job=fields.text("job"),
        started_at=fields.moment("started_at"),
        duration_s=fields.number("duration_s"),
        done=int(fields.number("done")),
        is_manual=fields.truth("manual"),
        error=fields.text_or_none("error"),
        document=fields.document,
    )
