"""Settings in Telegram: by buttons that work after a restart, or typed."""

from typing import Any

import pytest

from notifybot.rendering.buttons import setting_button
from notifybot.sandbox.values import JsonObject
from notifybot.sandbox.world import people
from tests.stories.conftest import MakeWorld
from tests.stories.places import Person, Place, Post
from tests.stories.world import World

HOME = ["Turn notices off", "Time zone", "Daily summary", "Quiet hours", "Mute"]
COLUMNS = ("is_enabled", "time_zone", "summary_time", "quiet_from", "quiet_until", "muted_until")


def chosen(world: World, person: Person) -> dict[str, Any]:
    """Return a person's preferences from the database."""
    (row,) = world.rows(f"SELECT {', '.join(COLUMNS)} FROM people WHERE chat_id = ?", str(person.id))
    return dict(zip(COLUMNS, row, strict=True))


async def settings_of(world: World, person: Person) -> Post:
    person.says("/settings")
    return await person.receives("Your settings")


async def test_settings_show_the_current_values(another: MakeWorld) -> None:
    world = await another(summary={"time": "08:15", "time_zone": "Europe/Paris"})
    await world.starts()
    anna = await world.subscriber("Anna")

    post = await settings_of(world, anna)

    assert post.buttons == HOME
    for line in ("Notices and summaries: on", "Muted: no", "Time zone: Europe/Paris", "Daily summary: 08:15"):
        assert line in post.text
    assert "Quiet hours: none" in post.text


async def test_typed_forms_can_be_copied_by_a_tap(world: World) -> None:
    anna = await world.subscriber("Anna")

    post = await settings_of(world, anna)

    spans = [post.text[int(e["offset"]) :][: int(e["length"])] for e in post.message.entities if e["type"] == "code"]  # type: ignore[call-overload]
    assert spans == [
        "/settings zone Europe/Berlin",
        "/settings summary 07:30",
        "/settings quiet 22:00-07:00",
        "/settings notices off",
    ]


@pytest.mark.both_databases
async def test_a_zone_is_chosen_by_buttons_in_one_post(world: World) -> None:
    anna = await world.subscriber("Anna")
    post = await settings_of(world, anna)

    post.press(anna, "Time zone")
    await post.becomes("Choose your area")
    post.press(anna, "Europe")
    await post.becomes("Europe, page 1 of")
    assert "Berlin" in post.buttons
    post.press(anna, "More ▶")
    await post.becomes("page 2 of")
    post.press(anna, "◀ Earlier")
    await post.becomes("page 1 of")

    assert await post.pressed(anna, "Berlin") == "Saved."

    await post.becomes("Time zone: Europe/Berlin", buttons=HOME)
    assert chosen(world, anna)["time_zone"] == "Europe/Berlin"
    assert len([text for text in anna.texts if "Notices and summaries" in text]) == 1


async def test_buttons_work_after_a_restart(world: World) -> None:
    anna = await world.subscriber("Anna")
    post = await settings_of(world, anna)
    await world.restarts()

    post.press(anna, "Quiet hours")
    await post.becomes("Notices wait until they end")
    await world.restarts()
    assert await post.pressed(anna, "22:00-07:00") == "Saved."

    await post.becomes("Quiet hours: 22:00-07:00; notices wait until they end, alerts do not")
    assert (chosen(world, anna)["quiet_from"], chosen(world, anna)["quiet_until"]) == ("22:00", "07:00")


async def test_notices_are_turned_off_and_on(world: World) -> None:
    anna = await world.subscriber("Anna")
    post = await settings_of(world, anna)

    assert await post.pressed(anna, "Turn notices off") == "Saved."
    await post.becomes("Notices and summaries: off; alerts still come")
    assert not chosen(world, anna)["is_enabled"]

    assert await post.pressed(anna, "Turn notices on") == "Saved."
    await post.becomes("Notices and summaries: on")
    assert chosen(world, anna)["is_enabled"]


async def test_the_summary_time_is_chosen_and_reset(world: World) -> None:
    anna = await world.subscriber("Anna")
    post = await settings_of(world, anna)
    post.press(anna, "Daily summary")
    await post.becomes("When do you want it, in UTC?")

    await post.pressed(anna, "07:00")
    await post.becomes("Daily summary: 07:00")
    post.press(anna, "Daily summary")
    await post.becomes("When do you want it")
    await post.pressed(anna, "Default (09:00)")

    await post.becomes("Daily summary: 09:00")
    assert chosen(world, anna)["summary_time"] is None


@pytest.mark.parametrize(
    ("words", "column", "value"),
    [
        ("zone Europe/Berlin", "time_zone", "Europe/Berlin"),
        ("zone new york", "time_zone", "America/New_York"),
        ("summary 7:30", "summary_time", "07:30"),
        ("quiet 22:00-07:00", "quiet_until", "07:00"),
        ("quiet off", "quiet_from", None),
        ("ZONE off", "time_zone", None),
    ],
)
async def test_a_setting_can_be_typed(world: World, words: str, column: str, value: str | None) -> None:
    anna = await world.subscriber("Anna")

    anna.says(f"/settings {words}")

    post = await anna.receives("Saved.")
    assert post.buttons == HOME
    assert chosen(world, anna)[column] == value


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("zone Europe/Berln", "This time zone is not known here; did you mean Europe/Berlin?"),
        ("zone", "This time zone is not known here"),
        ("summary 25:00", "A time of day is written like 09:00 or 22:30."),
        ("quiet tonight", "Quiet hours are written like 22:00-07:00."),
        ("colour blue", "Unknown setting. Use /settings zone Europe/Berlin"),
        ("zone " + "x" * 3000, "This time zone is not known here"),
    ],
)
async def test_an_invalid_setting_is_refused_and_changes_nothing(world: World, words: str, says: str) -> None:
    anna = await world.subscriber("Anna")
    before = chosen(world, anna)

    anna.says(f"/settings {words}")

    await anna.receives(says)
    assert chosen(world, anna) == before


@pytest.mark.parametrize(
    ("text", "button", "column", "value"),
    [
        ("Berlin", "Time zone Europe/Berlin", "time_zone", "Europe/Berlin"),
        ("8:00", "Daily summary at 08:00", "summary_time", "08:00"),
        ("23:00-7:00", "Quiet hours 23:00-07:00", "quiet_from", "23:00"),
    ],
)
async def test_plain_text_that_reads_like_a_setting_gets_a_question(
    world: World, text: str, button: str, column: str, value: str
) -> None:
    anna = await world.subscriber("Anna")
    before = chosen(world, anna)

    anna.says(text)

    post = await anna.receives("Do you want to change this setting?")
    assert chosen(world, anna) == before
    assert await post.pressed(anna, button) == "Saved."
    assert chosen(world, anna)[column] == value


async def test_mute_withholds_notices_for_a_while(world: World) -> None:
    anna = await world.subscriber("Anna")

    anna.says("/mute 1h")

    await anna.receives("Muted: no notices until 10:00 UTC; alerts still come")
    assert str(chosen(world, anna)["muted_until"]).startswith("2026-03-02 10:00")
    anna.says("/mute off")
    await anna.receives("Muted: no")
    assert chosen(world, anna)["muted_until"] is None


async def test_mute_alone_shows_its_state_and_buttons(world: World) -> None:
    anna = await world.subscriber("Anna")
    anna.says("/mute")
    post = await anna.receives("For how long do you want to mute notices?")

    assert await post.pressed(anna, "8h") == "Saved."

    await post.becomes("Muted: no notices until 17:00 UTC")


async def test_an_expired_mute_is_not_shown(world: World) -> None:
    anna = await world.subscriber("Anna")
    anna.says("/mute 1h")
    await anna.receives("Muted: no notices")
    await world.later(hours=2)

    assert "Muted: no\n" in (await settings_of(world, anna)).text


@pytest.mark.parametrize(
    ("words", "says"),
    [("a while", "I could not read that"), ("400d", "at most 366 days"), ("-1h", "I could not read that")],
)
async def test_a_mute_needs_a_valid_span(world: World, words: str, says: str) -> None:
    anna = await world.subscriber("Anna")

    anna.says(f"/mute {words}")

    await anna.receives(says)
    assert chosen(world, anna)["muted_until"] is None


async def test_times_are_shown_in_the_persons_zone(world: World) -> None:
    anna = await world.subscriber("Anna")
    anna.says("/settings zone Asia/Tokyo")
    await anna.receives("Saved.")

    anna.says("/mute 1h")

    await anna.receives("Muted: no notices until 19:00 (Asia/Tokyo)")


@pytest.mark.parametrize("command", ["/settings", "/settings zone Berlin", "/mute", "/mute 1h", "/status"])
async def test_settings_need_start_first(world: World, command: str) -> None:
    anna = world.person("Anna")

    anna.says(command)

    await anna.receives("Send /start first")


async def test_settings_whose_post_was_deleted_from_the_database_get_a_new_post(world: World) -> None:
    anna = await world.subscriber("Anna")
    post = await settings_of(world, anna)
    await world.is_quiet()
    world.rows("DELETE FROM posts WHERE reply IS NOT NULL")

    assert await post.pressed(anna, "Turn notices off") == "Saved."

    await anna.receives("Notices and summaries: off")


async def test_a_settings_post_that_was_deleted_is_not_brought_back(world: World) -> None:
    anna = await world.subscriber("Anna")
    post = await settings_of(world, anna)
    query = post.press(anna, "Turn notices off")
    post.is_deleted()

    assert await post.answer_to(query) == "Saved."
    await world.is_quiet()
    assert not [text for text in anna.texts if "Notices and summaries" in text]


async def post_of_settings(world: World, person: Person) -> str:
    await world.is_quiet()
    rows = world.rows("SELECT id FROM posts WHERE chat_id = ? AND reply IS NOT NULL ORDER BY id", str(person.id))
    return str(rows[-1][0])


async def pressed_with(post: Post, person: Person, data: str | None) -> str:
    return await post.answer_to(press_with(post, person, data))


def press_with(post: Post, person: Person, data: str | None) -> str:
    """Press like a manipulated app; return the id of the callback query."""
    forged: JsonObject = {"text": "forged", "callback_data": data}
    return people.press(post.stage.sandbox.world, person.user, post.message, forged)


async def test_nobody_can_press_buttons_of_other_peoples_settings(world: World, ops: Place) -> None:
    anna, mallory = await world.subscriber("Anna"), await world.subscriber("Mallory")
    world.joins(mallory, ops)
    annas = await settings_of(world, anna)
    post_id = await post_of_settings(world, anna)
    button = setting_button(post_id, "x", "on", "0").callback_data
    mallorys = await settings_of(world, mallory)
    before, text = chosen(world, anna), annas.text

    assert await pressed_with(mallorys, mallory, button) == "Saved."
    await world.notice("hello", to=ops)
    said = await pressed_with(await ops.receives("hello"), mallory, button)

    assert said == "These settings belong to someone else."
    assert chosen(world, anna) == before
    assert not chosen(world, mallory)["is_enabled"]
    await world.is_quiet()
    assert annas.text == text


async def test_a_button_with_the_id_of_another_chats_post_does_not_change_it(world: World, ops: Place) -> None:
    mallory = await world.subscriber("Mallory")
    post = await settings_of(world, mallory)
    world.sandbox.fault("flood", chat=ops.id, retry_after=5)
    await world.notice("backup done", to=ops)
    ((waiting,),) = world.rows("SELECT id FROM posts WHERE chat_id = ?", str(ops.id))

    press_with(post, mallory, setting_button(str(waiting), "x", "areas").callback_data)
    await mallory.receives("Choose your area")
    world.sandbox.clear_faults()
    await world.passes(seconds=10)

    await ops.receives("backup done")
    assert len(ops.texts) == 1


@pytest.mark.parametrize(
    ("word", "value", "says"),
    [
        ("zone", "Europe/Nowhere", "This time zone is not known here"),
        ("time", "99:99", "A time of day is written like"),
        ("quiet", "22:00", "Quiet hours are written like"),
        ("mute", "999999999999", "This button no longer works."),
        ("mute", "-1", "This button no longer works."),
        ("on", "2", "This button no longer works."),
        ("area", "Europe:999", "This button no longer works."),
        ("area", "Mars:0", "This button no longer works."),
        ("admin", "1", "This button no longer works."),
    ],
)
async def test_tampered_buttons_change_nothing(world: World, word: str, value: str, says: str) -> None:
    mallory = await world.subscriber("Mallory")
    post = await settings_of(world, mallory)
    before = chosen(world, mallory)
    data = setting_button(await post_of_settings(world, mallory), "x", word, value).callback_data

    assert says in await pressed_with(post, mallory, data)

    assert chosen(world, mallory) == before
