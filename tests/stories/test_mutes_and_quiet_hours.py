"""Muted people and quiet hours: notices are withheld or wait, alerts arrive."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tests.stories.conftest import MakeWorld
from tests.stories.places import Person, Place
from tests.stories.world import Json, Sent, World

MUTED = "2026-03-02 12:00:00.000000"
WITHHELD = "Anna has muted notifications until 2026-03-02 12:00 UTC."
OFF = "Anna has switched notifications off."


def chooses(world: World, person: Person, **columns: object) -> None:
    """Change the preferences of this person."""
    for column, value in columns.items():
        world.rows(f"UPDATE people SET {column} = ? WHERE chat_id = ?", value, str(person.id))


async def user_id_of(world: World, person: Person) -> str:
    everybody = (await world.ask("GET", "/subscribed-users")).body
    return next(str(each["user_id"]) for each in everybody if each["chat_id"] == str(person.id))


async def sent(world: World, content: str, *to: object, **fields: object) -> Sent:
    answer = await world.ask("POST", "/api/ingest", {"content": content, "to": to, **fields})
    assert answer.status == 202, answer
    return Sent(world, answer.body["id"], answer.body)


async def notice(world: World, content: str, *to: object, **fields: object) -> Sent:
    return await sent(world, content, *to, acknowledge=False, **fields)


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("choice", "reason"),
    [({"muted_until": MUTED}, WITHHELD), ({"is_enabled": False}, OFF)],
    ids=["muted", "switched off"],
)
async def test_notices_are_withheld_from_muted_people_and_alerts_are_not(
    world: World, choice: Json, reason: str
) -> None:
    anna = await world.subscriber("Anna")
    chooses(world, anna, **choice)

    withheld = await notice(world, "backup done", anna.id)
    await sent(world, "disk full", anna.id)

    await anna.receives("disk full")
    message = await withheld.now()
    assert (withheld.accepted["status"], message["status"]) == ("failed", "failed")
    (delivery,) = message["deliveries"]
    assert (delivery["status"], delivery["last_error"], delivery["attempts"]) == ("withdrawn", reason, 0)
    assert [line["event"] for line in message["timeline"]] == ["accepted", "withdrawn", "failed"]
    await world.is_quiet()
    assert "backup done" not in anna.texts


async def test_a_mute_ends(world: World) -> None:
    anna = await world.subscriber("Anna")
    chooses(world, anna, muted_until=MUTED)

    await world.later(hours=3, minutes=1)
    await notice(world, "backup done", anna.id)

    await anna.receives("backup done")


async def test_a_mute_holds_however_the_person_is_addressed(another: MakeWorld) -> None:
    world = await another(recipients={"backend": ["anna"]})
    await world.starts()
    anna = await world.subscriber("Anna")
    chooses(world, anna, account="anna", muted_until=MUTED)

    for to in ("anna", "backend", await user_id_of(world, anna), str(anna.id), "subscribers"):
        message = await (await notice(world, "backup done", to)).now()
        assert [each["last_error"] for each in message["deliveries"]] == [
            "anna has muted notifications until 2026-03-02 12:00 UTC."
        ], to


async def test_other_recipients_are_notified(world: World, ops: Place) -> None:
    anna = await world.subscriber("Anna")
    chooses(world, anna, is_enabled=False)

    message = await (await notice(world, "backup done", ops.id, anna.id)).becomes("sent")

    await ops.receives("backup done")
    assert {each["recipient"]: each["status"] for each in message["deliveries"]} == {
        str(ops.id): "shown",
        str(anna.id): "withdrawn",
    }


async def test_subscribers_excludes_people_with_notifications_off_from_notices(world: World) -> None:
    anna, ben = await world.subscriber("Anna"), await world.subscriber("Ben")
    chooses(world, anna, is_enabled=False)

    message = await (await notice(world, "backup done", "subscribers")).becomes("sent")
    await sent(world, "disk full", "subscribers")

    assert [each["chat_id"] for each in message["deliveries"]] == [str(ben.id)]
    for person in (anna, ben):
        await person.receives("disk full")


@pytest.mark.both_databases
async def test_an_alert_that_reaches_nobody_escalates_at_once(another: MakeWorld) -> None:
    world = await another(alerts={"reach_muted": False})
    await world.starts()
    anna = await world.subscriber("Anna")
    chooses(world, anna, muted_until=MUTED)

    alert = await sent(world, "disk full", anna.id)
    await world.ticks()

    await world.duty.receives("disk full")
    message = await alert.becomes("escalated")
    assert alert.accepted["escalate_at"] == alert.accepted["created_at"]
    assert [each["status"] for each in message["deliveries"]] == ["withdrawn", "shown"]
    await world.later(hours=1)
    await alert.becomes("closed")
    assert "disk full" not in anna.texts


async def test_an_alert_that_reaches_somebody_escalates_on_time(another: MakeWorld) -> None:
    world = await another(alerts={"reach_muted": False})
    await world.starts()
    anna, ops = await world.subscriber("Anna"), world.group("Ops")
    chooses(world, anna, is_enabled=False)

    await sent(world, "disk full", anna.id, ops.id)
    await ops.receives("disk full")
    await world.later(minutes=14)
    await world.is_quiet()
    assert world.duty.texts == []

    await world.later(minutes=1)
    await world.duty.receives("disk full")


async def test_without_an_escalation_channel_an_alert_that_reaches_nobody_closes_on_time(
    another: MakeWorld,
) -> None:
    world = await another(alerts={"reach_muted": False, "escalation_channel": None})
    await world.starts()
    anna = await world.subscriber("Anna")
    chooses(world, anna, is_enabled=False)

    alert = await sent(world, "disk full", anna.id)
    assert (await alert.now())["status"] == "failed"

    await world.later(hours=1)
    await alert.becomes("closed")


# Quiet hours. The story begins on 2 March 2026 at 09:00 UTC, which is 10:00 in Berlin.


def wants_quiet(world: World, person: Person, start: str, end: str, zone: str | None = "Europe/Berlin") -> None:
    chooses(world, person, quiet_from=start, quiet_until=end, time_zone=zone)


def goes_to(world: World, zone: str, moment: str) -> None:
    """Move the clock to this time in that zone."""
    there = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    world.moves(seconds=(there - world.clock.at).total_seconds())


@pytest.mark.both_databases
async def test_notices_wait_until_quiet_hours_end_and_alerts_do_not(world: World) -> None:
    anna = await world.subscriber("Anna")
    wants_quiet(world, anna, "09:30", "11:00")

    first = await notice(world, "backup done", anna.id)
    await notice(world, "report ready", anna.id)
    await sent(world, "disk full", anna.id)

    await anna.receives("disk full")
    await world.passes(minutes=59)
    assert "disk full" in anna.texts[-1]
    assert (await first.now())["deliveries"][0]["status"] == "waiting"

    await world.passes(minutes=2)
    await anna.receives("backup done")
    await anna.receives("report ready")
    assert (await first.becomes("sent"))["sent_at"].startswith("2026-03-02T10:00:0")


@pytest.mark.parametrize(
    ("accepted", "shown"),
    [
        ("2026-03-28 23:00", "2026-03-29T05:00"),  # clocks are put forward: the night is an hour shorter
        ("2026-10-24 23:00", "2026-10-25T06:00"),  # and back
        ("2026-06-01 23:00", "2026-06-02T05:00"),
    ],
)
async def test_a_night_ends_by_the_wall_clock(world: World, accepted: str, shown: str) -> None:
    anna = await world.subscriber("Anna")
    wants_quiet(world, anna, "22:00", "07:00")
    goes_to(world, "Europe/Berlin", accepted)

    waiting = await notice(world, "backup done", anna.id)
    until = datetime.fromisoformat(shown).replace(tzinfo=UTC)
    await world.passes(seconds=(until - world.clock.at).total_seconds() - 60)
    assert (await waiting.now())["status"] == "initiated"
    await world.passes(minutes=2)

    assert (await waiting.becomes("sent"))["sent_at"].startswith(shown)


async def test_the_configs_zone_is_the_default(another: MakeWorld) -> None:
    world = await another(summary={"time_zone": "Asia/Tokyo"})
    await world.starts()
    anna = await world.subscriber("Anna")
    wants_quiet(world, anna, "17:00", "19:00", zone=None)  # it is 18:00 in Tokyo

    waiting = await notice(world, "backup done", anna.id)

    await world.is_quiet()
    assert (await waiting.now())["status"] == "initiated"
    await world.passes(minutes=61)
    await waiting.becomes("sent")


async def test_outside_quiet_hours_notices_arrive_at_once(world: World) -> None:
    anna = await world.subscriber("Anna")
    wants_quiet(world, anna, "22:00", "07:00")

    await notice(world, "backup done", anna.id)

    await anna.receives("backup done")


async def test_a_group_has_no_quiet_hours(world: World, ops: Place) -> None:
    anna = await world.subscriber("Anna")
    wants_quiet(world, anna, "09:30", "11:00")

    message = await notice(world, "backup done", anna.id, ops.id)

    await ops.receives("backup done")
    await world.is_quiet()
    assert (await message.now())["status"] == "initiated"
    await world.passes(minutes=61)
    await message.becomes("sent")


async def test_a_waiting_notice_can_be_edited_silently(world: World) -> None:
    anna = await world.subscriber("Anna")
    wants_quiet(world, anna, "09:30", "11:00")
    waiting = await notice(world, "backup half done", anna.id)

    await world.ask("PATCH", f"/api/messages/{waiting.id}", {"content": "backup done"})
    await world.passes(minutes=50)
    assert (await waiting.now())["deliveries"][0]["status"] == "waiting"

    await world.passes(minutes=11)
    assert (await anna.receives("backup done")).message.history == []


async def test_a_waiting_notice_can_be_cancelled(world: World) -> None:
    anna = await world.subscriber("Anna")
    wants_quiet(world, anna, "09:30", "11:00")
    waiting = await notice(world, "backup done", anna.id)

    assert (await waiting.is_asked("cancel")).status == 200

    await world.passes(hours=2)
    assert not any("backup" in text for text in anna.texts)


async def test_quiet_hours_survive_a_restart(world: World) -> None:
    anna = await world.subscriber("Anna")
    wants_quiet(world, anna, "09:30", "11:00")
    waiting = await notice(world, "backup done", anna.id)

    await world.restarts()
    await world.passes(minutes=30)
    assert (await waiting.now())["status"] == "initiated"

    await world.passes(minutes=31)
    await waiting.becomes("sent")
