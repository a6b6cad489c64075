"""When the admins are told of a job, and what of it is remembered."""

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
    """A tick fails."""
    failed = run(at, error)
    job_failures.note_failure(session, failed, now=at)
    return settled(session, failed, at)


def goes_well(session: Session, at: datetime, *, job: str = "close") -> JobNotice | None:
    return settled(session, run(at, job=job), at)


def puts_off(session: Session, at: datetime, row: str, error: str = "KeyError: 'to'") -> JobNotice | None:
    job_failures.note_put_off(session, "close", row, error, now=at, until=at + PUT_OFF)
    return settled(session, run(at, f"cannot work on {row}"), at)


def settled(session: Session, ran: JobRun, at: datetime) -> JobNotice | None:
    session.flush()
    news = job_failures.settle(session, ran, now=at)
    session.flush()
    return news


async def told(database: Database, story: Callable[[Session], list[JobNotice | None]]) -> list[str]:
    """The titles of what was told."""
    return [news.title for news in await database.write(story) if news is not None]


async def test_a_failure_is_told_at_once_and_its_end_after_a_calm(database: Database) -> None:
    def story(session: Session) -> list[JobNotice | None]:
        failures = [fails(session, NOW + n * MINUTE) for n in range(3)]
        early = goes_well(session, NOW + 2 * MINUTE + QUIET_PERIOD - MINUTE)
        return [*failures, early, goes_well(session, NOW + 2 * MINUTE + QUIET_PERIOD)]

    assert await told(database, story) == ["A notifybot job fails", "A notifybot job works again"]


async def test_what_is_told_at_the_end_says_when_and_how_often(database: Database) -> None:
    def story(session: Session) -> list[JobNotice | None]:
        fails(session, NOW)
        fails(session, NOW + 5 * MINUTE)
        return [goes_well(session, NOW + timedelta(hours=1))]

    (news,) = await database.write(story)
    assert news is not None
    assert news.content == (
        "The job close works again. It failed 2 times, from 2026-03-01 12:00 to 2026-03-01 12:05 UTC."
    )


async def test_a_single_failure_is_told_as_one(database: Database) -> None:
    def story(session: Session) -> list[JobNotice | None]:
        fails(session, NOW)
        return [goes_well(session, NOW + timedelta(hours=1))]

    (news,) = await database.write(story)
    assert news is not None
    assert news.content == "The job close works again. It failed once, at 2026-03-01 12:00 UTC."


async def test_a_job_that_falls_back_within_the_calm_is_not_told_of_again(database: Database) -> None:
    def story(session: Session) -> list[JobNotice | None]:
        said = []
        for number in range(10):
            at = NOW + number * 8 * MINUTE
            said += [fails(session, at), goes_well(session, at + 4 * MINUTE)]
        return said

    assert await told(database, story) == ["A notifybot job fails"]


async def test_anothers_good_tick_settles_nothing(database: Database) -> None:
    def story(session: Session) -> list[JobNotice | None]:
        fails(session, NOW)
        return [goes_well(session, NOW + timedelta(hours=1), job="escalation")]

    assert await told(database, story) == []
    assert len(await database.read(lambda session: job_failures.failures_of(session, "close"))) == 1


async def test_a_row_that_fails_again_and_again_is_told_of_once(database: Database) -> None:
    def story(session: Session) -> list[JobNotice | None]:
        said = [puts_off(session, NOW + n * PUT_OFF, "messages 1") for n in range(20)]
        return [*said, goes_well(session, NOW + 20 * PUT_OFF)]

    assert await told(database, story) == ["A notifybot job fails", "A notifybot job works again"]


async def test_further_rows_are_told_of_an_hour_later_together(database: Database) -> None:
    def story(session: Session) -> list[JobNotice | None]:
        first = puts_off(session, NOW, "messages 1")
        others = [puts_off(session, NOW + n * MINUTE, f"messages {n}") for n in (2, 3)]
        return [first, *others, puts_off(session, NOW + NOTICE_INTERVAL, "messages 1")]

    found = [news.content for news in await database.write(story) if news is not None]
    assert len(found) == 2
    assert found[0].startswith("The job close cannot process a row (messages 1) and puts it off: KeyError: 'to'\n")
    assert found[1].startswith("The job close cannot process 2 rows (messages 2 first) and puts them off:")


async def test_a_row_is_remembered_until_a_good_tick_after_its_time(database: Database) -> None:
    def story(session: Session) -> list[dict[str, str]]:
        puts_off(session, NOW, "messages 1")
        goes_well(session, NOW + PUT_OFF - MINUTE)
        early = job_failures.put_off_warnings(session)
        goes_well(session, NOW + PUT_OFF)
        return [early, job_failures.put_off_warnings(session)]

    early, late = await database.write(story)
    assert early == {"close": "cannot process a row (messages 1) and puts it off: KeyError: 'to'"}
    assert late == {}


async def test_only_so_many_rows_are_remembered(database: Database) -> None:
    def story(session: Session) -> int:
        for number in range(MAX_ROWS + 5):
            job_failures.note_put_off(session, "close", f"messages {number}", "x", now=NOW, until=NOW + PUT_OFF)
            session.flush()
        return len(job_failures.failures_of(session, "close"))

    assert await database.write(story) == MAX_ROWS
