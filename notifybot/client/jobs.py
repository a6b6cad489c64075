"""The daemon's timed jobs, for admins: `Client().jobs()`. Standard library only."""

from datetime import datetime

from notifybot.client.reader import JsonObject, read, read_list
from notifybot.client.record import key, record, whole
from notifybot.client.transport import Transport
from notifybot.client.unix_http import HttpRequest, percent_encoded

STATUS = "/api/admin/scheduler/status"
RUN_TIMEOUT_S = 300.0
"""Longest run of a job that a caller waits for."""


@record(kw_only=True)
class JobRunInfo:
    """One run of a job. `done`: how many rows it processed; `error`: None if it succeeded."""

    job: str
    started_at: datetime
    duration_s: float
    done: int
    is_manual: bool = key("manual")
    error: str | None
    document: JsonObject = whole()


@record()
class PutOffRow:
    """A row that a job cannot process. It is retried at `tried_again_at`, and does not block other rows."""

    row: str
    error: str
    since: datetime
    times: int
    tried_again_at: datetime | None


@record(kw_only=True)
class JobInfo:
    """Statistics of a job's latest `runs`. `success_rate`: 0 to 1, None before the first run; `latest`: the runs
    themselves, if requested."""

    name: str
    next_run: datetime | None
    running_since: datetime | None
    last_run: datetime | None
    last_duration_s: float = 0
    average_s: float = key("average", default=0)
    success_rate: float | None
    runs: int
    is_failing: bool
    last_error: str | None
    last_error_at: datetime | None
    put_off: tuple[PutOffRow, ...]
    latest: tuple[JobRunInfo, ...] = key("history")
    document: JsonObject = whole()


class Jobs:
    """Calls about the timed jobs; for admins."""

    def __init__(self, calls: Transport) -> None:
        self._calls = calls

    def everything(self, *, runs: int = 0) -> tuple[JobInfo, ...]:
        """All jobs, each with its latest `runs` (at most 100), newest first."""
        found = self._calls.call(HttpRequest("GET", f"{STATUS}?runs={runs}" if runs else STATUS))
        return read_list(JobInfo, found, "jobs")

    def trigger(self, name: str) -> JobRunInfo:
        """Run a job once, now, and return the run. Refused (404) for an unknown name."""
        path = f"/api/admin/scheduler/jobs/{percent_encoded(name)}/trigger"
        return read(JobRunInfo, self._calls.attempt(HttpRequest("POST", path), extra_s=RUN_TIMEOUT_S))
