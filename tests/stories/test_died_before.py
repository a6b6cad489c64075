"""Work that ended the daemon three times: given up with the reason, and nothing else is."""

import json
from hashlib import sha256

import pytest

from notifybot.storage.database import Database
from notifybot.storage.under_way import UnderWay, Work, WorkKind, digest, text_work
from notifybot.system.marks import FILE, Marks
from tests.stories.conftest import MakeWorld
from tests.stories.places import Place
from tests.stories.world import Sent, World
from tests.support.deaths import die_during

HEAVY = "*disk full* on db1\n" * 800
KILLER = text_work(HEAVY, "MarkdownV2")
PLAIN = HEAVY[:1000]
"""As nothing has parsed it."""
REASON = "notifybot died three times while preparing this message."


async def dies(world: World, *during: Work, times: int = 3) -> None:
    """Let so many daemons die during this work before the next one starts as usual."""
    await world.stops()
    database, boot_id = Database(world.store.url), world.clock.boot_id()
    database.start()
    for _ in range(times):
        die_during(world.folder, boot_id, *during)
        next_process = UnderWay(Marks(world.folder / FILE, boot_id), database)
        await next_process.take_over(now=world.clock.now())
        next_process.close()
    await database.close()
    await world.starts()


async def scheduled(world: World, to: Place, **fields: object) -> Sent:
    """Accept a heavy message that is prepared in an hour."""
    send_at = f"{world.clock.at.replace(hour=world.clock.at.hour + 1):%Y-%m-%dT%H:%M:%SZ}"
    return await world.alert(HEAVY, to=to, parse_mode="MarkdownV2", send_at=send_at, **fields)


async def test_an_alert_becomes_a_dead_letter_and_escalates_as_plain_text(world: World, ops: Place) -> None:
    alert = await scheduled(world, ops, title="db1")
    await dies(world, KILLER)
    other = await world.alert("*short*", to=ops, parse_mode="MarkdownV2")
    await world.later(hours=1)

    assert (await alert.tells("failed"))["detail"] == f"To {ops.id}: {REASON}"
    await world.ticks("escalation")
    post = await world.duty.receives("Escalated: db1")

    assert PLAIN in post.text
    assert len(post.text) < 4096
    assert f"{REASON} The full text, without its formatting, is in the file below." in post.text
    assert [each["detail"] for each in (await alert.now())["timeline"] if each["event"] == "escalated"]
    await world.sees(lambda: len(world.sandbox.calls.of("sendDocument")), "the full text follows as a file")
    assert not any(PLAIN in text for text in ops.texts)
    await ops.receives("short")
    assert (await other.delivery(ops))["status"] == "shown"
    assert any("died three times while preparing a message" in each for each in await warnings(world))


async def warnings(world: World) -> list[str]:
    return list((await world.get("/health"))["warnings"])


async def test_a_notice_becomes_a_dead_letter_until_it_is_retried(world: World, ops: Place) -> None:
    notice = await scheduled(world, ops, acknowledge=False)
    await dies(world, KILLER)
    await world.later(hours=1)
    failed = await notice.tells("failed")
    assert REASON in failed["detail"]
    assert (await notice.delivery(ops))["last_error"] == REASON
    assert not ops.texts

    assert (await notice.is_asked("retry")).status == 200

    await ops.receives("disk full on db1")
    assert not any("died three times" in each for each in await warnings(world))


async def test_without_anywhere_to_escalate_the_alert_is_shown_as_plain_text(another: MakeWorld) -> None:
    world = await another(alerts={"escalation_channel": None})
    await world.starts()
    ops = world.group("Ops")
    await scheduled(world, ops)
    await dies(world, KILLER)
    await world.later(hours=1)
    post = await ops.receives(PLAIN)
    assert REASON in post.text


async def test_the_same_text_sent_again_is_accepted_and_shown_unparsed(world: World, ops: Place) -> None:
    await dies(world, KILLER)
    alert = await world.alert(HEAVY, to=ops, parse_mode="MarkdownV2")
    await ops.receives(PLAIN)
    assert (await alert.tells("reformatted"))["detail"] == f"Shown as plain text: {REASON}"
    fine = HEAVY + "*again*"
    await world.alert(fine, to=world.group("Second"), parse_mode="MarkdownV2")
    await world.sees(lambda: "entities" in world.sandbox.calls.of("sendMessage")[-1].params, "the other is formatted")


@pytest.mark.parametrize("times", [1, 2])
async def test_fewer_deaths_cost_nothing(world: World, ops: Place, times: int) -> None:
    alert = await scheduled(world, ops)
    await dies(world, KILLER, times=times)
    await world.later(hours=1)
    await ops.receives("disk full on db1")
    await alert.becomes("sent")
    assert world.rows("SELECT count FROM deaths") == []


async def test_a_bystander_of_three_deaths_is_shown_as_usual(world: World, ops: Place) -> None:
    alert = await scheduled(world, ops)
    await dies(world, KILLER, text_work("something else", None))
    await world.later(hours=1)
    await ops.receives("disk full on db1")
    await alert.becomes("sent")


async def test_a_template_is_refused_with_that_data_only(world: World, ops: Place) -> None:
    data = {"title": "Boats"}
    await dies(world, Work(WorkKind.TEMPLATE, digest("post_success", json.dumps(data))))
    sent = {"channel_id": ops.id, "template": "post_success"}
    refused = await world.ask("POST", "/api/ingest", {**sent, "data": data})
    assert refused.status == 400
    assert refused.body["detail"] == "notifybot died three times while filling in this template with this data."
    assert (await world.ask("POST", "/api/ingest", {**sent, "data": {"title": "Trains"}})).status == 202
    await ops.receives("Trains")


async def test_a_file_is_named_as_refused_and_its_text_is_shown(world: World, ops: Place) -> None:
    await dies(world, Work(WorkKind.UPLOAD, sha256(b"odd").hexdigest()))
    await world.uploads(("file", "odd.bin", b"odd"), ("file", "fine.bin", b"fine"), to=ops, caption="the graph")
    post = await ops.receives("the graph")
    assert "odd.bin: notifybot died three times while looking into this file." in post.text
    await world.sees(lambda: len(world.sandbox.calls.of("sendDocument")), "the other file is shown")


async def test_an_update_is_parked_and_those_behind_it_count(world: World) -> None:
    anna, ben = await world.subscriber("Anna"), await world.subscriber("Ben")
    (last,) = world.rows("SELECT max(update_id) FROM inbox")[0]
    await dies(world, Work(WorkKind.UPDATE, str(last + 1)))
    anna.says("/help")
    ben.says("/help")
    await ben.receives("/open lists")
    parked = world.rows("SELECT update_id, handled_at, error FROM inbox WHERE attempts >= 3")
    assert parked == [(last + 1, None, "notifybot died three times while handling this update.")]
    assert len(anna.texts) == 1
    await world.restarts()
    await world.is_quiet()
    assert len(anna.texts) == 1


async def test_a_job_rests_for_some_seconds_and_runs_again(world: World, ops: Place) -> None:
    await world.alert("disk full", to=ops, escalate_after="1m")
    await ops.receives("disk full")
    await world.stops()
    world.moves(minutes=2)
    await dies(world, Work(WorkKind.JOB, "escalation"))
    await world.sees(lambda: "escalation" in world.runtime.job_status.job_errors, "the job rests")
    reason = "Job escalation is failing: notifybot died 3 times while running this job. It runs again in 1 s."
    assert reason in await warnings(world)
    await world.later(seconds=2)
    await world.duty.receives("Escalated")
    assert world.rows("SELECT count FROM deaths") == []
