"""Posts of several parts, interrupted by escalations, bans, moved groups and acknowledgements."""

import pytest

from notifybot.sandbox.world.state import Message
from tests.sandbox.pictures import png
from tests.stories.places import Place
from tests.stories.world import World

PHOTOS = [("photo", f"{number}.png", png(40 + number, 30)) for number in range(3)]
DOCUMENTS = [("file", f"{number}.txt", b"document %d" % number) for number in range(2)]


def shown(world: World, place: Place) -> list[Message]:
    """Return the bot's messages there, oldest first."""
    return [message for message in world.sandbox.messages(place.id) if message.sender is world.sandbox.bot]


def kinds(world: World, place: Place) -> list[str]:
    return [message.media.kind if message.media else "text" for message in shown(world, place)]


@pytest.mark.both_databases
async def test_an_album_is_escalated_with_its_text_and_both_show_the_acknowledgement(world: World, ops: Place) -> None:
    anna = world.member(world.duty, "Anna")
    alert = await world.uploads(*PHOTOS, *DOCUMENTS, to=ops, caption="disks")
    await alert.becomes("sent")

    await world.later(minutes=15)

    escalated = await world.duty.receives("Escalated")
    await escalated.pressed(by=anna)
    first = await ops.receives("disks")
    await first.becomes("Acknowledged by Anna", buttons=[])
    await world.is_quiet()
    whole = ["photo"] * 3 + ["text"] + ["document"] * 2
    assert (kinds(world, ops), kinds(world, world.duty)) == (whole, whole)
    uploads = [call for call in world.sandbox.calls.of("sendMediaGroup") if "attach://" in str(call.params["media"])]
    assert len(uploads) == 2  # photos and documents, once each


async def test_a_forgotten_album_is_uploaded_again(world: World, ops: Place) -> None:
    alert = await world.uploads(*PHOTOS, to=ops, caption="disks")
    await alert.becomes("sent")
    world.sandbox.forget_files()

    await world.later(minutes=15)

    await world.duty.receives("Escalated")
    assert [world.sandbox.file_bytes(message) for message in shown(world, world.duty)[:3]] == [
        content for _, _, content in PHOTOS
    ]


async def test_an_acknowledgement_between_two_parts_is_shown_and_the_rest_follows(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    world.sandbox.fault("flood", method="sendMediaGroup", times=1, retry_after=30)
    alert = await world.uploads(*DOCUMENTS, to=ops, caption="report")
    post = await ops.receives("report")

    await post.pressed(by=anna)
    await world.passes(seconds=60)

    await post.becomes("Acknowledged by Anna", buttons=[])
    await alert.becomes("closed")
    assert kinds(world, ops) == ["text", "document", "document"]
    assert (await alert.delivery(ops))["status"] == "shown"


async def test_a_group_that_moves_between_two_parts_gets_the_rest(world: World) -> None:
    group = world.group("Ops", "group")
    world.sandbox.fault("flood", method="sendMessage", times=1, retry_after=30)
    alert = await world.uploads(*PHOTOS, to=group, caption="disks")
    await world.sees(lambda: len(shown(world, group)) == 3, "the album")
    moved = world.migrates(group)
    anna = world.member(moved, "Anna")

    await world.passes(seconds=60)

    await alert.becomes("sent")
    post = await moved.receives("disks")
    await post.pressed(by=anna)
    await post.becomes("Acknowledged by Anna", buttons=[])
    await world.ask("PATCH", f"/api/messages/{alert.id}", {"content": "over"})
    await world.is_quiet()
    assert kinds(world, moved)[-1] == "text"


async def test_an_album_for_a_deleted_topic_goes_to_the_chat(world: World) -> None:
    forum = world.group("Ops", forum=True)
    topic = world.sandbox.add_topic(forum.id, "Disks")
    world.sandbox.delete_topic(forum.id, topic)

    alert = await world.uploads(*PHOTOS, to=forum, caption="disks", thread_id=str(topic))

    await alert.becomes("sent")
    assert kinds(world, forum) == ["photo"] * 3 + ["text"]


async def test_files_wait_out_their_retention(world: World, ops: Place) -> None:
    world.sandbox.fault("flood", chat=ops.id, times=1, retry_after=32 * 24 * 3600)
    alert = await world.uploads(PHOTOS[0], to=ops, caption="disk", escalate_after="never", close_after="never")
    await world.is_quiet()
    await world.later(days=31)
    await world.ticks("retention")

    await world.passes(days=2)

    await alert.becomes("sent")
    assert kinds(world, ops) == ["photo"]


async def test_an_alert_resolved_before_it_was_posted_is_never_posted(world: World, ops: Place) -> None:
    world.sandbox.fault("flood", chat=ops.id, times=1, retry_after=60)
    other = await world.alert("other", to=ops)
    alert = await world.uploads(*PHOTOS, to=ops, caption="disks", dedup_key="disks")
    over = {"action": "resolve", "dedup_key": "disks", "channel_id": ops.id, "client_id": "over"}

    answers = [await world.ask("POST", "/api/ingest", over) for _ in range(2)]
    again = await world.ask("POST", "/api/ingest", {**over, "client_id": "again"})
    await world.passes(seconds=90)

    assert [(answer.status, answer.body["id"]) for answer in answers] == [(200, alert.id)] * 2
    assert again.status == 404
    await other.becomes("sent")
    assert kinds(world, ops) == ["text"]
    assert (await alert.now())["status"] == "closed"


async def test_the_dedup_key_of_a_cancelled_message_is_free_again(world: World, ops: Place) -> None:
    world.sandbox.fault("flood", chat=ops.id, times=1, retry_after=60)
    await world.alert("other", to=ops)
    first = await world.uploads(*PHOTOS, to=ops, caption="disks", dedup_key="disks")
    assert (await first.is_asked("cancel")).status == 200

    over = await world.ask("POST", "/api/ingest", {"action": "resolve", "dedup_key": "disks", "channel_id": ops.id})
    second = await world.uploads(PHOTOS[0], to=ops, caption="disks again", dedup_key="disks")
    await world.passes(seconds=90)

    assert (over.status, second.id != first.id) == (404, True)
    await second.becomes("sent")
    assert kinds(world, ops) == ["text", "photo"]


@pytest.mark.parametrize("length", [840, 855, 862, 870, 1000, 1023, 1024, 1025])
async def test_a_caption_near_its_limit_has_room_for_all_status_lines(world: World, ops: Place, length: int) -> None:
    anna = world.member(ops, "A" * 60)
    text = ("word " * 300)[:length].strip()
    alert = await world.uploads(PHOTOS[0], to=ops, caption=text, dedup_key="disk")
    await alert.becomes("sent")
    await world.ask("POST", "/api/ingest", {"content": text, "channel_id": ops.id, "dedup_key": "disk"})
    await world.later(minutes=15)
    await world.duty.receives("Escalated")
    await world.is_quiet()
    buttons = [message for message in shown(world, ops) if message.button_texts]

    world.sandbox.press(anna.user, buttons[0], "Acknowledge")
    await alert.becomes("closed")
    await world.ask("POST", "/api/ingest", {"action": "resolve", "dedup_key": "disk", "channel_id": ops.id})
    await world.is_quiet()

    assert len(buttons) == 1
    said = "\n".join(message.text for message in shown(world, ops))
    for line in ("🔁 2 times", "⏫ Escalated at", "✅ Acknowledged by AAA", "✔️ Resolved at"):
        assert said.count(line) == 1
    assert said.count("word") == text.count("word")
    assert all(len(message.text) <= (1024 if message.media else 4096) for message in shown(world, ops))
    assert "failed" not in await alert.events()


@pytest.mark.parametrize(
    "length", [3900, 3920, 3935, 4000, 4090, 4096, 4097, 5 * 4096 - 170, 5 * 4096 - 10, 5 * 4096 + 10]
)
async def test_a_text_near_its_limit_has_room_for_all_status_lines(world: World, ops: Place, length: int) -> None:
    anna = world.member(ops, "A" * 60)
    text = "x" * (length)
    alert = await world.alert(text, to=ops)
    await alert.becomes("sent")
    await world.later(minutes=15)
    await world.duty.receives("Escalated")
    await world.is_quiet()
    (button,) = [message for message in shown(world, ops) if message.button_texts]
    world.sandbox.press(anna.user, button, "Acknowledge")
    await alert.becomes("closed")
    await world.is_quiet()

    said = "".join(message.text for message in shown(world, ops))
    assert said.count("✅ Acknowledged by AAA") == said.count("⏫ Escalated at") == 1
    files = [world.sandbox.file_bytes(message).decode() for message in shown(world, ops) if message.media]
    assert files == [text] if files else said.count("x") == len(text)
    assert "failed" not in await alert.events()


async def test_a_ban_between_two_parts_delays_the_rest_and_duplicates_nothing(world: World, ops: Place) -> None:
    world.sandbox.fault("flood", method="sendMessage", times=1, after=2, retry_after=30)
    alert = await world.alert("word " * 3000, to=ops)

    await world.passes(seconds=60)

    await alert.becomes("sent")
    assert " ".join(" ".join(ops.texts).split()) == " ".join(["word"] * 3000)


async def test_a_repeat_with_other_files_counts_and_keeps_the_shown_ones(world: World, ops: Place) -> None:
    await world.uploads(PHOTOS[0], to=ops, caption="disk 91 %", dedup_key="disk")
    post = await ops.receives("disk 91 %")

    await world.uploads(PHOTOS[1], DOCUMENTS[0], to=ops, caption="disk 95 %", dedup_key="disk")

    await post.becomes("disk 95 %", "🔁 2 times")
    await world.is_quiet()
    assert [world.sandbox.file_bytes(message) for message in shown(world, ops)] == [PHOTOS[0][2]]


async def test_a_silent_album_is_silent_in_all_its_parts(world: World, ops: Place) -> None:
    notice = await world.uploads(*PHOTOS, *DOCUMENTS, to=ops, caption="disks", acknowledge="false", silent="true")

    await notice.becomes("sent")
    assert all(message.is_silent for message in shown(world, ops))
