"""Contents of a daily summary and its chart."""

import sys
from datetime import timedelta

import pytest

from notifybot.jobs import JOBS
from notifybot.jobs.scheduler import run_job
from notifybot.summaries import chart
from tests.stories.conftest import MakeWorld
from tests.stories.places import Place, Post
from tests.stories.test_daily_summary import ME, SUMMARY, chooses, linked, until, utc
from tests.stories.world import Json, World

NO_CHART = {"chart": False}


@pytest.fixture
async def plain(another: MakeWorld) -> World:
    """Create a world without charts in its summaries; it starts on Monday 2 March at 9."""
    world = await another(summary=NO_CHART)
    await world.starts()
    return world


async def summary(world: World, place: Place, day: str = "2026-03-03 09:00:00") -> Post:
    await until(world, day)
    return await place.receives(SUMMARY)


async def others(world: World, content: str, *, to: Place, **fields: object) -> None:
    """Send a message from another account."""
    sent = await world.notice(content, to=to, **fields)
    world.rows("UPDATE messages SET account = 'other' WHERE id = ?", sent.id)


@pytest.mark.both_databases
async def test_a_summary_counts_what_a_person_sent_and_was_shown_once_each(another: MakeWorld) -> None:
    world = await another(summary=NO_CHART)
    await world.starts()
    anna, ops = await linked(world), world.group("Ops")
    await world.notice("to myself", to=anna, source="backup")
    await world.notice("to ops", to=ops, source="backup")
    await others(world, "to anna", to=anna, source="web")
    await others(world, "for ops alone", to=ops, source="web")
    await world.is_quiet()

    post = await summary(world, anna)

    assert post.text.splitlines() == [
        "Daily summary, Tuesday 3 March",
        f"Since Monday 2 March, 09:00 (UTC): messages sent by or shown to {ME}.",
        "",
        "Sent: 3 (the day before: 0)",
        "By source: backup 2, web 1",
    ]


@pytest.mark.both_databases
async def test_a_summary_says_who_acknowledged_how_fast_and_what_is_open(another: MakeWorld) -> None:
    world = await another(summary=NO_CHART, alerts={"close_after": "2d", "escalate_after": "never"})
    await world.starts()
    anna, bob = await linked(world), world.person("Bob")
    ops = world.group("Ops")
    world.joins(bob, ops)
    for number, minutes in enumerate((2, 8, 20)):
        await world.alert(f"disk {number}", to=ops)
        await ops.receives(f"disk {number}")
        world.moves(minutes=minutes)
        await world.is_quiet()
        post = next(each for each in ops._posts() if f"disk {number}" in each.text)
        await Post(world, ops, post).pressed(bob)
    await world.alert("<b>fan</b> slow\nof rack 4", to=ops, parse_mode="HTML", title=None)
    await world.is_quiet()

    text = (await summary(world, anna)).text

    assert "Sent: 4 (the day before: 0), 4 of them alerts" in text
    assert "Acknowledged: 3 (0), half of them within 8m, by Bob 3" in text
    assert "Still open: 1\n• 2 Mar 09:30 fan slow" in text


async def test_a_message_due_a_second_before_counts_even_if_the_summary_job_runs_first(another: MakeWorld) -> None:
    world = await another(summary=NO_CHART)
    await world.starts()
    anna, ops = await linked(world), world.group("Ops")
    await world.notice("backup done", to=ops, send_at="2026-03-03T08:59:59Z")
    world.clock.at = utc("2026-03-03 09:00:00")

    await world.ticks("telegram_daily_summary")

    assert "Sent: 1 (the day before: 0)" in (await anna.receives(SUMMARY)).text


async def test_a_summary_counts_failed_and_expired(another: MakeWorld) -> None:
    world = await another(summary=NO_CHART, alerts={"close_after": "1h", "escalate_after": "never"})
    await world.starts()
    anna, ops, gone = await linked(world), world.group("Ops"), world.group("Gone")
    world.sandbox.kick(gone.id)
    lost = await world.notice("to nobody", to=gone)
    await lost.becomes("failed")
    await world.alert("disk full", to=ops)
    await ops.receives("disk full")
    closed = await world.alert("fan slow", to=ops)
    await ops.receives("fan slow")
    assert (await closed.is_asked("close")).status == 200
    await world.later(hours=2)

    text = (await summary(world, anna)).text

    assert "Sent: 2 (the day before: 0), 2 of them alerts" in text
    assert "Failed: 1 (0)" in text
    assert "Expired unacknowledged: 1 (0)" in text
    assert "Still open" not in text


async def test_a_message_held_by_quiet_hours_counts_as_waiting(plain: World) -> None:
    anna, bob = await linked(plain), await linked(plain, "Bob", "bob", quiet_from="08:00", quiet_until="20:00")
    answer = await plain.ask("POST", "/send", {"user": "bob", "text": "backup done"})
    assert answer.status == 200
    await until(plain, "2026-03-02 10:00:00")
    await chooses(plain, anna, summary_time="11:00")

    text = (await summary(plain, anna, "2026-03-02 11:00:00")).text

    assert "Sent: 0 (the day before: 0)\nWaiting: 1\nBy source" in text
    assert "backup done" not in bob.texts


async def test_a_day_is_compared_with_the_day_before(plain: World) -> None:
    anna, ops = await linked(plain), plain.group("Ops")
    for _ in range(3):
        await plain.notice("backup done", to=ops)
    await summary(plain, anna)
    await plain.notice("backup done", to=ops)
    await plain.is_quiet()

    assert "Sent: 1 (the day before: 3)" in (await summary(plain, anna, "2026-03-04 09:00:00")).text


async def test_a_scheduled_message_counts_on_the_day_it_was_sent(plain: World) -> None:
    anna, ops = await linked(plain), plain.group("Ops")
    await plain.notice("backup done", to=ops, send_at="2026-03-03T12:00:00Z")
    assert "nothing was sent" in (await summary(plain, anna)).text
    await until(plain, "2026-03-03 12:00:01")
    await ops.receives("backup done")
    assert "Sent: 1 (the day before: 0)" in (await summary(plain, anna, "2026-03-04 09:00:00")).text


@pytest.mark.both_databases
async def test_a_configured_channel_gets_everything_but_summaries(another: MakeWorld) -> None:
    world = await another(summary={**NO_CHART, "to": []})
    status, ops = world.group("Status", "channel"), world.group("Ops")
    world.sets(summary={"to": [str(status.id)]})
    await world.starts()
    anna = await linked(world)
    await world.notice("mine", to=ops, source="backup")
    await others(world, "another's", to=ops, source="web")
    await world.is_quiet()

    assert "all messages on this server" in (await summary(world, status)).text
    text = (await summary(world, status, "2026-03-04 09:00:00")).text
    await anna.receives(SUMMARY)
    assert text == "Daily summary: since Tuesday 3 March, 09:00 (UTC) nothing was sent, and no alert is open."


async def test_a_channel_that_is_taken_out_of_the_config_gets_none(another: MakeWorld) -> None:
    world = await another()
    status = world.group("Status", "channel")
    world.sets(summary={"to": [str(status.id)]})
    await world.starts()
    await world.ticks()
    await summary(world, status)
    await world.stops()
    world.sets(summary={"to": []})
    await world.starts()
    await world.ticks()
    await until(world, "2026-03-05 10:00:00")
    assert len(status.texts) == 1


async def test_nothing_to_say_is_one_line_or_nothing(another: MakeWorld) -> None:
    world = await another(summary={"when_empty": False})
    await world.starts()
    anna = await linked(world)
    await until(world, "2026-03-03 09:00:00")
    assert not [text for text in anna.texts if SUMMARY in text]
    await world.notice("hello", to=anna)
    await world.is_quiet()
    assert "Sent: 1 (the day before: 0)" in (await summary(world, anna, "2026-03-04 09:00:00")).text


@pytest.mark.parametrize("choice", [{"is_enabled": False}, {"account": None}], ids=["switched off", "not linked"])
async def test_nobody_gets_a_summary_they_switched_off(plain: World, choice: Json) -> None:
    anna = await linked(plain)
    await chooses(plain, anna, **choice)
    await until(plain, "2026-03-05 10:00:00")
    assert not [text for text in anna.texts if SUMMARY in text]


async def test_the_next_summary_covers_a_muted_one_too(plain: World) -> None:
    anna, ops = await linked(plain), plain.group("Ops")
    await plain.notice("backup done", to=ops)
    await chooses(plain, anna, muted_until="2026-03-03 12:00:00.000000")
    await until(plain, "2026-03-03 09:00:00")
    await until(plain, "2026-03-03 13:00:00")
    assert not [text for text in anna.texts if SUMMARY in text]
    text = (await summary(plain, anna, "2026-03-04 09:00:00")).text
    assert "Since Monday 2 March, 09:00 (UTC)" in text
    assert "Sent: 1 (the period before: 0)" in text


async def test_quiet_hours_do_not_delay_a_summary_at_a_chosen_time(plain: World) -> None:
    anna = await linked(plain, quiet_from="08:00", quiet_until="10:00")
    await summary(plain, anna)


async def test_quiet_hours_delay_a_configured_summary(another: MakeWorld) -> None:
    world = await another(summary={**NO_CHART, "to": ["alice"]})
    await world.starts()
    alice = await linked(world, "Alice", "alice", quiet_from="08:00", quiet_until="10:00", summary_time="20:00")
    await until(world, "2026-03-03 09:00:00")
    await until(world, "2026-03-03 09:59:00")
    of_the_config = "Daily summary: since Monday 2 March, 09:00 (UTC)"
    assert not [text for text in alice.texts if of_the_config in text]
    await until(world, "2026-03-03 10:00:01")
    await alice.receives(of_the_config)


# The chart


async def two_hours_of_notices(world: World, to: Place) -> None:
    """Send something to compare: a single bar makes no chart."""
    await world.notice("hello", to=to)
    await world.is_quiet()
    await world.later(hours=1)
    await world.notice("later", to=to)


@pytest.mark.both_databases
async def test_it_comes_with_a_picture_where_there_is_something_to_show(world: World) -> None:
    pytest.importorskip("PIL")
    anna, bob = await linked(world), await linked(world, "Bob", "bob")
    await two_hours_of_notices(world, anna)
    await world.is_quiet()

    with_something, with_nothing = await summary(world, anna), await bob.receives(SUMMARY)

    assert with_something.message.media is not None
    assert with_something.message.media.kind == "photo"
    largest = with_something.message.media.sizes[-1]
    assert (largest.width, largest.height) == (960, 640)
    assert "Sent: 2" in with_something.text
    assert with_nothing.message.media is None


async def test_there_is_no_picture_without_pillow(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    anna = await linked(world)
    await two_hours_of_notices(world, anna)
    await world.is_quiet()
    post = await summary(world, anna)
    assert post.message.media is None
    assert "Sent: 2" in post.text


async def test_a_full_disk_costs_only_the_chart(world: World) -> None:
    pytest.importorskip("PIL")
    anna = await linked(world)
    await two_hours_of_notices(world, anna)
    await world.is_quiet()
    world.runtime.files.store.kept_free = 1 << 60
    post = await summary(world, anna)
    assert post.message.media is None
    assert "Sent: 2" in post.text


async def test_charts_that_cannot_be_drawn_are_left_out_and_logged_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("PIL")

    def draw(_: chart.Chart) -> bytes:
        raise ValueError("y1 must be greater than or equal to y0")

    monkeypatch.setattr(chart, "draw", draw)
    anna, bob = await linked(world), await linked(world, "Bob", "bob")
    await two_hours_of_notices(world, anna)
    await others(world, "hello", to=bob)
    await world.is_quiet()
    await world.later(hours=1)
    await others(world, "hello again", to=bob)
    await world.is_quiet()

    posts = await summary(world, anna), await bob.receives(SUMMARY)

    assert [post.message.media for post in posts] == [None, None]
    assert [("Sent: 2" in posts[0].text), ("Sent: 2" in posts[1].text)] == [True, True]
    assert world.log.count("summaries are sent without charts") == 1
    assert (await world.get("/health"))["status"] == "ok"


# On request, and failures


async def test_a_requested_summary_goes_out_at_once_and_uses_up_no_date(plain: World) -> None:
    anna, ops = await linked(plain), plain.group("Ops")
    await plain.notice("backup done", to=ops)
    await plain.is_quiet()
    await plain.later(hours=20)

    answer = await plain.ask("POST", "/api/admin/scheduler/jobs/telegram_daily_summary/trigger")

    assert answer.status == 200
    post = await anna.receives("Summary on request, Tuesday 3 March")
    assert "Sent: 1 (the day before: 0)" in post.text
    assert "Sent: 1 (the day before: 0)" in (await summary(plain, anna)).text


@pytest.mark.both_databases
async def test_a_failing_summary_is_retried_later_and_does_not_block_the_others(another: MakeWorld) -> None:
    world = await another(summary=NO_CHART)
    await world.starts()
    anna, bob = await linked(world), await linked(world, "Bob", "bob")
    (user_id,) = world.rows("SELECT user_id FROM people WHERE chat_id = ?", str(anna.id))[0]
    world.moves(seconds=(utc("2026-03-03 09:00:00") - world.clock.at).total_seconds())

    with world.store.refuse("INSERT ON messages", only=f"CAST(NEW.recipients AS TEXT) LIKE '%{user_id}%'"):
        await run_job(world.runtime, next(job for job in JOBS if job.name == "telegram_daily_summary"))
    await bob.receives(SUMMARY)
    assert not [text for text in anna.texts if SUMMARY in text]
    assert (await world.get("/health"))["status"] == "degraded"

    await world.later(minutes=11)
    await anna.receives("Daily summary: since Monday 2 March, 09:00 (UTC) nothing was sent")


async def test_a_chat_that_is_gone_costs_the_others_nothing(another: MakeWorld) -> None:
    world = await another(summary={**NO_CHART, "to": ["carol"]}, accounts={"carol": "carol"})
    await world.starts()
    anna = await linked(world)
    await summary(world, anna)
    await world.logs("a summary has no reachable recipient")
    assert timedelta(hours=23) < await next_in(world, "to:carol") <= timedelta(hours=24)


async def next_in(world: World, reader: str) -> timedelta:
    ((next_at,),) = world.rows("SELECT next_at FROM summary_plans WHERE reader = ?", reader)
    return utc(str(next_at)) - world.clock.at
