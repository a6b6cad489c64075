"""A job that fails says so, once to its admins and for as long as it lasts in /health; a spoiled row is put off."""

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
    """A world whose admins are in a group of their own, `-100…` by its title Admins."""
    world = await another()
    world.sets(admins=[str(world.group("Admins").id)])
    await world.starts()
    return world


def admins_of(world: World) -> Place:
    (chat_id,) = world.runtime.config.admins
    return Place(world, int(chat_id), "Admins")


async def beat(world: World, name: str) -> JobRun:
    (job,) = [job for job in JOBS if job.name == name]
    return await run_job(world.runtime, job)


@contextlib.contextmanager
def failing(world: World) -> Iterator[None]:
    """In the block every tick of `retention` fails: a table that it tidies is not there."""
    world.store.rows("ALTER TABLE link_secrets RENAME TO elsewhere")
    try:
        yield
    finally:
        world.store.rows("ALTER TABLE elsewhere RENAME TO link_secrets")


def spoiled(message: Sent, event: str = "escalated") -> contextlib.AbstractContextManager[None]:
    """In the block such a line cannot be written into the message's timeline, and so its step cannot be taken."""
    only = f"NEW.message_id = '{message.id}' AND NEW.event = '{event}'"
    return message.world.store.refuse("INSERT ON timeline", only=only)


async def warnings(world: World) -> list[str]:
    found: list[str] = (await world.get("/health"))["warnings"]
    return found


# Rows that are put off


@pytest.mark.both_databases
async def test_a_row_that_cannot_be_worked_on_holds_up_no_other(world: World, ops: Place) -> None:
    first, second, third = [await world.alert(f"disk {number} full", to=ops) for number in range(3)]
    for alert in (first, second, third):
        await alert.becomes("sent")
    with spoiled(second):
        world.moves(minutes=16)
        await beat(world, "escalation")
        await first.becomes("escalated")
        await third.becomes("escalated")
        assert (await second.now())["status"] == "sent"
        assert second.accepted["escalate_at"] < (await second.now())["escalate_at"]

    world.moves(minutes=11)
    await world.ticks("escalation")
    await second.becomes("escalated")
    assert (await second.events()).count("escalated") == 1


async def test_a_row_that_was_put_off_is_not_tried_at_every_tick(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops)
    await alert.becomes("sent")
    with spoiled(alert):
        world.moves(minutes=16)
        await beat(world, "escalation")
        tried = world.log.count("a row cannot be processed and was put off")
        for _ in range(5):
            await beat(world, "escalation")
        assert world.log.count("a row cannot be processed and was put off") == tried == 1


async def test_a_row_is_booked_on_its_own_job_even_when_a_later_job_asked_for_the_run(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops)
    await alert.becomes("sent")
    with spoiled(alert):
        world.moves(minutes=65)
        assert (await beat(world, "close")).error is None
        await alert.becomes("closed")
    jobs = {job["name"]: job for job in (await world.get("/api/admin/scheduler/status"))["jobs"]}
    assert alert.id in jobs["escalation"]["last_error"]
    assert jobs["close"]["last_error"] is None
    assert (await beat(world, "escalation")).error is None


async def test_health_names_a_row_for_as_long_as_it_is_put_off(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops)
    await alert.becomes("sent")
    with spoiled(alert, "closed"):
        world.moves(minutes=65)
        await beat(world, "close")
        await beat(world, "close")
        health = await world.get("/health")
        assert (health["status"], health["jobs"]) == ("degraded", "failing")
        (line,) = [line for line in health["warnings"] if alert.id in line]
        assert line.startswith("The job close cannot process a row (messages ")
        assert "broken" in line

    world.moves(minutes=11)
    await world.ticks()
    assert (await world.get("/health"))["jobs"] == "ok"


async def test_a_reminder_that_cannot_be_made_holds_up_no_other(world: World, ops: Place) -> None:
    first, second = [await world.alert(f"disk {n} full", to=ops, remind_every="10m") for n in range(2)]
    for alert in (first, second):
        await alert.becomes("sent")
    with world.store.refuse("INSERT ON deliveries", only=f"NEW.message_id = '{first.id}'"):
        world.moves(minutes=11)
        await beat(world, "reminders")
        await ops.receives("Still open: root\ndisk 1 full")
        assert any(f"reminders cannot process a row (messages {first.id})" in line for line in await warnings(world))
    world.moves(minutes=11)
    await world.ticks("reminders")
    await ops.receives("Still open: root\ndisk 0 full")


async def test_a_row_that_somebody_settled_meanwhile_is_forgotten(told: World, ops: Place) -> None:
    ops = told.group("Operators")
    alert = await told.alert("disk full", to=ops)
    await alert.becomes("sent")
    with spoiled(alert):
        told.moves(minutes=16)
        await beat(told, "escalation")
        assert (await alert.is_asked("acknowledge")).status == 200
    told.moves(minutes=11)
    await beat(told, "escalation")
    assert not [line for line in await warnings(told) if "escalation cannot" in line]
    await admins_of(told).receives("The job escalation works again.")


async def test_a_row_that_the_work_leaves_as_it_was_is_put_off(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops, escalate_after="5h", close_after="10h")
    await alert.becomes("sent")
    due_at = world.clock.at + timedelta(hours=6)

    def idle(session: Session, *, now: object, most: int) -> int:
        return 1

    assert await process_due(world.runtime, "escalation", escalate.ESCALATIONS, idle, now=due_at) == 0
    assert RowUnchanged.__name__ in world.runtime.job_status.put_off["escalation"]
    assert await world.runtime.database.read(escalate.next_escalation) == due_at + PUT_OFF


async def test_where_nothing_can_be_worked_on_the_tick_itself_fails(world: World, ops: Place) -> None:
    for number in range(MAX_PUT_OFF + 2):
        await world.alert(f"disk {number} full", to=ops)

    def broken(session: Session, *, now: object, most: int) -> int:
        raise ValueError("no plan is valid")

    due_at = world.clock.at + timedelta(hours=6)
    with pytest.raises(ValueError, match="no plan is valid"):
        await process_due(world.runtime, "escalation", escalate.ESCALATIONS, broken, now=due_at)
    (count,) = world.rows("SELECT count(*) FROM job_troubles WHERE job = 'escalation'")
    assert count == (MAX_PUT_OFF,)


@pytest.mark.sqlite_only(reason="to PostgreSQL a table that is not there is a fault of the statement")
async def test_what_every_row_would_meet_fails_the_tick_and_puts_nothing_off(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops)
    await alert.becomes("sent")
    world.store.rows("ALTER TABLE timeline RENAME TO elsewhere")
    world.moves(minutes=16)
    assert (await beat(world, "escalation")).error == "OperationalError: no such table: timeline"
    world.store.rows("ALTER TABLE elsewhere RENAME TO timeline")
    assert (await alert.now())["escalate_at"] == alert.accepted["escalate_at"]
    await beat(world, "escalation")
    await alert.becomes("escalated")


# What the admins hear


@pytest.mark.both_databases
async def test_the_admins_hear_once_that_a_job_fails_and_once_that_it_works_again(told: World) -> None:
    admins = admins_of(told)
    with failing(told):
        for _ in range(5):
            assert (await beat(told, "retention")).error
            told.moves(minutes=1)
        await admins.receives("The job retention fails:")
    await beat(told, "retention")
    told.moves(minutes=11)
    await beat(told, "retention")
    recovery = await admins.receives("The job retention works again. It failed ")
    assert "from 2026-03-02 09:00 to 2026-03-02 09:0" in recovery.text
    for _ in range(3):
        told.moves(minutes=11)
        await beat(told, "retention")
    await told.is_quiet()
    assert len(admins.texts) == 2


async def test_a_job_that_fails_now_and_then_is_told_of_once(told: World) -> None:
    admins = admins_of(told)
    for _ in range(6):
        with failing(told):
            await beat(told, "retention")
        told.moves(minutes=3)
        await beat(told, "retention")
        told.moves(minutes=3)
    await admins.receives("The job retention fails:")
    await told.is_quiet()
    assert len(admins.texts) == 1


async def test_a_restart_tells_nobody_again(told: World) -> None:
    admins = admins_of(told)
    with failing(told):
        await beat(told, "retention")
        await admins.receives("The job retention fails:")
        await told.restarts()
        await beat(told, "retention")
        await told.is_quiet()
        assert len(admins.texts) == 1


async def test_the_admins_hear_of_a_row_that_is_put_off(told: World) -> None:
    ops = told.group("Operators")
    alert = await told.alert("disk full", to=ops)
    await alert.becomes("sent")
    with spoiled(alert):
        for _ in range(3):
            told.moves(minutes=16)
            await beat(told, "escalation")
        await admins_of(told).receives(
            f"The job escalation cannot process a row (messages {alert.id}) and puts it off:"
        )
        await told.is_quiet()
        assert len(admins_of(told).texts) == 1


async def test_an_admin_without_a_chat_keeps_it_from_no_other(another: MakeWorld) -> None:
    world = await another()
    world.sets(admins=["anna", str(world.group("Admins").id)])
    await world.starts()
    with failing(world):
        await beat(world, "retention")
        await Place(world, int(world.runtime.config.admins[1]), "Admins").receives("The job retention fails:")
    await world.logs("an admin cannot be notified of a job")
    assert "Not told when a job fails, for want of a chat with the bot: anna." in await warnings(world)


async def test_health_is_well_again_with_the_next_good_tick(world: World) -> None:
    with failing(world):
        await beat(world, "retention")
        health = await world.get("/health")
        assert (health["status"], health["jobs"]) == ("degraded", "failing")
        assert any(line.startswith("The job retention fails: ") for line in health["warnings"])
    await beat(world, "retention")
    assert (await world.get("/health"))["jobs"] == "ok"


# By hand


async def test_a_tick_by_hand_does_what_is_due_and_says_how_much(world: World, ops: Place) -> None:
    alert = await world.alert("disk full", to=ops)
    await alert.becomes("sent")
    world.moves(minutes=16)
    ran = await triggered(world, "escalation")
    assert (ran["succeeded"], ran["manual"], ran["error"]) == (True, True, None)
    await alert.becomes("escalated")


async def test_a_tick_by_hand_that_fails_says_why(world: World) -> None:
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
        """The jobs begin a moment after the socket."""
        answer = await world.ask("POST", f"/api/admin/scheduler/jobs/{name}/trigger")
        return answer.body if answer.status == 200 else None

    return await world.learns(ask, f"the job {name} runs by hand")
