"""Files that Telegram refuses, forgets or rate-limits: the text still arrives."""

import asyncio
import json

import pytest

from notifybot.sandbox.world.state import Message
from notifybot.telegram_api import upload_cache
from tests.sandbox.pictures import png
from tests.stories.places import OPEN, Place
from tests.stories.world import World

PICTURE = png(40, 30)
DISK = ("photo", "disk.png", PICTURE)


def shown(world: World, place: Place) -> list[Message]:
    """Return the bot's messages there, oldest first."""
    return [message for message in world.sandbox.messages(place.id) if message.sender is world.sandbox.bot]


def kinds(world: World, place: Place) -> list[str]:
    return [message.media.kind if message.media else "text" for message in shown(world, place)]


def refuses(world: World, method: str, reason: str, *, times: int | None = None) -> None:
    world.sandbox.fault("error", method=method, error_code=400, description=f"Bad Request: {reason}", times=times)


@pytest.mark.both_databases
async def test_a_file_forgotten_by_telegram_still_reaches_many_chats_at_once(world: World) -> None:
    first, others = world.group("First"), [world.group(f"Ops {number}") for number in range(8)]
    await world.uploads(DISK, to=first, caption="disk")
    await first.receives("disk")
    world.sandbox.forget_files()
    world.sandbox.fault("slow", method="sendPhoto", times=len(others), seconds=0.2)

    alerts = await asyncio.gather(*(world.uploads(DISK, to=other, caption="disk") for other in others))

    for alert, other in zip(alerts, others, strict=True):
        post = await other.receives("disk")
        await alert.becomes("sent")
        assert world.sandbox.file_bytes(post.message) == PICTURE


@pytest.mark.parametrize(
    "reason",
    ["not enough rights to send photos to the chat", "CHAT_SEND_PHOTOS_FORBIDDEN", "something that nobody foresaw"],
)
async def test_a_chat_that_accepts_no_files_gets_the_text(world: World, ops: Place, reason: str) -> None:
    refuses(world, "sendPhoto", reason)
    refuses(world, "sendDocument", reason)

    alert = await world.uploads(DISK, to=ops, caption="disk 91 %")

    post = await ops.receives("disk 91 %")
    await post.becomes("📎 disk.png: Telegram rejected it: ", buttons=OPEN)
    await alert.becomes("sent")
    assert kinds(world, ops) == ["text"]


async def test_an_album_without_rights_leaves_the_text(world: World, ops: Place) -> None:
    for method in ("sendMediaGroup", "sendPhoto", "sendDocument"):
        refuses(world, method, "not enough rights to send photos to the chat")

    alert = await world.uploads(DISK, ("photo", "cpu.png", png(41, 30)), to=ops, caption="two disks")

    await alert.becomes("sent")
    await world.is_quiet()
    (post,) = shown(world, ops)
    assert post.text.count("📎") == 2
    assert post.button_texts == OPEN


async def test_files_too_large_for_one_request_go_as_several_albums(world: World, ops: Place) -> None:
    files = [("file", f"{number}.bin", bytes(12_000_000 + number)) for number in range(5)]

    alert = await world.uploads(*files, to=ops, caption="five cores")

    await alert.becomes("sent")
    assert kinds(world, ops) == ["text"] + ["document"] * 5
    albums = [json.loads(str(call.params["media"])) for call in world.sandbox.calls.of("sendMediaGroup")]
    assert [len(album) for album in albums] == [3, 2]
    assert (await alert.events()).count("reformatted") == 0


async def test_the_files_of_a_still_too_large_album_go_one_by_one(world: World, ops: Place) -> None:
    world.sandbox.fault(
        "error", method="sendMediaGroup", error_code=413, description="Request Entity Too Large", times=1
    )
    pictures = [("photo", f"{number}.png", png(400 * number, 300)) for number in (1, 2, 3)]

    alert = await world.uploads(*pictures, to=ops, caption="three disks")

    await alert.becomes("sent")
    await world.is_quiet()
    assert kinds(world, ops) == ["text", "photo", "photo", "photo"]


async def test_a_file_that_is_gone_everywhere_is_a_line_in_the_text(world: World, ops: Place) -> None:
    alert = await world.uploads(DISK, to=ops, caption="disk")
    await ops.receives("disk")
    world.sandbox.forget_files()
    world.rows("UPDATE attachments SET sha256 = NULL")  # like retention.attachments

    await world.later(minutes=15)

    post = await world.duty.receives("Escalated")
    await post.becomes("disk", buttons=OPEN)
    assert [kinds(world, world.duty), "📎 disk.png" in world.duty.texts[0]] == [["text"], True]
    await alert.becomes("escalated")


async def test_a_file_missing_from_the_store_is_reported_in_its_album(world: World, ops: Place) -> None:
    world.sandbox.fault("flood", chat=ops.id, times=1, retry_after=30)
    other = ("photo", "cpu.png", png(41, 30))
    alert = await world.uploads(DISK, other, to=ops, caption="two disks")
    sha256 = world.rows("SELECT sha256 FROM attachments WHERE name = 'disk.png'")[0][0]
    world.runtime.files.store.path_of(sha256).unlink()

    await world.passes(seconds=40)

    await alert.becomes("sent")
    assert kinds(world, ops) == ["photo"]
    assert "📎 disk.png: " in shown(world, ops)[-1].text


@pytest.mark.parametrize("fault", ["cut_before", "cut_after", "html"])
@pytest.mark.parametrize("count", [1, 3])
async def test_a_broken_connection_during_an_upload_causes_at_most_duplicates(
    world: World, ops: Place, fault: str, count: int
) -> None:
    method = "sendPhoto" if count == 1 else "sendMediaGroup"
    world.sandbox.fault(fault, method=method, times=1)
    pictures = [("photo", f"{number}.png", png(40 + number, 30)) for number in range(count)]

    alert = await world.uploads(*pictures, to=ops, caption="disk")
    await world.passes(seconds=10)

    await alert.becomes("sent")
    doubled = 2 if fault == "cut_after" else 1
    assert kinds(world, ops).count("photo") == count * doubled
    assert (await alert.events()).count("uncertain") == 1
    assert [message.button_texts for message in shown(world, ops)][-1] == OPEN


async def test_two_chats_that_wait_for_the_same_upload_both_get_it_when_it_fails(world: World) -> None:
    places = [world.group(f"Ops {number}") for number in range(3)]
    world.sandbox.fault("slow", method="sendPhoto", times=1, seconds=0.2)
    world.sandbox.fault("error", method="sendPhoto", times=1, error_code=500)

    alerts = [await world.uploads(DISK, to=place, caption="disk") for place in places]
    await world.passes(seconds=10)

    for alert, place in zip(alerts, places, strict=True):
        await alert.becomes("sent")
        assert kinds(world, place) == ["photo"]


async def test_a_text_does_not_wait_long_for_anothers_upload_of_its_file(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_cache, "MAX_WAIT_S", 0.1)
    first, second = world.group("First"), world.group("Second")
    slow = world.sandbox.fault("slow", method="sendPhoto", times=1, seconds=1)

    alerts = [await world.uploads(DISK, to=first, caption="disk")]
    await world.sees(lambda: slow.hits, "the first upload has begun")
    alerts.append(await world.uploads(DISK, to=second, caption="disk"))
    await alerts[0].becomes("sent")
    await world.passes(seconds=10)

    await alerts[1].becomes("sent")
    assert (kinds(world, first), kinds(world, second)) == (["photo"], ["text", "photo"])
    assert "uncertain" not in await alerts[1].events()


@pytest.mark.slow_because("hundreds of chats")
async def test_alerts_overtake_hundreds_of_chats_that_wait_for_one_upload(world: World, ops: Place) -> None:
    places = [world.group(f"Ops {number}") for number in range(120)]
    await world.knows(*places)
    fault = world.sandbox.fault("hang", method="sendPhoto", times=1)
    notices = [await world.uploads(DISK, to=place, caption="disk", acknowledge="false") for place in places]
    await world.sees(lambda: fault.hits, "the upload hangs")

    for number in range(5):
        await world.alert(f"alert {number};", to=ops)
        await ops.receives(f"alert {number};")
    assert not any(shown(world, place) for place in places)
    world.sandbox.clear_faults()
    await world.passes(seconds=200)

    assert [kinds(world, place) for place in places] == [["photo"]] * 120
    uncertain = [notice for notice in notices if "uncertain" in await notice.events()]
    assert uncertain == notices[:1]


async def test_a_document_stays_what_it_is(world: World, ops: Place) -> None:
    await world.uploads(("file", "sticker.webp", b"RIFF\x10\x00\x00\x00WEBPVP8 "), to=ops, caption="report")

    await ops.receives("report")
    (call,) = world.sandbox.calls.of("sendDocument")
    assert call.params["disable_content_type_detection"]
