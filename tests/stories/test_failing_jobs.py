"""Failing jobs: one notice to the admins, a warning in /health meanwhile, and later retries of poison rows."""

import contextlib
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlmodel import Session

from notifybot.alerts import escalate
from notifybot.jobs import JOBS
from notifybot.jobs.batches import MAX_PUT_OFF, RowUnchanged, process_due
from notifybot.jobs.scheduler import run_job
from notifybot.model.schedules import JobRun
from tests.stories.conftest import MakeWorld
from tests.stories.places import Place
from tests.stories.world import Json, Sent, World

PUT_OFF = timedelta(minutes=10)


@pytest.fixture
async def told(another: MakeWorld) -> World:
    """Create a world whose admins are a group, titled Admins."""
    world = await another()
    world.sets(admins=[str(world.group("Admins").id)])
    await world.starts()
    return world


def admins_of(world: World) -> Place:
    (chat_id,) = world.runtime.config.admins
    return Place(world, int(chat_id), "Admins")


async def run(world: World, name: str) -> JobRun:
    (job,) = [job for job in JOBS if job.name == name]
    return await run_job(world.runtime, job)


@contextlib.contextmanager
def failing(world: World) -> Iterator[None]:
    """Make every run of `retention` fail: one of its tables is missing."""
    world.store.rows("ALTER TABLE link_secrets RENAME TO elsewhere")
    try:
        yield
    finally:
        world.store.rows("ALTER TABLE elsewhere RENAME TO link_secrets")


def poisoned(message: Sent, event: str = "escalated") -> contextlib.AbstractContextManager[None]:
    """Make the message a poison row: such an event cannot be written to its timeline."""
    only = f"NEW.message_id = '{message.id}' AND NEW.event = '{event}'"
    return message.world.store.refuse("INSERT ON timeline", only=only)


async def warnings(world: World) -> list[str]:
    found: list[str] = (await world.get("/health"))["warnings"]
    return found


# Poison rows


@pytest.mark.both_databases
async def test_a_poison_row_does_not_block_the_others(world: World, ops: Place) -> None:
    first, second, third = [await world.alert(f"disk {number} full", to=ops) for number in range(3)]
    for alert in (first, second, third):
        await alert.becomes("sent")
    with poisoned(second):
        world.moves(minutes=16)
        await run(world, "escalation")
        await first.becomes("escalated")
        await third.becomes("escalated")
        assert (await second.now())["status"] == "sent"
        assert second.accepted["escalate_at"] < (await second.now())["escalate_at"]

    world.moves(minutes=11)
    await world.ticks("escalation")
    await second.becomes("escalated")
    assert (await second.events()).count("escalated") == 1


async def test_a_row_that_was_put_off_is_not_retried_in_every_run(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops)
    await alert.becomes("sent")
    with poisoned(alert):
        world.moves(minutes=16)
        await run(world, "escalation")
        tried = world.log.count("a row cannot be processed and was put off")
        for _ in range(5):
            await run(world, "escalation")
        assert world.log.count("a row cannot be processed and was put off") == tried == 1


async def test_a_row_is_recorded_for_its_own_job_when_a_later_job_made_it_run(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops)
    await alert.becomes("sent")
    with poisoned(alert):
        world.moves(minutes=65)
        assert (await run(world, "close")).error is None
        await alert.becomes("closed")
    jobs = {job["name"]: job for job in (await world.get("/api/admin/scheduler/status"))["jobs"]}
    assert alert.id in jobs["escalation"]["last_error"]
    assert jobs["close"]["last_error"] is None
    assert (await run(world, "escalation")).error is None


async def test_health_names_a_row_for_as_long_as_it_is_put_off(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops)
    await alert.becomes("sent")
    with poisoned(alert, "closed"):
        world.moves(minutes=65)
        await run(world, "close")
        await run(world, "close")
        health = await world.get("/health")
        assert (health["status"], health["jobs"]) == ("degraded", "failing")
        (line,) = [line for line in health["warnings"] if alert.id in line]
        assert line.startswith("Job close cannot process a row (messages ")
        assert "broken" in line

    world.moves(minutes=11)
    await world.ticks()
    assert (await world.get("/health"))["jobs"] == "ok"


async def test_a_failing_reminder_does_not_block_the_others(world: World, ops: Place) -> None:
    first, second = [await world.alert(f"disk {n} full", to=ops, remind_every="10m") for n in range(2)]
    for alert in (first, second):
        await alert.becomes("sent")
    with world.store.refuse("INSERT ON deliveries", only=f"NEW.message_id = '{first.id}'"):
        world.moves(minutes=11)
        await run(world, "reminders")
        await ops.receives("Still open\ndisk 1 full")
        assert any(f"reminders cannot process a row (messages {first.id})" in line for line in await warnings(world))
    world.moves(minutes=11)
    await world.ticks("reminders")
    await ops.receives("Still open\ndisk 0 full")


async def test_a_row_that_was_settled_meanwhile_is_forgotten(told: World, ops: Place) -> None:
    ops = told.group("Operators")
    alert = await told.alert("disk full", to=ops)
    await alert.becomes("sent")
    with poisoned(alert):
        told.moves(minutes=16)
        await run(told, "escalation")
        assert (await alert.is_asked("acknowledge")).status == 200
    told.moves(minutes=11)
    await run(told, "escalation")
    assert not [line for line in await warnings(told) if "escalation cannot" in line]
    await admins_of(told).receives("Job escalation has recovered.")


async def rests(world: World) -> None:
    """Wait until each job has had its first run, and is scheduled again."""
    status = world.runtime.job_status

    def has_run() -> bool:
        return all(at is not None and at > world.clock.at for at in status.next_runs.values())

    await world.sees(has_run, "the jobs rest")


async def test_a_row_that_stays_due_is_put_off(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops, escalate_after="5h", close_after="10h")
    await alert.becomes("sent")
    await rests(world)
    world.moves(hours=6)

    def idle(session: Session, *, now: object, limit: int) -> int:
        return 1

    assert await process_due(world.runtime, "escalation", escalate.ESCALATIONS, idle) == 0
    assert RowUnchanged.__name__ in world.runtime.job_status.put_off["escalation"]
    next_at = await world.runtime.database.read(escalate.next_escalation)
    assert next_at is not None
    assert timedelta() <= world.clock.at + PUT_OFF - next_at < timedelta(seconds=1)


async def test_a_run_fails_where_every_row_fails(world: World, ops: Place) -> None:
    for number in range(MAX_PUT_OFF + 2):
        await world.alert(f"disk {number} full", to=ops)

    def broken(session: Session, *, now: object, limit: int) -> int:
        raise ValueError("no plan is valid")

    await rests(world)
    world.moves(hours=6)
    with pytest.raises(ValueError, match="no plan is valid"):
        await process_due(world.runtime, "escalation", escalate.ESCALATIONS, broken)
    (count,) = world.rows("SELECT count(*) FROM job_troubles WHERE job = 'escalation'")
    assert count == (MAX_PUT_OFF,)


@pytest.mark.sqlite_only(reason="to PostgreSQL a table that is not there is a fault of the statement")
async def test_a_fault_of_the_database_fails_the_run_and_puts_nothing_off(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops)
    await alert.becomes("sent")
    world.store.rows("ALTER TABLE timeline RENAME TO elsewhere")
    world.moves(minutes=16)
    assert (await run(world, "escalation")).error == "OperationalError: no such table: timeline"
    world.store.rows("ALTER TABLE elsewhere RENAME TO timeline")
    assert (await alert.now())["escalate_at"] == alert.accepted["escalate_at"]
    await run(world, "escalation")
    await alert.becomes("escalated")


# Notices to the admins


@pytest.mark.both_databases
async def test_admins_are_notified_once_when_a_job_fails_and_once_when_it_works_again(told: World) -> None:
    admins = admins_of(told)
    with failing(told):
        for _ in range(5):
            assert (await run(told, "retention")).error
            told.moves(minutes=1)
        await admins.receives("Job retention is failing:")
    await run(told, "retention")
    told.moves(minutes=11)
    await run(told, "retention")
    recovery = await admins.receives("Job retention has recovered. It failed ")
    assert "from 2026-03-02 09:00 to 2026-03-02 09:0" in recovery.text
    for _ in range(3):
        told.moves(minutes=11)
        await run(told, "retention")
    await told.is_quiet()
    assert len(admins.texts) == 2


async def test_a_flaky_job_is_reported_once(told: World) -> None:
    admins = admins_of(told)
    for _ in range(6):
        with failing(told):
            await run(told, "retention")
        told.moves(minutes=3)
        await run(told, "retention")
        told.moves(minutes=3)
    await admins.receives("Job retention is failing:")
    await told.is_quiet()
    assert len(admins.texts) == 1


async def test_a_restart_repeats_no_notice(told: World) -> None:
    admins = admins_of(told)
    with failing(told):
        await run(told, "retention")
        await admins.receives("Job retention is failing:")
        await told.restarts()
        await run(told, "retention")
        await told.is_quiet()
        assert len(admins.texts) == 1


async def test_admins_are_notified_of_a_row_that_is_put_off(told: World) -> None:
    ops = told.group("Operators")
    alert = await told.alert("disk full", to=ops)
    await alert.becomes("sent")
    with poisoned(alert):
        for _ in range(3):
            told.moves(minutes=16)
            await run(told, "escalation")
            await told.is_quiet()  # else the clock moves past the end of a call's claim
        await admins_of(told).receives(
            f"Job escalation cannot process a row (messages {alert.id}) and will retry it later:"
        )
        await told.is_quiet()
        assert len(admins_of(told).texts) == 1


async def test_an_admin_without_a_chat_does_not_keep_notices_from_others(another: MakeWorld) -> None:
    world = await another()
    world.sets(admins=["anna", str(world.group("Admins").id)])
    await world.starts()
    with failing(world):
        await run(world, "retention")
        await Place(world, int(world.runtime.config.admins[1]), "Admins").receives("Job retention is failing:")
    await world.logs("a notice of our own reaches nobody")
    assert "These admins get no job failure notices because they have no chat with the bot: anna." in await warnings(
        world
    )


async def test_health_is_ok_again_after_the_next_successful_run(world: World) -> None:
    with failing(world):
        await run(world, "retention")
        health = await world.get("/health")
        assert (health["status"], health["jobs"]) == ("degraded", "failing")
        assert any(line.startswith("Job retention is failing: ") for line in health["warnings"])
    await run(world, "retention")
    assert (await world.get("/health"))["jobs"] == "ok"


# Manual runs


async def test_a_manual_run_does_what_is_due(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops)
    await alert.becomes("sent")
    world.moves(minutes=16)
    ran = await triggered(world, "escalation")
    assert (ran["succeeded"], ran["manual"], ran["error"]) == (True, True, None)
    await alert.becomes("escalated")


async def test_a_failed_manual_run_says_why(world: World) -> None:
    with failing(world):
        ran = await triggered(world, "retention")
        assert not ran["succeeded"]
        assert "link_secrets" in ran["error"]
        jobs = (await world.get("/api/admin/scheduler/status?runs=100"))["jobs"]
    (job,) = [each for each in jobs if each["name"] == "retention"]
    assert (job["is_failing"], job["last_error"]) == (True, ran["error"])
    assert ran in job["history"]


async def triggered(world: World, name: str) -> Json:
    async def ask() -> Json | None:
        """Repeat the request, since the jobs start a little after the socket."""
        answer = await world.ask("POST", f"/api/admin/scheduler/jobs/{name}/trigger")
        return answer.body if answer.status == 200 else None

    return await world.learns(ask, f"the job {name} runs by hand")
