"""Scheduled messages: sent once, at their time, to the recipients as of then."""

from functools import partial

import pytest

from notifybot.jobs import JOBS
from notifybot.jobs.batches import PUT_OFF
from notifybot.jobs.scheduler import run_job
from notifybot.messages import accept
from notifybot.messages.new_message import Acceptance, NewMessage
from notifybot.model.enums import MediaKind
from notifybot.recipients.address import person_recipient
from notifybot.recipients.directory import Directory
from notifybot.rendering.parts import Appearance, NewFile
from notifybot.schedules import changes
from tests.stories.conftest import MakeWorld
from tests.stories.places import OPEN, Place
from tests.stories.planning import arrives, plan, seen, utc
from tests.stories.test_recipients import linked
from tests.stories.world import World

(SCHEDULES,) = [job for job in JOBS if job.name == "schedules"]


NAMES = ["report.txt", "weekly.txt"]


@pytest.mark.both_databases
async def test_a_message_is_sent_at_its_time_and_not_before(world: World, ops: Place) -> None:
    report = await plan(world, "the weekly report", to=ops, send_at="2026-03-04T06:30")

    await arrives(world, "2026-03-04T06:29")
    assert ops.texts == []
    assert (await report.now())["status"] == "scheduled"
    assert (await report.now())["deliveries"] == []

    await arrives(world, "2026-03-04T06:30")
    assert ops.texts == ["the weekly report"]
    assert seen(world, ops) == ["03-04 06:30"]
    assert (await report.becomes("sent"))["created_at"].startswith("2026-03-02T09:00")
    assert await report.events() == ["accepted", "released", "sent"]


@pytest.mark.parametrize("passed", ["2026-03-02T08:59", "2026-03-01T08:59", "0001-01-01T00:00"])
async def test_a_past_time_means_now_and_is_not_late(world: World, ops: Place, passed: str) -> None:
    report = await plan(world, "the weekly report", to=ops, send_at=passed)

    await report.becomes("sent")
    assert ops.texts == ["the weekly report"]


async def test_deadlines_count_from_send_at(world: World, ops: Place) -> None:
    alert = await plan(world, "check the backup", to=ops, send_at="2026-03-04T06:30", is_alert=True)
    assert alert.answer.escalate_at == utc("2026-03-04T06:45")

    await arrives(world, "2026-03-04T06:30")
    post = await ops.receives("check the backup")
    await post.becomes(buttons=OPEN)
    await arrives(world, "2026-03-04T06:44")
    assert world.duty.texts == []
    await arrives(world, "2026-03-04T06:45")
    await world.duty.receives("check the backup")
    await arrives(world, "2026-03-04T07:30")
    await post.becomes("Closed at 07:30 UTC; nobody acknowledged it.")


async def test_a_message_due_during_a_stop_is_sent_once_and_marked_late(world: World, ops: Place) -> None:
    report = await plan(world, "the weekly report", to=ops, send_at="2026-03-04T06:30")
    await world.stops()
    await world.later(days=3)

    await world.starts()
    await report.becomes("sent")
    await world.restarts()
    await world.is_quiet()

    assert ops.texts == ["the weekly report\n\n🕓 Late: sent at 2026-03-04 06:30 UTC."]


async def test_an_alert_that_fell_due_during_a_stop_is_shown_and_escalates(world: World, ops: Place) -> None:
    alert = await plan(world, "check the backup", to=ops, send_at="2026-03-02T10:00", is_alert=True)
    await world.stops()
    await world.later(minutes=100)

    await world.starts()

    await ops.receives("check the backup")
    await world.duty.receives("check the backup")
    events = await alert.events()
    assert events.index("released") < events.index("escalated")


async def test_recipients_are_resolved_at_the_release(another: MakeWorld) -> None:
    world = await another()
    first, second = world.group("First"), world.group("Second")
    world.sets(recipients={"team": [first.id]})
    await world.starts()
    await plan(world, "the weekly report", to="team", send_at="2026-03-04T06:30")

    world.sets(recipients={"team": [second.id]})
    await world.restarts()
    await arrives(world, "2026-03-04T06:30")

    await second.receives("the weekly report")
    assert first.texts == []


async def test_a_person_named_like_a_config_name_still_gets_it(another: MakeWorld) -> None:
    world = await another()
    ops = world.group("Ops")
    world.sets(recipients={"alice": [ops.id]})
    await world.starts()
    alice = await linked(world, "Alice", "alice")

    later = {"user": "alice", "text": "the weekly report", "send_at": "2026-03-04T06:30:00Z"}
    assert (await world.ask("POST", "/send", later)).body["status"] == "scheduled"
    await arrives(world, "2026-03-04T06:30")

    await alice.receives("the weekly report")
    assert ops.texts == []


@pytest.mark.parametrize("account", ["4711", "-1001", "@status"])
async def test_an_account_named_like_something_else_still_gets_it(world: World, account: str) -> None:
    anna, ben = await linked(world, "Anna", account), await linked(world, "Ben", "ben")

    later = {"user": account, "text": "the weekly report", "send_at": "2026-03-04T06:30:00Z"}
    assert (await world.ask("POST", "/send", later)).body["status"] == "scheduled"
    await arrives(world, "2026-03-04T06:30")

    await anna.receives("the weekly report")
    assert not any("the weekly report" in text for text in ben.texts)


async def test_a_mapped_account_named_like_a_group_still_gets_it(world: World) -> None:
    """No config allows this, but acceptance must not depend on that."""
    anna = await linked(world, "Anna", "anna")
    directory = Directory(names={"ops": (person_recipient("ben"),)}, accounts={"ops": "anna"})
    whom, send_at = (person_recipient("ops"),), utc("2026-03-04T06:30")
    new = NewMessage("root", "test", whom, "the weekly report", None, False, None, None, send_at=send_at)
    accepting = partial(accept.accept, batch=[new], now=world.clock.at, directory=directory)

    (answer,) = await world.runtime.database.write(accepting)
    assert isinstance(answer, Acceptance)
    await arrives(world, "2026-03-04T06:30")

    await anna.receives("the weekly report")


@pytest.mark.parametrize("verb", ["acknowledge", "unacknowledge", "close", "snooze"])
async def test_acknowledging_before_the_release_is_refused_with_the_time(world: World, ops: Place, verb: str) -> None:
    alert = await plan(world, "check the backup", to=ops, send_at="2026-03-04T06:30", is_alert=True)
    span = {"for": "1h"} if verb == "snooze" else None

    answer = await world.ask("POST", f"/api/messages/{alert.id}/{verb}", span)

    assert answer.status == 409
    assert answer.body["detail"] == "This alert has not been sent yet: it is due at 2026-03-04 06:30 UTC."
    assert answer.body["hint"] == "You can cancel it."
    assert (await alert.now())["status"] == "scheduled"


async def test_acknowledging_a_paused_alert_is_refused(world: World, ops: Place) -> None:
    alert = await plan(world, "check the backup", to=ops, repeat="@daily", is_alert=True)
    await alert.is_changed(changes.pause)

    answer = await alert.is_asked("acknowledge")

    assert (answer.status, answer.body["detail"]) == (409, "This alert has not been sent yet: its schedule is paused.")


async def test_a_message_that_reaches_nobody_fails(another: MakeWorld) -> None:
    world = await another(recipients={"team": ["@the_team"]})
    await world.starts()
    notice = await plan(world, "the weekly report", to="team", send_at="2026-03-04T06:30")
    alert = await plan(world, "check the backup", to="team", send_at="2026-03-04T06:30", is_alert=True)

    world.sets(recipients={"team": ["carla"]})
    await world.restarts()
    await arrives(world, "2026-03-04T06:30")

    assert (await notice.now())["status"] == "failed"
    said = [line["detail"] for line in (await notice.now())["timeline"]]
    assert said[2:] == ["Not notified, as they have no chat with the bot: team.", "Nobody was notified."]
    await world.duty.receives("check the backup")
    assert (await alert.becomes("escalated"))["deliveries"][0]["purpose"] == "escalation"


async def test_an_alert_for_a_chat_with_a_flood_wait_escalates_at_once(world: World, ops: Place) -> None:
    alert = await plan(world, "check the backup", to=ops, send_at="2026-03-02T09:10", is_alert=True)
    world.sandbox.fault("flood", chat=ops.id, retry_after=3600, times=1)
    banned = await world.notice("backup done", to=ops)
    await world.sees(lambda: world.refusals("sendMessage"), "Telegram bans the chat")
    assert (await banned.now())["status"] == "initiated"

    await arrives(world, "2026-03-02T09:10")

    await world.duty.receives("check the backup")
    assert (await alert.becomes("escalated"))["escalated_at"].startswith("2026-03-02T09:10")


async def test_people_who_muted_the_bot_by_then_get_nothing(world: World, ops: Place) -> None:
    anna = await world.subscriber("Anna")
    report = await plan(world, "the weekly report", to=anna, send_at="2026-03-02T09:30")
    anna.says("/mute 1h")
    await anna.receives("Muted: no notices")

    await arrives(world, "2026-03-02T09:30")

    assert (await report.now())["status"] == "failed"
    assert not any("the weekly report" in text for text in anna.texts)


@pytest.mark.both_databases
async def test_it_can_be_cancelled_while_it_waits(world: World, ops: Place) -> None:
    report = await plan(world, "the weekly report", to=ops, send_at="2026-03-04T06:30")

    assert (await report.is_asked("cancel")).body["status"] == "cancelled"
    await arrives(world, "2026-03-05T00:00")

    assert ops.texts == []


async def test_a_waiting_message_can_be_edited(world: World, ops: Place) -> None:
    report = await plan(world, "the weekly report", to=ops, send_at="2026-03-04T06:30")

    await world.ask("PATCH", f"/api/messages/{report.id}", {"content": "the monthly report"})
    await arrives(world, "2026-03-04T06:30")

    assert ops.texts == ["the monthly report"]


async def test_priority_and_silence_hold_at_the_release(world: World, ops: Place) -> None:
    quiet = Appearance(priority="low")
    await plan(world, "the weekly report", to=ops, send_at="2026-03-04T06:30", look=quiet)

    await arrives(world, "2026-03-04T06:30")

    assert ops.silent_texts == ["the weekly report"]


async def test_files_are_kept_while_a_message_waits(another: MakeWorld) -> None:
    world = await another(retention={"attachments": "1d", "messages": "2d"})
    ops = world.group("Ops")
    await world.starts()
    stored = await world.uploads(("file", "report.txt", b"all is well"), to=ops)
    await stored.becomes("sent")
    ((sha256, size),) = world.rows("SELECT sha256, size FROM attachments")
    file = NewFile(MediaKind.DOCUMENT, "weekly.txt", sha256=sha256, size=size, media_type="text/plain")
    await plan(world, "the report", to=ops, send_at="2026-03-20T06:30", files=(file,))

    await arrives(world, "2026-03-19T06:30")
    assert world.rows("SELECT count(*) FROM messages") == [(1,)]
    await arrives(world, "2026-03-20T06:30")
    await arrives(world, "2026-03-20T09:30")

    assert [media.file_name for message in world.sandbox.messages(ops.id) if (media := message.media)] == NAMES
    assert world.rows("SELECT count(*) FROM messages") == [(1,)]
    await arrives(world, "2026-03-23T06:30")
    assert world.rows("SELECT count(*) FROM messages") == [(0,)]


async def test_waiting_time_counts_from_send_at(world: World, ops: Place) -> None:
    await plan(world, "the weekly report", to=ops, send_at="2026-03-04T06:30")
    world.sandbox.fault("away")
    await arrives(world, "2026-03-04T06:30")
    world.moves(minutes=1)

    health = await world.get("/health")

    assert health["waiting"] == 1
    assert 60 <= health["oldest_waiting_s"] < 70
    world.sandbox.clear_faults()


async def test_the_list_of_open_alerts_shows_the_time_it_was_sent(world: World, ops: Place) -> None:
    anna = await world.subscriber("Anna")
    await plan(world, "check the backup", to=anna, send_at="2026-03-02T14:30", is_alert=True)
    await arrives(world, "2026-03-02T14:31")

    anna.says("/open")

    await anna.receives("(14:30 UTC)")


async def test_a_failing_release_is_postponed_and_delays_no_other(world: World, ops: Place) -> None:
    spoiled = await plan(world, "the daily report", to=ops, send_at="2026-03-04T06:29")
    await plan(world, "the weekly report", to=ops, send_at="2026-03-04T06:30")

    with world.store.refuse("INSERT ON deliveries", only=f"NEW.message_id = '{spoiled.id}'"):
        world.moves(hours=45, minutes=31)
        assert (await run_job(world.runtime, SCHEDULES)).error
        await ops.receives("the weekly report")
    await arrives(world, utc("2026-03-04T06:31") + PUT_OFF)

    late = await ops.receives("the daily report")
    assert late.text.endswith("Late: sent at 06:29 UTC.")
    assert len(ops.texts) == 2
