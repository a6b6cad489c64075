"""Clocks that are set, and downtime: everything that is scheduled still happens once."""

from datetime import timedelta

from tests.stories.conftest import MakeWorld
from tests.stories.places import Place
from tests.stories.test_policies import escalations, linked, steps
from tests.stories.test_reminders import STILL, remembered
from tests.stories.world import World

AN_HOUR = timedelta(hours=1)


async def test_each_step_of_a_policy_is_taken_once_though_the_clock_steps_back(another: MakeWorld) -> None:
    world = await another()
    ops, boss = world.group("Ops"), world.group("Boss")
    night = steps(("5m", "anna"), ("20m", boss.id), close_after="4h")
    world.sets(accounts={"anna@example.org": "anna"}, alerts={"policies": {"night": night}})
    await world.starts()
    anna = await linked(world, "Anna")
    alert = await world.alert("disk full", to=ops, policy="night")
    await ops.receives("disk full")
    await world.later(minutes=5)
    await anna.receives("disk full")

    world.clock.at -= AN_HOUR
    await world.ticks()
    await world.is_quiet()
    assert (len(await escalations(alert)), boss.texts) == (1, [])
    await world.later(minutes=74)
    assert boss.texts == []
    await world.later(minutes=2)

    await boss.receives("disk full")
    await world.later(minutes=90)
    await world.is_quiet()
    assert (len(anna.texts), len(boss.texts), len(await escalations(alert))) == (2, 1, 2)


async def test_reminders_come_as_often_as_they_should_though_the_clock_steps_back(world: World, ops: Place) -> None:
    alert = await remembered(world, ops)
    await ops.receives("disk full")
    await world.later(minutes=30)
    await ops.receives(STILL)

    world.clock.at -= AN_HOUR
    await world.ticks()
    await world.is_quiet()
    assert len(ops.texts) == 2
    await world.later(minutes=90)

    await ops.receives(STILL)
    assert len(ops.texts) == 3
    assert (await alert.now())["status"] == "sent"


async def test_jobs_run_and_record_their_runs_though_the_clock_steps_back(world: World, ops: Place) -> None:
    await world.alert("disk full", to=ops, escalate_after="10m")
    await ops.receives("disk full")
    world.clock.at -= AN_HOUR
    await world.later(minutes=71)

    await world.duty.receives("disk full")
    jobs = (await world.get("/api/admin/scheduler/status"))["jobs"]
    told = {job["name"]: (job["is_failing"], job["last_error"]) for job in jobs}
    assert told["escalation"] == (False, None)
    assert set(told.values()) == {(False, None)}


async def test_an_event_due_during_a_downtime_is_sent_once_and_marked_late(world: World, ops: Place) -> None:
    body = {
        "event": "post_success",
        "to": [str(ops.id)],
        "send_at": "2026-03-02T09:30:00Z",
        "data": {"platform": "Mastodon"},
    }
    assert (await world.ask("POST", "/api/events", body)).status == 202
    await world.stops()
    world.moves(hours=30)

    await world.starts()
    await world.ticks()

    post = await ops.receives("Posted")
    assert "🕓 Late: sent at 2026-03-02 09:30 UTC." in post.text
    await world.later(hours=2)
    await world.is_quiet()
    assert len(ops.texts) == 1
