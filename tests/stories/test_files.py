"""Photos and files, sent in every way; a bad file never loses the text."""

import asyncio
import base64
import os
from pathlib import Path

import pytest

from notifybot.app import FetchOptions
from notifybot.sandbox import WebPage
from notifybot.sandbox.world.state import Message
from tests.sandbox.pictures import gif, png
from tests.stories.conftest import MakeWorld
from tests.stories.places import OPEN, Place
from tests.stories.world import Json, World
from tests.support.file_servers import ok, serving

PICTURE = png(40, 30)
ADDRESS = "https://files.example.org/graph.png"


def shown(world: World, place: Place) -> list[Message]:
    """Return the bot's messages there, oldest first."""
    return [message for message in world.sandbox.messages(place.id) if message.sender is world.sandbox.bot]


def kinds(world: World, place: Place) -> list[str]:
    return [message.media.kind if message.media else "text" for message in shown(world, place)]


async def test_an_uploaded_picture_is_shown_with_its_caption_and_the_button(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.uploads(("content", "graph.png", PICTURE), to=ops, type="image", caption="disk 91 %")

    post = await ops.receives("disk 91 %")
    assert world.sandbox.file_bytes(post.message) == PICTURE
    await post.pressed(by=anna)

    await post.becomes("Acknowledged by Anna", buttons=[])
    await alert.becomes("closed")
    assert kinds(world, ops) == ["photo"]


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
async def test_a_picture_may_stand_in_the_request_itself(world: World, ops: Place, prefix: str) -> None:
    await world.alert(prefix + base64.b64encode(PICTURE).decode(), to=ops, type="image", caption="disk")

    post = await ops.receives("disk")
    assert world.sandbox.file_bytes(post.message) == PICTURE


@pytest.mark.parametrize(("field", "kind"), [("photo", "image"), ("file", "document")])
async def test_a_form_need_not_say_what_its_files_are(world: World, ops: Place, field: str, kind: str) -> None:
    alert = await world.uploads((field, "graph.png", PICTURE), to=ops)

    message = await alert.becomes("sent")
    assert (message["type"], message["content"], message["caption"]) == (kind, None, None)


async def test_a_document_keeps_its_name(world: World, ops: Place) -> None:
    await world.uploads(("content", "Bericht März.txt", b"all is well"), to=ops, type="document", caption="report")

    post = await ops.receives("report")
    assert post.message.media is not None
    assert (post.message.media.kind, post.message.media.file_name) == ("document", "Bericht März.txt")
    assert world.sandbox.file_bytes(post.message) == b"all is well"


async def test_telegram_fetches_a_url_itself(world: World, ops: Place) -> None:
    world.sandbox.web[ADDRESS] = WebPage(PICTURE, content_type="image/png")

    await world.alert(ADDRESS, to=ops, type="image", caption="disk")

    await ops.receives("disk")
    assert kinds(world, ops) == ["photo"]
    assert world.rows("SELECT sha256 FROM attachments") == [(None,)]


async def test_notifybot_fetches_an_http_url(another: MakeWorld) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    world = await another()
    world.web = FetchOptions(resolve=resolve, may_reach=lambda _: True)
    await world.starts()
    ops = world.group("Ops")
    async with serving(None) as server:
        server.answers["/graph.png"] = ok(PICTURE)
        url = f"http://files.example:{server.port}/graph.png"

        await world.alert(url, to=ops, type="image", caption="disk 91 %")

        post = await ops.receives("disk 91 %")
    assert world.sandbox.file_bytes(post.message) == PICTURE
    assert [str(call.params["photo"]) for call in world.sandbox.calls.of("sendPhoto")] != [url]


async def test_a_url_that_nobody_can_fetch_is_written_in_the_text(world: World, ops: Place) -> None:
    alert = await world.alert("https://127.0.0.1/graph.png", to=ops, type="image", caption="disk 91 %")

    post = await ops.receives("disk 91 %")
    await post.becomes("📎 https://127.0.0.1/graph.png: ", buttons=OPEN)
    await alert.becomes("sent")
    assert "reformatted" in await alert.events()


async def test_several_pictures_are_an_album_above_the_text(world: World, ops: Place) -> None:
    pictures = [("photo", f"{number}.png", png(40 + number, 30)) for number in range(3)]
    alert = await world.uploads(*pictures, to=ops, caption="three disks")

    await alert.becomes("sent")
    assert kinds(world, ops) == ["photo", "photo", "photo", "text"]
    assert len({message.media_group_id for message in shown(world, ops)[:3]}) == 1
    assert (await alert.delivery(ops))["telegram_message_ids"] == [message.id for message in shown(world, ops)]
    assert [bool(message.buttons) for message in shown(world, ops)] == [False, False, False, True]


async def test_a_picture_goes_to_telegram_once_for_all_chats(world: World) -> None:
    places = [world.group(f"Ops {number}") for number in range(3)]
    for place in places:
        await world.uploads(("photo", "graph.png", PICTURE), to=place, caption="disk")
    for place in places:
        await place.receives("disk")

    sent = [call.params["photo"] for call in world.sandbox.calls.of("sendPhoto")]
    assert [str(value).startswith("attach://") for value in sent].count(True) == 1
    assert all(world.sandbox.file_bytes(shown(world, place)[0]) == PICTURE for place in places)


async def test_a_file_that_telegram_forgot_is_uploaded_again(world: World) -> None:
    first, second = world.group("First"), world.group("Second")
    await world.uploads(("photo", "graph.png", PICTURE), to=first, caption="disk")
    await first.receives("disk")
    world.sandbox.forget_files()

    alert = await world.uploads(("photo", "graph.png", PICTURE), to=second, caption="disk")

    post = await second.receives("disk")
    await alert.becomes("sent")
    assert world.sandbox.file_bytes(post.message) == PICTURE


@pytest.mark.parametrize("picture", [png(6000, 5000), png(2100, 100), gif(30, 30)])
async def test_a_picture_that_is_no_photo_for_telegram_goes_as_a_document(
    world: World, ops: Place, picture: bytes
) -> None:
    await world.uploads(("photo", "graph.png", picture), to=ops, caption="disk")

    await ops.receives("disk")
    assert kinds(world, ops) == ["document"]


async def test_a_picture_that_telegram_cannot_process_goes_as_a_document(world: World, ops: Place) -> None:
    broken = PICTURE[:-20]  # the header is still that of a picture
    alert = await world.uploads(("photo", "graph.png", broken), to=ops, caption="disk")

    await ops.receives("disk")
    await world.is_quiet()
    await alert.becomes("sent")
    assert kinds(world, ops) == ["text", "document"]
    assert "goes as a document" in (await alert.tells("reformatted"))["detail"]


async def test_a_caption_that_is_too_long_continues_below(world: World, ops: Place) -> None:
    alert = await world.uploads(("photo", "graph.png", PICTURE), to=ops, caption="word " * 500)

    await alert.becomes("sent")
    first, second = shown(world, ops)
    assert (bool(first.media), bool(first.buttons), bool(second.buttons)) == (True, False, True)
    assert " ".join((first.text + " " + second.text).split()) == " ".join(["word"] * 500)


async def test_a_picture_is_escalated_with_its_text(world: World, ops: Place) -> None:
    await world.uploads(("photo", "graph.png", PICTURE), to=ops, caption="disk")
    await ops.receives("disk")

    await world.later(minutes=15)

    post = await world.duty.receives("Escalated")
    assert world.sandbox.file_bytes(post.message) == PICTURE


async def test_a_picture_by_its_path_is_copied_at_acceptance(world: World, tmp_path: Path) -> None:
    anna = await world.subscriber("Anna")
    (person,) = (await world.ask("GET", "/subscribed-users")).body
    path = tmp_path / "graph.png"
    path.write_bytes(PICTURE)

    answer = await world.ask(
        "POST", "/send_photo", {"user": person["user_id"], "photo_path": str(path), "caption": "disk"}
    )
    path.unlink()

    assert answer.status == 200
    post = await anna.receives("disk")
    assert world.sandbox.file_bytes(post.message) == PICTURE


async def test_a_path_that_is_no_picture_is_refused_with_a_hint(world: World, tmp_path: Path) -> None:
    await world.subscriber("Anna")
    (person,) = (await world.ask("GET", "/subscribed-users")).body
    path = tmp_path / "notes.txt"
    path.write_text("no picture")

    answer = await world.ask("POST", "/send_photo", {"user": person["user_id"], "photo_path": str(path)})

    assert (answer.status, "not an image" in answer.body["detail"], bool(answer.body["hint"])) == (400, True, True)
    assert world.rows("SELECT count(*) FROM messages") == [(0,)]


async def test_a_stored_file_is_handed_out_to_its_sender(world: World, ops: Place) -> None:
    alert = await world.uploads(("content", "märz.txt", b"all is well"), to=ops, type="document", caption="report")
    (file,) = (await alert.now())["attachments"]

    assert (file["name"], file["size"], file["media_type"], file["kind"]) == ("märz.txt", 11, "text/plain", "document")
    assert await world.download(file["href"]) == (200, b"all is well")
    assert (await world.download(file["href"].replace("_1_", "_2_")))[0] == 404


async def test_unneeded_files_are_removed_from_disk(world: World, ops: Place) -> None:
    alert = await world.uploads(("content", "a.txt", b"all is well"), to=ops, type="document", caption="report")
    await ops.receives("report")
    await alert.is_asked("close")
    (stored,) = [path for path in (world.folder / "attachments").rglob("*") if path.is_file()]
    long_ago = world.clock.now().timestamp()
    os.utime(stored, (long_ago, long_ago))  # files use the machine's clock

    await world.later(days=31)
    await world.ticks("retention")

    assert not stored.exists()
    (file,) = (await alert.now())["attachments"]
    assert file["href"] is None


async def test_a_file_that_waits_survives_a_stop(world: World, ops: Place) -> None:
    world.sandbox.fault("away")
    await world.uploads(("photo", "graph.png", PICTURE), to=ops, caption="disk")
    await world.stops()
    world.sandbox.clear_faults()

    await world.starts()

    post = await ops.receives("disk")
    assert world.sandbox.file_bytes(post.message) == PICTURE


async def test_a_file_of_a_type_that_is_not_allowed_is_refused(another: MakeWorld) -> None:
    world = await another(attachments={"types": ["image/*"]})
    await world.starts()
    ops = world.group("Ops")

    answer = await world.submit("/api/ingest", [("file", "a.txt", b"text")], {"channel_id": str(ops.id)})

    assert answer.status == 415
    assert world.rows("SELECT count(*) FROM messages") == [(0,)]


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        (("file", "a.txt", b"text"), "a.txt: Files of type text/plain are not accepted."),
        (("photo", "a.png", png(40, 30) + bytes(100_000)), "a.png: The file is larger than 1000 bytes."),
        (("image", "a.gif", gif(30, 30)), "a.gif: The scanner refused the file"),
    ],
)
async def test_the_text_of_an_alert_names_a_file_that_the_operator_does_not_want(
    another: MakeWorld, file: tuple[str, str, bytes], problem: str
) -> None:
    settings: Json = {"types": ["image/*"], "max_bytes": 1000, "scan_command": ["/bin/sh", "-c", "exit 1"]}
    world = await another(attachments=settings)
    await world.starts()
    ops = world.group("Ops")

    alert = await world.uploads(file, to=ops, caption="disk 91 %")

    post = await ops.receives("disk 91 %")
    assert f"📎 {problem}" in post.text
    assert post.buttons == OPEN
    await alert.becomes("sent")


async def test_an_alert_is_shown_while_the_scanner_is_down_and_a_notice_is_to_be_sent_again(another: MakeWorld) -> None:
    world = await another(attachments={"scan_command": ["/nowhere/scanner"]})
    await world.starts()
    ops = world.group("Ops")
    fields = {"channel_id": str(ops.id), "caption": "disk 91 %"}

    notice = await world.submit("/api/ingest", [("photo", "a.png", PICTURE)], {**fields, "acknowledge": "false"})
    alert = await world.submit("/api/ingest", [("photo", "a.png", PICTURE)], fields)

    assert (notice.status, alert.status) == (503, 202)
    assert "📎 a.png: The file could not be scanned" in (await ops.receives("disk 91 %")).text


async def test_a_file_that_is_too_large_is_refused_at_the_door(another: MakeWorld) -> None:
    world = await another(attachments={"max_bytes": 1000})
    await world.starts()
    ops = world.group("Ops")

    answer = await world.submit("/api/ingest", [("file", "a.bin", bytes(100_000))], {"channel_id": str(ops.id)})

    assert answer.status == 413
    assert [path for path in (world.folder / "attachments").rglob("*") if path.is_file()] == []


async def test_many_uploads_at_once_are_all_shown(world: World, ops: Place) -> None:
    uploads = [
        world.uploads(("photo", f"{number}.png", png(40 + number, 30)), to=ops, caption=f"disk {number};")
        for number in range(40)
    ]
    await asyncio.gather(*uploads)

    for number in range(40):
        await ops.receives(f"disk {number};")
    assert kinds(world, ops) == ["photo"] * 40
