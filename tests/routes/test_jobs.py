"""Jobs over HTTP, for admins: status and manual runs."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from notifybot.jobs import JOBS
from tests.support.door import WITHIN_S, Door, Json, assert_problem
from tests.support.remote import wire

pytestmark = pytest.mark.asyncio(loop_scope="module")
STATUS = "/api/admin/scheduler/status"
NAMES = [job.name for job in JOBS]


def trigger(name: str) -> str:
    return f"/api/admin/scheduler/jobs/{name}/trigger"


@pytest_asyncio.fixture(loop_scope="module")
async def begun(shared: Door) -> AsyncIterator[Door]:
    """Return the shared daemon, once each job has run."""
    async with asyncio.timeout(WITHIN_S):
        while any(job["last_run"] is None for job in await jobs(shared)):
            pass
    yield shared


async def jobs(door: Door, query: str = "") -> list[Json]:
    answer = await door.ask("GET", STATUS + query)
    assert answer.status == 200, answer
    found: list[Json] = answer.json["jobs"]
    return found


async def test_every_job_is_listed_with_its_last_run(begun: Door) -> None:
    found = await jobs(begun)
    assert [job["name"] for job in found] == NAMES
    for job in found:
        assert job["next_run"] > job["last_run"] >= job["since"]
        assert job["average"] > 0
        assert job["last_duration_s"] > 0
        assert (job["success_rate"], job["last_error"], job["is_failing"]) == (1.0, None, False)
        assert job["runs"] >= 1
        assert job["put_off"] == []
        assert "history" not in job


async def test_the_next_run_of_the_daily_summary_is_the_next_summary(begun: Door) -> None:
    (summary,) = [job for job in await jobs(begun) if job["name"] == "telegram_daily_summary"]
    assert summary["next_run"].endswith("T09:00:00.000Z")


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("name", NAMES)
async def test_a_manual_run_returns_its_outcome(begun: Door, method: str, name: str) -> None:
    answer = await begun.ask(method, trigger(name))
    assert answer.status == 200, answer
    ran = answer.json
    assert (ran["job"], ran["manual"], ran["succeeded"], ran["error"]) == (name, True, True, None)
    (job,) = [job for job in await jobs(begun, "?runs=100") if job["name"] == name]
    assert ran in job["history"]


async def test_the_newest_runs_come_first(begun: Door) -> None:
    for _ in range(3):
        await begun.ask("POST", trigger("close"))
    (close,) = [job for job in await jobs(begun, "?runs=2") if job["name"] == "close"]
    assert len(close["history"]) == 2
    first, second = close["history"]
    assert first["started_at"] >= second["started_at"]
    assert close["last_run"] == first["started_at"]


async def test_an_unknown_job_is_refused_with_the_nearest(shared: Door) -> None:
    problem = assert_problem(await shared.ask("POST", trigger("escalations")), 404)
    assert problem["hint"].startswith("Did you mean escalation? Jobs are ")


@pytest.mark.parametrize("query", ["?runs=101", "?runs=-1", "?runs=x", "?runs=", "?run=1", "?runs=1&runs=2", "?runs=٣"])
async def test_an_invalid_query_is_refused(shared: Door, query: str) -> None:
    assert_problem(await shared.ask("GET", STATUS + query), 400)


async def test_a_body_is_refused(shared: Door) -> None:
    assert_problem(await shared.ask("POST", trigger("close"), {"now": True}), 400)


async def test_a_head_request_does_not_run_the_job(begun: Door) -> None:
    async def manual() -> int:
        return sum(run["manual"] for job in await jobs(begun, "?runs=100") for run in job["history"])

    before = await manual()
    async with begun.connection() as line:
        await line.say(f"HEAD {trigger('close')} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = await line.answer(has_body=False)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")
    assert await manual() == before


async def test_a_job_that_does_not_end_is_reported_and_not_started_again(shared: Door) -> None:
    progress, clock = shared.daemon.runtime.job_status, shared.daemon.runtime.clock
    progress.running["close"] = clock.now() - timedelta(minutes=31)
    try:
        problem = assert_problem(await shared.ask("POST", trigger("close")), 409)
        health = (await shared.ask("GET", "/health")).json
    finally:
        del progress.running["close"]
    assert problem["detail"] == "close has been running for 31 minutes."
    assert (health["status"], health["jobs"]) == ("degraded", "failing")
    assert "Job close has been running for 31 minutes." in health["warnings"]


async def test_no_manual_run_before_the_jobs_have_started(shared: Door) -> None:
    progress = shared.daemon.runtime.job_status
    by_hand, progress.run_now = progress.run_now, None
    try:
        answer = await shared.ask("POST", trigger("close"))
    finally:
        progress.run_now = by_hand
    assert_problem(answer, range(503, 504))
    assert answer.headers["retry-after"]


async def test_jobs_are_for_admins(folder: Path) -> None:
    async with wire(folder) as line:
        for scopes, status in ((["send", "read"], 403), (["admin"], 200)):
            token = await line.token("-".join(scopes), scopes=scopes)
            assert (await line.bearing(token, "GET", STATUS)).status == status
        assert_problem(await line.ask("GET", STATUS), 401)
        assert_problem(await line.ask("POST", trigger("close")), 401)
