"""Recipients that are renamed or removed in the config while stored messages still name them."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from notifybot.health.stored_names import NamesLost, check_stored_names
from tests.stories.conftest import MakeWorld
from tests.stories.places import Place
from tests.stories.planning import Planned, lives, plan
from tests.stories.world import Json, World

ROTATION = {"members": ["anna"], "start": "2026-01-05"}
POLICY = {"steps": [{"after": "10m", "to": ["ops-team"]}]}


@pytest.fixture
async def told(another: MakeWorld) -> World:
    """Create a world with admins, where `ops-team` is a group and `duty` a rotation."""
    world = await another()
    ops, admins = world.group("Ops"), world.group("Admins")
    world.sets(recipients={"ops-team": [str(ops.id)]}, rotations={"duty": ROTATION}, admins=[str(admins.id)])
    await world.starts()
    return world


def place(world: World, title: str) -> Place:
    chat = next(chat for chat in world.sandbox.world.chats.values() if chat.title == title)
    return Place(world, chat.id, title)


async def renames(world: World) -> None:
    """Restart with `operations` instead of `ops-team`, and `night` instead of `duty`."""
    world.sets(recipients={"ops-team": None, "operations": [str(place(world, "Ops").id)]})
    world._own_settings["recipients"].pop("ops-team")
    world._own_settings["rotations"] = {"night": ROTATION}
    await world.restarts()


async def warnings(world: World) -> str:
    return "\n".join((await world.get("/health"))["warnings"])


async def checked(world: World) -> str:
    """Return what `config check --against-database` reports."""
    try:
        await check_stored_names(world.config, now=world.clock.at)
    except NamesLost as lost:
        return lost.detail
    return ""


async def repeating(world: World) -> str:
    planned = await plan(world, "Daily report", to="ops-team", repeat="0 12 * * *")
    return f"schedule {planned.schedule_id} (Daily report)"


async def paused(world: World) -> str:
    planned = await plan(world, "Daily report", to="ops-team", repeat="0 12 * * *")
    await world.ask("POST", f"/api/schedules/{planned.schedule_id}/pause")
    return f"schedule {planned.schedule_id} (Daily report)"


async def later(world: World) -> str:
    planned = await plan(world, "Reboot now\nplease", to="ops-team", send_at="2026-03-02T18:00")
    return f"message {planned.id} (Reboot now)"


async def titled(world: World) -> str:
    fields = {"title": "Reboot", "send_at": "2026-03-02T18:00:00Z", "to": ["ops-team"]}
    answer = await world.ask("POST", "/api/ingest", {"content": "please", **fields})
    return f"message {answer.body['id']} (Reboot)"


async def open_alert(world: World) -> str:
    await world.alert("disk full", to=world.duty, policy=POLICY)
    return "the steps of an open alert"


async def override(world: World) -> str:
    answer = await world.ask("POST", "/api/oncall/duty/overrides", {"member": "ops-team", "until": "2026-03-03"})
    assert answer.status == 200, answer
    return f"an override of the rotation duty ({answer.body['id']})"


async def token(world: World) -> str:
    answer = await world.ask("POST", "/api/admin/tokens", {"name": "grafana", "to": ["ops-team"]})
    assert answer.status == 200, answer
    return "the token grafana"


@pytest.mark.parametrize("use", [repeating, paused, later, titled, open_alert, override, token])
async def test_whatever_names_it_is_named(told: World, use: Callable[[World], Awaitable[str]]) -> None:
    what = await use(told)
    assert "no longer exists" not in await warnings(told) + await checked(told)

    await renames(told)

    sentence = f"ops-team no longer exists, but is used by {what}."
    assert sentence in await warnings(told)
    assert sentence in await checked(told)


async def test_a_rotation_that_is_gone_and_one_that_reaches_nobody(told: World) -> None:
    await override(told)
    await renames(told)
    found = await warnings(told)
    assert "The rotation duty no longer exists, but has overrides until 2026-03-03 00:00 UTC." in found
    assert "Nobody in the rotation night has a chat with the bot: anna." in found


async def test_someone_who_unlinked_is_not_called_renamed(told: World) -> None:
    anna = await told.subscriber("Anna")
    told.rows("UPDATE people SET account = 'anna' WHERE chat_id = ?", str(anna.id))
    planned = await plan(told, "Daily report", to="anna", repeat="0 12 * * *")
    told.rows("UPDATE people SET account = NULL")
    assert f"anna has no chat with the bot, but is used by schedule {planned.schedule_id}" in await warnings(told)


@pytest.mark.both_databases
async def test_the_admins_are_told_at_the_first_failure_and_only_then(told: World) -> None:
    admins = place(told, "Admins")
    reports = [await plan(told, f"report {hour}", to="ops-team", repeat=f"0 {hour} * * *") for hour in (12, 13)]
    first = [await each.next() for each in reports]
    await renames(told)

    await lives(told, "2026-03-04T15:00")

    for each in first:
        message = await each.now()
        assert message["status"] == "failed"
        assert details(message) == [
            "Not notified, as this recipient no longer exists: ops-team.",
            "Nobody was notified.",
        ]
    (notice,) = [text for text in admins.texts if "no longer exists" in text]
    assert f"The message {first[0].id} was not sent to ops-team: ops-team no longer exists." in notice
    assert "notifybot config check --against-database" in notice


def details(message: Json) -> list[str]:
    return [line["detail"] for line in message["timeline"] if line["event"] in ("withdrawn", "failed")]


async def test_a_name_that_came_back_is_reported_when_it_vanishes_again(told: World) -> None:
    admins = place(told, "Admins")
    report: Planned = await plan(told, "report", to="ops-team", repeat="0 * * * *")
    before = dict(told._own_settings["recipients"])
    for _ in range(2):
        await renames(told)
        await told.later(hours=1)
        await told.is_quiet()
        told._own_settings["recipients"] = dict(before)
        await told.restarts()
        await told.later(hours=1)
        await told.is_quiet()
    assert sum("no longer exists" in text for text in admins.texts) == 2
    assert (await report.schedule()).schedule.runs == 4


async def test_an_alert_that_escalates_to_a_renamed_recipient_says_so(told: World) -> None:
    alert = await told.alert("disk full", to=place(told, "Ops"), policy=POLICY)
    await alert.becomes("sent")
    await renames(told)
    await told.later(seconds=timedelta(minutes=11).total_seconds())
    line = await alert.tells("escalated")
    assert "Not notified, as this recipient no longer exists: ops-team." in line["detail"]
    await place(told, "Admins").receives("was not sent to ops-team: ops-team no longer exists.")
