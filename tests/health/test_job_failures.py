"""Notices to admins about failing jobs, and the failures that are recorded."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlmodel import Session

from notifybot.health import job_failures
from notifybot.health.job_failures import MAX_ROWS, NOTICE_INTERVAL, QUIET_PERIOD, JobNotice
from notifybot.model.schedules import JobRun
from notifybot.storage.database import Database

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PUT_OFF = 10 * MINUTE


def run(at: datetime, error: str | None = None, *, job: str = "close") -> JobRun:
    return JobRun(job=job, started_at=at, duration_s=0.1, error=error)


def fails(session: Session, at: datetime, error: str = "KeyError: 'to'") -> JobNotice | None:
    """A run fails."""
    failed = run(at, error)
    job_failures.note_failure(session, failed, now=at)
    return settled(session, failed, at)


def succeeds(session: Session, at: datetime, *, job: str = "close") -> JobNotice | None:
    return settled(session, run(at, job=job), at)


def puts_off(session: Session, at: datetime, row: str, error: str = "KeyError: 'to'") -> JobNotice | None:
    job_failures.note_put_off(session, "close", row, error, now=at, until=at + PUT_OFF)
    return settled(session, run(at, f"cannot process {row}"), at)


def settled(session: Session, ran: JobRun, at: datetime) -> JobNotice | None:
    session.flush()
    notice = job_failures.settle(session, ran, now=at)
    session.flush()
    return notice


async def titles(database: Database, story: Callable[[Session], list[JobNotice | None]]) -> list[str]:
    """Return the titles of the notices."""
    return [notice.title for notice in await database.write(story) if notice is not None]


async def test_a_failure_is_reported_at_once_and_its_end_after_the_quiet_period(database: Database) -> None:
    def story(session: Session) -> list[JobNotice | None]:
        failures = [fails(session, NOW + n * MINUTE) for n in range(3)]
        early = succeeds(session, NOW + 2 * MINUTE + QUIET_PERIOD - MINUTE)
        return [*failures, early, succeeds(session, NOW + 2 * MINUTE + QUIET_PERIOD)]

    assert await titles(database, story) == ["notifybot job failing", "notifybot job recovered"]


async def test_the_recovery_notice_says_when_and_how_often_it_failed(database: Database) -> None:
    def story(session: Session) -> list[JobNotice | None]:
        fails(session, NOW)
        fails(session, NOW + 5 * MINUTE)
        return [succeeds(session, NOW + timedelta(hours=1))]

    (notice,) = await database.write(story)
    assert notice is not None
    assert notice.content == (
        "Job close has recovered. It failed 2 times, from 2026-03-01 12:00 to 2026-03-01 12:05 UTC."
    )


async def test_a_single_failure_has_a_single_time(database: Database) -> None:
    def story(session: Session) -> list[JobNotice | None]:
        fails(session, NOW)
        return [succeeds(session, NOW + timedelta(hours=1))]

    (notice,) = await database.write(story)
    assert notice is not None
    assert notice.content == "Job close has recovered. It failed once, at 2026-03-01 12:00 UTC."


async def test_a_job_that_fails_again_within_the_quiet_period_is_not_reported_again(database: Database) -> None:
    def story(session: Session) -> list[JobNotice | None]:
        said = []
        for number in range(10):
            at = NOW + number * 8 * MINUTE
            said += [fails(session, at), succeeds(session, at + 4 * MINUTE)]
        return said

    assert await titles(database, story) == ["notifybot job failing"]


async def test_the_success_of_another_job_settles_nothing(database: Database) -> None:
    def story(session: Session) -> list[JobNotice | None]:
        fails(session, NOW)
        return [succeeds(session, NOW + timedelta(hours=1), job="escalation")]

    assert await titles(database, story) == []
    assert len(await database.read(lambda session: job_failures.failures_of(session, "close"))) == 1


async def test_a_row_that_keeps_failing_is_reported_once(database: Database) -> None:
    def story(session: Session) -> list[JobNotice | None]:
        said = [puts_off(session, NOW + n * PUT_OFF, "messages 1") for n in range(20)]
        return [*said, succeeds(session, NOW + 20 * PUT_OFF)]

    assert await titles(database, story) == ["notifybot job failing", "notifybot job recovered"]


async def test_further_rows_are_reported_together_an_hour_later(database: Database) -> None:
    def story(session: Session) -> list[JobNotice | None]:
        first = puts_off(session, NOW, "messages 1")
        others = [puts_off(session, NOW + n * MINUTE, f"messages {n}") for n in (2, 3)]
        return [first, *others, puts_off(session, NOW + NOTICE_INTERVAL, "messages 1")]

    found = [notice.content for notice in await database.write(story) if notice is not None]
    assert len(found) == 2
    assert found[0].startswith("Job close cannot process a row (messages 1) and will retry it later: KeyError: 'to'\n")
    assert found[1].startswith("Job close cannot process 2 rows (messages 2 first) and will retry them later:")


async def test_a_row_is_recorded_until_a_run_succeeds_after_its_retry(database: Database) -> None:
    def story(session: Session) -> list[dict[str, str]]:
        puts_off(session, NOW, "messages 1")
        succeeds(session, NOW + PUT_OFF - MINUTE)
        early = job_failures.put_off_warnings(session)
        succeeds(session, NOW + PUT_OFF)
        return [early, job_failures.put_off_warnings(session)]

    early, late = await database.write(story)
    assert early == {"close": "cannot process a row (messages 1) and will retry it later: KeyError: 'to'"}
    assert late == {}


async def test_only_so_many_rows_are_recorded(database: Database) -> None:
    def story(session: Session) -> int:
        for number in range(MAX_ROWS + 5):
            job_failures.note_put_off(session, "close", f"messages {number}", "x", now=NOW, until=NOW + PUT_OFF)
            session.flush()
        return len(job_failures.failures_of(session, "close"))

    assert await database.write(story) == MAX_ROWS
