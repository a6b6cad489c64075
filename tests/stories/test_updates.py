"""Updates from Telegram: stored, handled once, retried, parked; and outdated buttons."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from aiohttp import ClientSession
from sqlmodel import Session

from notifybot.errors import Unavailable
from notifybot.model.people import Person
from notifybot.people import people
from tests.stories.clock import BEGINNING
from tests.stories.conftest import MakeWorld
from tests.stories.places import OPEN, Place
from tests.stories.world import PATIENCE_S, World
from tests.support.databases import Template


@contextmanager
def broken(world: World, when: str) -> Iterator[None]:
    """Make the database refuse a kind of change, as a full disk or a bug would."""
    change, _, only = when.partition(" WHEN ")
    with world.store.refuse(change, only=only or "TRUE"):
        yield


async def is_parked(world: World) -> None:
    """Wait until an update is parked, after three attempts."""
    await world.in_time(lambda: "update parked" in world.log, "the update is parked")
    assert world.log.count("update failed") == 3


async def test_a_failed_update_is_retried(world: World) -> None:
    anna = world.person("Anna")
    with broken(world, "INSERT ON posts"):
        anna.says("/start")
        await world.logs("update failed")

    await world.in_time(lambda: anna.texts, "Anna is answered")

    assert anna.texts[0].startswith("You are subscribed.")


async def test_an_update_that_fails_three_times_is_parked_and_others_go_on(world: World) -> None:
    anna, ben = await world.subscriber("Anna"), world.person("Ben")
    with broken(world, f"INSERT ON posts WHEN NEW.chat_id = '{anna.id}'"):
        anna.says("/help")
        await is_parked(world)
        ben.says("/help")
        await ben.receives("/open lists")

    await world.restarts()

    anna.says("/open")
    await anna.receives("No open alerts here.")
    assert len(anna.texts) == 2


async def test_a_press_that_failed_three_times_is_answered(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    with broken(world, "UPDATE ON messages WHEN NEW.state = 'acknowledged'"):
        query = post.press(anna)
        await is_parked(world)

        assert await post.answer_to(query) == "That did not work. Please press again in a minute."

    assert await post.pressed(anna) == "Acknowledged."
    await alert.becomes("closed")


async def test_a_press_counts_although_the_database_could_keep_nothing_for_a_while(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    with broken(world, "UPDATE ON inbox"):
        post.press(anna)
        await world.logs("update failed")

    await world.in_time(lambda: not post.buttons, "the press counts")

    assert (await alert.becomes("closed"))["acknowledged_by"]["name"] == "Anna"


CHANGES = ["UPDATE ON inbox", "UPDATE ON messages", "UPDATE ON posts", "INSERT ON timeline"]


@contextmanager
def out_of_order(world: World, change: str) -> Iterator[None]:
    """Make a kind of change fail as all do on a full or locked disk: with an OperationalError."""
    world.rows(f"CREATE TRIGGER out_of_order BEFORE {change} BEGIN DELETE FROM missing; END")
    try:
        yield
    finally:
        world.rows("DROP TRIGGER out_of_order")


@pytest.mark.sqlite_only(reason="the trigger is SQLite's")
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("failing", [broken, out_of_order], ids=["refused", "away"])
async def test_a_second_press_does_not_overtake_one_that_failed(
    world: World, ops: Place, failing: Callable[[World, str], AbstractContextManager[None]], change: str
) -> None:
    anna, ben = world.member(ops, "Anna"), world.member(ops, "Ben")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await world.is_quiet()
    log = "update failed" if failing is broken else "an update waits for the database"
    with failing(world, change):
        first = post.press(anna)
        await world.logs(log)
        second = post.press(ben)
        await world.sees(
            lambda: len(world.rows("SELECT 1 FROM inbox WHERE handled_at IS NULL")) == 2, "both are stored"
        )

    await world.in_time(lambda: not post.buttons, "the press counts")

    assert (await alert.becomes("closed"))["acknowledged_by"]["name"] == "Anna"
    assert await post.answer_to(first) == "Acknowledged."
    assert "Anna" in str(await post.answer_to(second))


@pytest.mark.sqlite_only(reason="the trigger is SQLite's")
@pytest.mark.parametrize("change", CHANGES[:2])
async def test_a_press_that_waits_for_the_database_is_no_attempt_and_survives_a_stop(
    world: World, ops: Place, change: str
) -> None:
    anna, ben = world.member(ops, "Anna"), world.member(ops, "Ben")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await world.is_quiet()
    with out_of_order(world, change):
        post.press(anna)
        waits = "an update waits for the database"
        await world.in_time(lambda: world.log.count(waits) >= 5, "it is tried again and again")
        post.press(ben)
        await world.sees(
            lambda: len(world.rows("SELECT 1 FROM inbox WHERE handled_at IS NULL")) == 2, "both are stored"
        )
        assert world.rows("SELECT attempts FROM inbox WHERE handled_at IS NULL") == [(0,), (0,)]
        await world.stops()

    await world.starts()

    assert (await alert.becomes("closed"))["acknowledged_by"]["name"] == "Anna"


async def test_an_update_that_could_not_be_stored_is_not_confirmed(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    with broken(world, "INSERT ON inbox"):
        query = post.press(anna)
        await world.logs("an update could not be stored")
        assert len(world.sandbox.world.updates) == 1

    await world.in_time(lambda: not post.buttons, "the press counts")

    assert await post.answer_to(query) == "Acknowledged."
    await alert.becomes("closed")


async def test_an_update_that_comes_twice_is_handled_once(world: World) -> None:
    anna = await world.subscriber("Anna")
    world.sandbox.fault("cut_before", method="getUpdates")
    anna.says("/help")
    await anna.receives("/open lists")
    await world.stops()
    world.sandbox.clear_faults()
    assert len(world.sandbox.world.updates) == 1

    await world.starts()

    anna.says("/open")
    await anna.receives("No open alerts here.")
    assert len([text for text in anna.texts if "/open lists" in text]) == 1


async def test_an_update_stored_before_a_stop_is_handled_after_it(world: World) -> None:
    anna = world.person("Anna")
    with broken(world, "INSERT ON posts"):
        anna.says("/start")
        await world.logs("update failed")
        await world.is_quiet()
        await world.stops()

    await world.starts()

    await anna.receives("You are subscribed.")


async def test_stored_presses_count_at_the_start_although_telegram_is_away(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    with broken(world, "UPDATE ON messages WHEN NEW.state = 'acknowledged'"):
        post.press(anna)
        await world.logs("update failed")
        await world.stops()
    world.sandbox.fault("away")

    await world.starts()

    assert (await alert.becomes("closed"))["acknowledged_by"]["name"] == "Anna"


async def test_a_button_from_another_database_says_so(world: World, ops: Place, template: Template) -> None:
    anna = world.member(ops, "Anna")
    await world.alert("disk full", to=ops)
    post = await ops.receives("disk full")
    await world.stops()
    world.store.drop()
    world.store = template.copy(world.folder)
    await world.starts()

    answer = await post.pressed(anna)

    assert answer == "notifybot no longer has the message of this button."
    await world.is_quiet()
    assert post.buttons == OPEN


async def test_a_button_of_another_program_says_so(another: MakeWorld) -> None:
    world = await another()
    ops = world.group("Ops")
    anna = world.member(ops, "Anna")
    keyboard = {"inline_keyboard": [[{"text": "Acknowledge", "callback_data": "ack:17"}]]}
    older = {"chat_id": ops.id, "text": "from an older bot", "reply_markup": keyboard}
    async with ClientSession(world.url) as client:
        await client.post(f"/bot{world.token}/sendMessage", json=older)
    await world.starts()

    answer = await ops.receives("from an older bot").presses(by=anna)

    assert answer == "This button no longer works."


async def test_a_failing_write_does_not_affect_the_others(world: World) -> None:
    database, others_wait = world.runtime.database, threading.Event()

    def hold(_: Session) -> None:
        assert others_wait.wait(PATIENCE_S)

    def subscribe_nobodys_chat(session: Session) -> None:
        session.add(Person(user_id="first", chat_id="7", chat_name="Anna", created_at=BEGINNING))
        session.flush()

    outcomes = asyncio.gather(
        database.write(hold),
        database.write(subscribe_nobodys_chat),
        database.write(lambda session: people.subscribe(session, "8", "Ben", now=BEGINNING)),
        return_exceptions=True,
    )
    await asyncio.sleep(0)
    others_wait.set()

    _, failed, other = await outcomes
    assert isinstance(failed, Unavailable)
    assert not isinstance(other, BaseException), other
