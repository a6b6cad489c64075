"""Time zones that an upgrade dropped: everything goes on in UTC, and those concerned are told once."""

import pytest

from notifybot.config import load
from notifybot.config.problems import ConfigInvalid
from tests.stories.conftest import MakeWorld
from tests.stories.places import Person, Place
from tests.stories.world import Json, World

VANISHED = "US/Pacific-New"
"""A zone that no longer exists."""
ROTATION = {"members": ["anna", "bob"], "start": "2026-01-05", "time_zone": VANISHED}


async def chose_it(world: World, name: str) -> Person:
    """Return someone who chose the zone while it existed, with quiet hours by its clock."""
    person = await world.subscriber(name)
    columns = "account = ?, time_zone = ?, quiet_from = '22:00', quiet_until = '07:00'"
    world.rows(f"UPDATE people SET {columns} WHERE chat_id = ?", name.lower(), VANISHED, str(person.id))
    return person


async def warnings(world: World) -> str:
    return "\n".join((await world.get("/health"))["warnings"])


REQUESTS: dict[str, tuple[str, str, Json]] = {
    "a notice to them": ("POST", "/send", {"user": "anna", "text": "done"}),
    "an alert to them": ("POST", "/api/ingest", {"content": "disk full", "to": ["anna"]}),
    "to everyone": ("POST", "/api/ingest", {"content": "hello", "to": ["subscribers"], "acknowledge": False}),
    "an event": ("POST", "/api/events", {"event": "post_success", "user": "anna", "data": {"title": "A post"}}),
    "to the rotation": ("POST", "/api/ingest", {"content": "disk full", "to": ["ops"]}),
    "their status": ("GET", "/api/telegram/status?user=anna", {}),
    "the people": ("GET", "/subscribed-users", {}),
    "who is on call": ("GET", "/api/oncall", {}),
    "the summaries": ("POST", "/api/admin/scheduler/jobs/telegram_daily_summary/trigger", {}),
}


@pytest.mark.both_databases
async def test_no_request_fails(another: MakeWorld) -> None:
    world = await another(rotations={"ops": ROTATION}, summary={"time_zone": VANISHED})
    await world.starts()
    await chose_it(world, "Anna")

    answers = {what: await world.ask(method, path, body or None) for what, (method, path, body) in REQUESTS.items()}

    assert {what: answer for what, answer in answers.items() if answer.status not in (200, 202)} == {}


async def test_quiet_hours_follow_utc(world: World) -> None:
    anna = await chose_it(world, "Anna")
    await world.later(hours=14)  # 23:00 UTC

    answer = await world.ask("POST", "/send", {"user": "anna", "text": "backup done"})
    await world.is_quiet()

    assert (answer.status, "backup done" in anna.texts) == (200, False)
    await world.later(hours=8)
    await anna.receives("backup done")


@pytest.mark.both_databases
async def test_those_who_chose_it_and_the_admins_are_told_once(another: MakeWorld) -> None:
    world = await another()
    admins = world.group("Admins")
    world.sets(admins=[str(admins.id)], summary={"time_zone": VANISHED})
    await world.starts()
    anna = await chose_it(world, "Anna")
    bob = await world.subscriber("Bob")
    await admins.receives(f"does not know the time zone {VANISHED}, so UTC counts for summary.time_zone.")

    world.rows("UPDATE bot SET reported_zones = NULL")
    for _ in range(3):
        await world.restarts()
        await world.is_quiet()

    await anna.receives(f"This server no longer knows your time zone, {VANISHED}.")
    await admins.receives(f"the time zone {VANISHED}, so UTC counts for summary.time_zone, 1 person.")
    assert sum("time zone" in text for text in (*anna.texts, *bob.texts)) == 1
    assert len(admins.texts) == 2
    assert "UTC counts for summary.time_zone, 1 person. Choose another zone" in await warnings(world)


async def test_settings_say_so(world: World) -> None:
    anna = await chose_it(world, "Anna")
    anna.says("/settings")
    await anna.receives(f"Time zone: UTC: {VANISHED} is unknown on this server. Choose another")


async def test_a_check_of_the_config_still_reports_it(world: World) -> None:
    world.sets(summary={"time_zone": VANISHED})
    path = world.folder / "config.yaml"
    assert world.config.summary.time_zone == VANISHED
    with pytest.raises(ConfigInvalid, match="this time zone is not known here"):
        load(path, {})


async def test_a_text_that_is_no_name_is_refused_at_startup_too(world: World) -> None:
    world.sets(rotations={"ops": {**ROTATION, "time_zone": "not a zone"}})
    with pytest.raises(ConfigInvalid, match="this time zone is not known here"):
        assert world.config


async def test_on_call_pages_name_the_clock_they_show(
    another: MakeWorld,
) -> None:
    world = await another(rotations={"ops": ROTATION})
    await world.starts()
    anna: Place = await chose_it(world, "Anna")
    assert isinstance(anna, Person)
    anna.says("/oncall")
    await anna.receives("Times are in UTC.")
