"""Statistics of a job's runs, and how many of them are kept."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import Session, col, select

from notifybot.health import job_history
from notifybot.health.job_history import FAILURES_KEPT, KEPT_FOR, RUNS_KEPT, JobStatistics
from notifybot.model.schedules import JobRun
from notifybot.storage.database import Database

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def ran(session: Session, errors: Sequence[str | None], *, job: str = "close", until: datetime = NOW) -> None:
    """Insert runs a second apart, the last one at `until`."""
    for ago, error in zip(reversed(range(len(errors))), errors, strict=True):
        job_history.keep_run(session, JobRun(job=job, started_at=until - ago * SECOND, duration_s=0.5, error=error))


def kept(session: Session, *, job: str = "close") -> list[str | None]:
    return list(session.exec(select(JobRun.error).where(JobRun.job == job).order_by(col(JobRun.id))))


async def test_a_job_that_has_not_run_has_empty_statistics(database: Database) -> None:
    assert await database.read(lambda session: job_history.statistics(session, "close")) == JobStatistics()


async def test_statistics_count_a_jobs_own_runs(database: Database) -> None:
    def check(session: Session) -> JobStatistics:
        ran(session, [None, "first", None, "second", None])
        ran(session, ["another's"], job="escalation")
        return job_history.statistics(session, "close")

    found = await database.write(check)
    assert found.last is not None
    assert (found.last.error, found.last.started_at) == (None, NOW)
    assert found.last_failure is not None
    assert (found.last_failure.error, found.last_failure.started_at) == ("second", NOW - SECOND)
    assert (found.runs, found.since, found.success_rate, found.average_s) == (5, NOW - 4 * SECOND, 0.6, 0.5)


async def test_the_rate_is_that_of_the_newest_runs(database: Database) -> None:
    def check(session: Session) -> JobStatistics:
        ran(session, ["long ago"] * 5 + [None] * RUNS_KEPT)
        return job_history.statistics(session, "close")

    found = await database.write(check)
    assert (found.runs, found.success_rate) == (RUNS_KEPT, 1.0)
    assert found.last_failure is not None


async def test_a_kept_run_stays_the_callers(database: Database) -> None:
    """A transaction may run twice, and must insert the row both times."""
    run = JobRun(job="close", started_at=NOW, duration_s=0.1)

    def keep_twice(session: Session) -> int:
        job_history.keep_run(session, run)
        job_history.keep_run(session, run)
        session.flush()
        return len(kept(session))

    assert await database.write(keep_twice) == 2
    assert run.id is None


@pytest.mark.parametrize(
    ("facts", "after", "is_kept"),
    [
        ({}, timedelta(0), False),
        ({}, timedelta(seconds=299), False),
        ({}, timedelta(seconds=300), True),
        ({}, timedelta(hours=-1), True),
        ({"done": 1}, timedelta(0), True),
        ({"is_manual": True}, timedelta(0), True),
        ({"error": "broken"}, timedelta(0), True),
    ],
)
def test_an_idle_run_is_kept_once_in_five_minutes(facts: dict[str, Any], after: timedelta, is_kept: bool) -> None:
    run = JobRun(job="close", started_at=NOW + after, duration_s=0.1, **facts)
    assert job_history.is_worth_keeping(run, NOW) is is_kept
    assert job_history.is_worth_keeping(run, None)


async def test_the_newest_runs_stay_and_older_failures_beside_them(database: Database) -> None:
    def check(session: Session) -> list[str | None]:
        ran(session, ["old failure", *[None] * (RUNS_KEPT + 3)])
        session.flush()
        assert job_history.forget_old(session, now=NOW) == 3
        return kept(session)

    assert await database.write(check) == ["old failure", *[None] * RUNS_KEPT]


async def test_the_newest_failures_stay(database: Database) -> None:
    failures = [f"failure {number}" for number in range(FAILURES_KEPT + 2)]

    def check(session: Session) -> list[str | None]:
        ran(session, [*failures, None])
        ran(session, ["another's"], job="escalation")
        session.flush()
        assert job_history.forget_old(session, now=NOW) == 2
        assert kept(session, job="escalation") == ["another's"]
        return kept(session)

    assert await database.write(check) == [*failures[2:], None]


@pytest.mark.parametrize("error", [None, "broken"])
async def test_no_run_stays_longer_than_a_week(database: Database, error: str | None) -> None:
    def check(session: Session) -> int:
        ran(session, [error], until=NOW - KEPT_FOR - SECOND)
        ran(session, [error], until=NOW - KEPT_FOR + SECOND)
        session.flush()
        return job_history.forget_old(session, now=NOW)

    assert await database.write(check) == 1
