"""Starts and stops, daemons without a token, and daemons that find another one running."""

import secrets

import pytest

from notifybot import app
from notifybot.errors import StartRefused
from notifybot.jobs import JOBS
from notifybot.times.clock import Clock
from tests.stories.conftest import MakeWorld
from tests.stories.places import Place
from tests.stories.world import Json, World


def of_one_bot() -> Json:
    """Return the config of a bot that is unknown to the sandbox."""
    return {"token": f"600000001:{secrets.token_hex(20)}"}


async def test_a_message_leaves_at_once(world: World, ops: Place) -> None:
    await world.is_quiet()
    before = world.clock.at

    await world.notice("at once", to=ops)

    await ops.receives("at once")
    assert (world.clock.at - before).total_seconds() < 1


async def test_a_daemon_stops_cleanly_before_telegram_has_answered(another: MakeWorld) -> None:
    world = await another()
    world.sandbox.fault("away")
    await world.starts()
    await world.alert("disk full", to=world.duty)

    await world.stops()

    world.sandbox.clear_faults()
    await world.starts()
    await world.duty.receives("disk full")


async def test_a_call_under_way_is_finished_before_a_stop(world: World, ops: Place) -> None:
    world.sandbox.fault("slow", method="sendMessage", seconds=0.2)
    await world.alert("disk full", to=ops)
    await world.sees(lambda: world.rows("SELECT 1 FROM chats WHERE claimed_post IS NOT NULL"), "the call is under way")

    await world.restarts()
    await world.is_quiet()

    assert len(ops.texts) == 1
    assert world.rows("SELECT state FROM messages") == [("sent",)]
    assert world.rows("SELECT 1 FROM timeline WHERE event = 'uncertain'") == []


async def test_two_restarts_send_nothing_twice(world: World, ops: Place) -> None:
    for n in range(5):
        await world.alert(f"disk {n} full", to=ops)
    await world.restarts()
    await world.restarts()

    for n in range(5):
        await ops.receives(f"disk {n} full")
    await world.is_quiet()
    assert len(ops.texts) == 5


async def test_a_second_daemon_on_the_same_database_is_refused(world: World, ops: Place) -> None:
    with pytest.raises(StartRefused, match="Another daemon"):
        async with app.daemon(world.config, world.clock, []):
            pass

    await world.alert("disk full", to=ops)
    await ops.receives("disk full")


async def test_a_second_daemon_for_the_same_bot_is_refused(another: MakeWorld) -> None:
    bot = of_one_bot()
    first, second = await another(telegram=bot), await another(telegram=bot)
    await first.starts()

    with pytest.raises(StartRefused, match="already runs this bot"):
        await second.starts()

    await first.stops()
    await second.starts()


async def test_without_a_token_messages_wait_and_health_says_why(another: MakeWorld) -> None:
    world = await another(telegram={"token": None})
    await world.starts()

    alert = await world.alert("disk full", to=world.duty)

    health = await world.get("/health")
    assert (health["status"], health["telegram"], health["waiting"]) == ("degraded", "off", 1)
    assert any("No bot token is configured" in warning for warning in health["warnings"])
    assert (await alert.now())["status"] == "initiated"
    assert len(world.sandbox.calls) == 0


async def test_without_a_token_deadlines_run(another: MakeWorld) -> None:
    world = await another(telegram={"token": None})
    await world.starts()
    ops = world.group("Ops")
    alert = await world.alert("disk full", to=ops)

    await world.later(hours=2)

    assert (await alert.now())["status"] == "escalated"


async def test_messages_accepted_without_a_token_are_delivered_once_it_is_set(another: MakeWorld) -> None:
    world = await another(telegram={"token": None})
    await world.starts()
    await world.alert("disk full", to=world.duty)
    await world.stops()

    world.sets(telegram={"token": world.token})
    await world.starts()

    await world.duty.receives("disk full")


async def test_health_reports_a_token_that_telegram_does_not_know(another: MakeWorld) -> None:
    world = await another(telegram=of_one_bot())
    await world.starts()

    async def ask() -> Json | None:
        health = await world.get("/health")
        return health if health["telegram"] == "refused" else None

    health = await world.learns(ask, "the token is refused")
    assert health["status"] == "degraded"
    assert any("Telegram refuses the bot token" in warning for warning in health["warnings"])
    assert (await world.ask("POST", "/api/ingest", {"content": "x", "channel_id": world.duty.id})).status == 202


async def test_health_says_when_the_jobs_have_stopped(world: World) -> None:
    while len(world.rows("SELECT DISTINCT job FROM job_runs")) < len(JOBS):
        assert (await world.get("/health"))["jobs"] == "ok"

    # A run is recorded just after its row is written: the last one may be recorded after the first of these moves.
    for _ in range(2):
        world.moves(minutes=3)
        answer = await world.ask("GET", "/health")

    assert (answer.status, answer.body["jobs"]) == (503, "stalled")
    assert "No job has run for two minutes." in answer.body["warnings"]


async def test_the_job_queue_runs_at_each_deadline_by_itself(another: MakeWorld) -> None:
    world = await another()
    await world.starts(clock=Clock())
    ops = world.group("Ops")
    await world.alert("later", to=ops)
    alert = await world.alert("soon", to=ops, escalate_after=1, close_after=2)

    await world.duty.receives("soon")
    message = await alert.becomes("closed")

    assert message["closed_at"] > message["escalated_at"] > message["created_at"]
    assert len(world.duty.texts) == 1
