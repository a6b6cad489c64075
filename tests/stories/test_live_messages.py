"""Messages that change: newer texts, repeated alerts, and resolving."""

import pytest

from tests.sandbox.pictures import png
from tests.stories.places import OPEN, Place
from tests.stories.world import World

REPEAT = {"dedup_key": "disk"}
COPY = {"text": "Host", "copy": "db1"}


async def test_a_newer_text_is_shown_in_the_same_post(world: World, ops: Place) -> None:
    notice = await world.notice("backup: 10 %", to=ops)
    post = await ops.receives("backup: 10 %")

    answer = await world.ask("PATCH", f"/api/messages/{notice.id}", {"content": "backup: 90 %", "title": "Backup"})

    assert (answer.status, answer.body["content"]) == (200, "backup: 90 %")
    await post.becomes("Backup\nbackup: 90 %")
    assert len(ops.texts) == 1


async def test_a_newer_text_that_cannot_be_read_is_shown_as_it_was_written(world: World, ops: Place) -> None:
    notice = await world.notice("<b>10 %</b>", to=ops, parse_mode="HTML")
    post = await ops.receives("10 %")

    await world.ask("PATCH", f"/api/messages/{notice.id}", {"content": "<b>90 %"})

    await post.becomes("<b>90 %")
    assert "The tag <b>" in (await notice.tells("reformatted"))["detail"]


async def test_only_the_newest_of_many_changes_is_shown(world: World, ops: Place) -> None:
    notice = await world.notice("0 %", to=ops)
    post = await ops.receives("0 %")
    world.sandbox.fault("flood", method="editMessageText", times=1, retry_after=30)

    for percent in range(1, 60):
        await world.ask("PATCH", f"/api/messages/{notice.id}", {"content": f"{percent} %"})
    await world.passes(seconds=60)

    await post.becomes("59 %")
    assert len(post.message.history) < 20


async def test_a_text_that_grows_and_shrinks_again_leaves_nothing_behind(world: World, ops: Place) -> None:
    notice = await world.notice("short", to=ops)
    await ops.receives("short")
    path = f"/api/messages/{notice.id}"

    await world.ask("PATCH", path, {"content": "word " * 2000})
    await world.sees(lambda: len(ops.texts) == 3, "three parts")
    await world.ask("PATCH", path, {"content": "short again"})

    await world.sees(lambda: ops.texts == ["short again"], "one part")


@pytest.mark.parametrize("body", [{}, {"content": None}, {"content": " "}, {"color": "red"}])
async def test_a_change_that_says_nothing_is_refused(world: World, ops: Place, body: dict[str, object]) -> None:
    notice = await world.notice("disk", to=ops)

    assert (await world.ask("PATCH", f"/api/messages/{notice.id}", body)).status == 400


@pytest.mark.slow_because("more changes than a timeline keeps")
async def test_the_timeline_of_a_live_message_stays_short(world: World, ops: Place) -> None:
    notice = await world.notice("0", to=ops)
    await ops.receives("0")

    for second in range(1, 130):
        await world.ask("PATCH", f"/api/messages/{notice.id}", {"content": str(second)})

    events = await notice.events()
    assert events[:2] == ["accepted", "sent"]
    assert 100 <= events.count("edited") <= 105  # one per change, and one when it is shown


async def test_a_closed_alert_cannot_be_edited(world: World, ops: Place) -> None:
    alert = await world.alert("disk", to=ops)
    await ops.receives("disk")
    await alert.is_asked("close")

    assert (await world.ask("PATCH", f"/api/messages/{alert.id}", {"content": "new"})).status == 409


async def test_the_same_trouble_counts_up_on_the_same_post_with_the_newest_text(world: World, ops: Place) -> None:
    first = await world.alert("disk 91 %", to=ops, dedup_key="disk")
    post = await ops.receives("disk 91 %")
    deadline = (await first.now())["escalate_at"]

    for percent in (93, 95):
        again = await world.ask(
            "POST", "/api/ingest", {"content": f"disk {percent} %", "channel_id": ops.id, "dedup_key": "disk"}
        )
        assert (again.status, again.body["id"], again.body["duplicate"]) == (200, first.id, True)

    await post.becomes("disk 95 %", "🔁 3 times", buttons=OPEN)
    assert len(ops.texts) == 1
    message = await first.now()
    assert (message["repeats"], message["escalate_at"]) == (2, deadline)


async def test_a_repeat_without_a_text_leaves_the_text(world: World, ops: Place) -> None:
    await world.alert("disk 91 %", to=ops, dedup_key="disk")
    post = await ops.receives("disk 91 %")

    await world.uploads(("photo", "graph.png", png(40, 30)), to=ops, dedup_key="disk")

    await post.becomes("disk 91 %", "🔁 2 times", buttons=OPEN)


@pytest.mark.both_databases
async def test_a_repeat_is_read_in_the_markup_that_it_is_written_in(world: World, ops: Place) -> None:
    alert = await world.alert("a <b>disk</b>", to=ops, dedup_key="disk", parse_mode="HTML", buttons=[COPY])
    post = await ops.receives("a disk")

    await world.ask(
        "POST", "/api/ingest", REPEAT | {"channel_id": ops.id, "content": "b *disk*", "parse_mode": "MarkdownV2"}
    )
    await post.becomes("b disk", buttons=[*OPEN, "Host"])
    assert "bold" in {entity["type"] for entity in post.message.entities}
    await world.ask("POST", "/api/ingest", REPEAT | {"channel_id": ops.id, "content": "1 < 2 & <b>so"})
    await post.becomes("1 < 2 & <b>so", buttons=[*OPEN, "Host"])
    over = {"channel_id": ops.id, "content": "<i>over", "parse_mode": "HTML", "action": "resolve"}
    await world.ask("POST", "/api/ingest", REPEAT | over)
    await post.becomes("<i>over", "Resolved at", buttons=["Host"])
    assert "HTML" in (await alert.tells("reformatted"))["detail"]
    assert (await alert.now())["parse_mode"] == "HTML"


async def test_a_key_belongs_to_its_recipients(world: World, ops: Place) -> None:
    other = world.group("Other")
    first = await world.alert("disk", to=ops, dedup_key="disk")
    second = await world.alert("disk", to=other, dedup_key="disk")

    assert first.id != second.id
    await ops.receives("disk")
    await other.receives("disk")


async def test_repeats_count_for_a_day_after_an_acknowledgement(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    first = await world.alert("disk 91 %", to=ops, dedup_key="disk")
    post = await ops.receives("disk 91 %")
    await post.pressed(by=anna)
    await first.becomes("closed")
    same = {"content": "disk 99 %", "channel_id": ops.id, "dedup_key": "disk"}

    await world.later(hours=23)
    assert (await world.ask("POST", "/api/ingest", same)).body["id"] == first.id
    await post.becomes("disk 91 %", "🔁 2 times", buttons=[])
    await world.later(hours=2)
    answer = await world.ask("POST", "/api/ingest", same)

    assert (answer.status, answer.body["id"] != first.id) == (202, True)
    await ops.receives("disk 99 %")


async def test_a_repeat_of_an_alert_closed_by_timeout_is_a_new_alert(world: World, ops: Place) -> None:
    first = await world.alert("disk", to=ops, dedup_key="disk")
    await ops.receives("disk")
    await first.becomes("sent")
    await world.later(minutes=61)
    await first.becomes("closed")

    second = await world.alert("disk", to=ops, dedup_key="disk")

    assert second.id != first.id
    await ops.receives("disk")


async def test_repeats_count_for_a_day_after_a_late_acknowledgement_too(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    first = await world.alert("disk 91 %", to=ops, dedup_key="disk", escalate_after="never")
    post = await ops.receives("disk 91 %")
    await first.becomes("sent")
    world.sandbox.fault("error", method="editMessageText")
    await world.later(hours=1)
    await first.becomes("closed")
    await post.pressed(anna)
    world.sandbox.clear_faults()
    same = {"content": "disk 99 %", "channel_id": ops.id, "dedup_key": "disk"}

    await world.later(hours=23)
    assert (await world.ask("POST", "/api/ingest", same)).body["id"] == first.id
    await world.later(hours=2)
    answer = await world.ask("POST", "/api/ingest", same)

    assert (answer.status, answer.body["id"] != first.id) == (202, True)
    await ops.receives("disk 99 %")


@pytest.mark.both_databases
async def test_a_resolve_closes_the_alert_and_frees_its_key(world: World, ops: Place) -> None:
    first = await world.alert("disk 91 %", to=ops, dedup_key="disk")
    post = await ops.receives("disk 91 %")
    over = {"action": "resolve", "dedup_key": "disk", "channel_id": ops.id}

    answer = await world.ask("POST", "/api/ingest", over)

    assert (answer.body["id"], answer.body["status"]) == (first.id, "closed")
    await post.becomes("disk 91 %", "Resolved at", buttons=[])
    assert (await first.events())[-3:-1] == ["resolved", "closed"] or "resolved" in await first.events()
    assert (await world.ask("POST", "/api/ingest", over)).status == 404
    assert (await world.alert("disk", to=ops, dedup_key="disk")).id != first.id


async def test_a_notice_that_is_resolved_says_so(world: World, ops: Place) -> None:
    notice = await world.notice("deploy runs", to=ops, dedup_key="deploy")
    post = await ops.receives("deploy runs")

    over = {"content": "deploy done", "action": "resolve", "dedup_key": "deploy", "channel_id": ops.id}
    answer = await world.ask("POST", "/api/ingest", over)

    assert (answer.body["id"], answer.body["status"]) == (notice.id, "sent")
    await post.becomes("deploy done", "Resolved at")


async def test_a_repeat_under_the_same_client_id_counts_once(world: World, ops: Place) -> None:
    await world.alert("disk", to=ops, dedup_key="disk")
    again = {"content": "disk", "channel_id": ops.id, "dedup_key": "disk", "client_id": "second"}

    ids = [(await world.ask("POST", "/api/ingest", again)).body["id"] for _ in range(3)]

    message = await world.get(f"/api/messages/{ids[0]}")
    assert (len(set(ids)), message["repeats"]) == (1, 1)


async def test_only_the_deleted_last_part_is_posted_again(world: World, ops: Place) -> None:
    alert = await world.alert("word " * 1500, to=ops)
    await alert.becomes("sent")
    assert len(ops.texts) == 2
    post = await ops.receives("word")
    last = await ops.receives("word")
    last.is_deleted()

    await world.later(minutes=15)

    await world.sees(lambda: len(ops.texts) == 2 and "Escalated at" in ops.texts[1], "the last part again")
    assert post.message.history == []
