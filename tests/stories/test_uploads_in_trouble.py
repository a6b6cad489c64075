"""Uploads that do not get through: the text with its buttons is shown, and the files follow when they can."""

import pytest

from notifybot.sandbox import WebPage
from notifybot.sandbox.world.state import Message
from tests.sandbox.pictures import png
from tests.stories.conftest import MakeWorld
from tests.stories.places import OPEN, Place
from tests.stories.world import World

PICTURE = png(40, 30)
DISK = ("photo", "disk.png", PICTURE)
CPU = ("photo", "cpu.png", png(41, 30))
LOG = ("file", "build.log", b"all is well\n")
UPLOADS = ("sendPhoto", "sendDocument", "sendMediaGroup")


def shown(world: World, place: Place) -> list[Message]:
    """Return the bot's messages there, oldest first."""
    return [message for message in world.sandbox.messages(place.id) if message.sender is world.sandbox.bot]


def kinds(world: World, place: Place) -> list[str]:
    return [message.media.kind if message.media else "text" for message in shown(world, place)]


def uploads_fail(world: World, kind: str = "cut_upload", error_code: int | None = None) -> None:
    for method in UPLOADS:
        world.sandbox.fault(kind, method=method, error_code=error_code)


@pytest.mark.both_databases
async def test_an_alert_whose_picture_cannot_be_uploaded_is_shown_and_the_picture_follows(
    world: World, ops: Place
) -> None:
    anna = world.member(ops, "Anna")
    uploads_fail(world)
    alert = await world.uploads(DISK, to=ops, caption="disk 91 %")

    await world.passes(seconds=2)

    post = await ops.receives("disk 91 %")
    assert post.buttons == OPEN
    sends = [call.method for call in world.sandbox.calls if call.method.startswith("send")]
    assert sends[:4] == ["sendPhoto", "sendPhoto", "sendMessage", "sendPhoto"]
    assert (await alert.now())["status"] == "sent"
    assert (await alert.delivery(ops))["status"] == "shown"
    await world.passes(minutes=5)
    health = await world.get("/health")
    assert (health["status"], "1 post waits for its files" in "".join(health["warnings"])) == ("degraded", True)
    await post.pressed(by=anna)
    await post.becomes("Acknowledged by Anna", buttons=[])
    assert kinds(world, ops) == ["text"]

    world.sandbox.clear_faults()
    await world.passes(minutes=2)

    assert kinds(world, ops) == ["text", "photo"]
    assert world.sandbox.file_bytes(shown(world, ops)[1]) == PICTURE
    await world.passes(minutes=5)
    assert kinds(world, ops) == ["text", "photo"]
    assert (await world.get("/health"))["status"] == "ok"
    details = [line["detail"] for line in (await alert.now())["timeline"] if line["event"] == "sent"]
    assert details == [f"To {ops.id}; files follow.", f"Files to {ops.id}."]


@pytest.mark.parametrize(
    ("kind", "code", "files"),
    [
        ("cut_upload", None, (LOG,)),
        ("cut_upload", None, (DISK, CPU)),
        ("cut_upload", None, (LOG, DISK, CPU)),
        ("cut_before", None, (DISK,)),
        ("html", None, (DISK,)),
        ("html", 413, (DISK,)),
        ("html", 413, (DISK, CPU)),
        ("html", 403, (LOG,)),
        ("error", 500, (DISK,)),
        ("error", 502, (LOG, DISK)),
    ],
)
async def test_no_failure_of_uploads_keeps_the_text_or_doubles_a_file(
    world: World, ops: Place, kind: str, code: int | None, files: tuple[tuple[str, str, bytes], ...]
) -> None:
    uploads_fail(world, kind, code)

    alert = await world.uploads(*files, to=ops, caption="disk 91 %")
    await world.passes(seconds=2)

    assert (await ops.receives("disk 91 %")).buttons == OPEN
    await alert.becomes("sent")
    world.sandbox.clear_faults()
    await world.passes(minutes=1)
    expected = ["photo" if field == "photo" else "document" for field, *_ in files]
    assert sorted(kinds(world, ops)) == sorted(["text", *expected])


@pytest.mark.parametrize(
    ("files", "refused", "arrive"),
    [
        ((DISK,), ("sendPhoto",), ["text", "document"]),
        ((DISK,), ("sendPhoto", "sendDocument"), ["text"]),
        ((LOG,), ("sendDocument",), ["text"]),
        ((DISK, CPU), ("sendMediaGroup",), ["text", "photo", "photo"]),
        ((DISK, CPU), ("sendMediaGroup", "sendPhoto"), ["text", "document", "document"]),
        ((DISK, CPU), UPLOADS, ["text"]),
        ((DISK, CPU, LOG), ("sendMediaGroup",), ["text", "photo", "photo", "document"]),
        ((LOG, ("file", "b.log", b"b")), ("sendMediaGroup",), ["text", "document", "document"]),
    ],
)
async def test_a_refused_file_goes_another_way_and_else_the_text_names_it(
    world: World,
    ops: Place,
    files: tuple[tuple[str, str, bytes], ...],
    refused: tuple[str, ...],
    arrive: list[str],
) -> None:
    reason = "group send failed" if "sendMediaGroup" in refused else "something that nobody foresaw"
    for method in refused:
        world.sandbox.fault("error", method=method, error_code=400, description=f"Bad Request: {reason}")

    alert = await world.uploads(*files, to=ops, caption="disk 91 %")

    post = await ops.receives("disk 91 %")
    assert post.buttons == OPEN
    await world.is_quiet()
    await alert.becomes("sent")
    assert kinds(world, ops) == arrive
    missing = [name for _, name, _ in files] if arrive == ["text"] else []
    assert [name for _, name, _ in files if f"📎 {name}: Telegram rejected it: {reason}" in post.text] == missing


async def test_a_scheduled_message_counts_as_sent_while_its_files_cannot_be_uploaded(world: World) -> None:
    anna = await world.subscriber("Anna")
    (person,) = (await world.ask("GET", "/subscribed-users")).body
    uploads_fail(world)
    given = {
        "target_user_id": person["user_id"],
        "message": "report",
        "scheduled_timestamp": "2020-01-01T00:00:00",
    }
    files = [("files", "a.txt", b"a"), ("files", "b.txt", b"b")]

    answer = await world.submit("/schedule-message", files, given)
    await anna.receives("report")
    await world.passes(seconds=5)

    (delivery,) = (await world.get(f"/api/messages/{answer.body['id']}"))["deliveries"]
    assert delivery["status"] == "shown"
    world.sandbox.clear_faults()
    await world.passes(minutes=2)
    assert [message.media.file_name for message in shown(world, anna) if message.media] == ["a.txt", "b.txt"]


@pytest.mark.parametrize("kind", ["image", "document"])
async def test_a_file_that_we_cannot_fetch_yet_keeps_no_text(world: World, ops: Place, kind: str) -> None:
    url = "https://files.example.org/graph.png"
    world.sandbox.web[url] = WebPage(b"moved", status=503)

    await world.alert(url, to=ops, type=kind, caption="disk 91 %")

    post = await ops.receives("disk 91 %")
    assert post.buttons == OPEN
    await post.becomes(f"📎 {url}: ")


async def test_a_file_that_cannot_be_uploaded_is_given_up_and_named_in_the_text(another: MakeWorld) -> None:
    world = await another(delivery={"give_up_after": "1m"})
    await world.starts()
    ops = world.group("Ops")
    uploads_fail(world)
    alert = await world.uploads(DISK, to=ops, caption="disk 91 %")
    await world.passes(seconds=2)
    post = await ops.receives("disk 91 %")

    await world.passes(minutes=2)

    await post.becomes("📎 disk.png: Given up after retrying: ", buttons=OPEN)
    assert (await alert.now())["status"] == "sent"
    assert (await alert.delivery(ops))["status"] == "shown"


@pytest.mark.parametrize(("fault", "code"), [("error", 400), ("cut_upload", None)])
async def test_a_long_text_whose_rest_cannot_be_sent_as_a_file_is_shown_and_answered(
    another: MakeWorld, fault: str, code: int | None
) -> None:
    world = await another(delivery={"give_up_after": "30s"})
    await world.starts()
    ops = world.group("Ops")
    anna = world.member(ops, "Anna")
    uploads_fail(world, fault, code)
    alert = await world.alert("word " * 6000, to=ops)

    await world.passes(minutes=2)

    assert (await alert.delivery(ops))["status"] == "shown"
    post = await ops.receives("The full text is in the file below.")
    await post.pressed(by=anna)
    await post.becomes("Acknowledged by Anna", buttons=[])


async def test_an_outage_of_telegram_does_not_part_text_and_picture(world: World, ops: Place) -> None:
    world.sandbox.fault("away")
    await world.uploads(DISK, to=ops, caption="disk 91 %")
    await world.passes(seconds=20)

    world.sandbox.clear_faults()
    await world.passes(minutes=1)

    assert kinds(world, ops) == ["photo"]


async def test_a_message_that_is_only_its_file_waits_for_it(world: World, ops: Place) -> None:
    uploads_fail(world)
    notice = await world.uploads(LOG, to=ops, acknowledge="false")
    await world.passes(seconds=10)
    assert (await notice.now())["status"] == "initiated"

    world.sandbox.clear_faults()
    await world.passes(minutes=1)

    assert (await notice.now())["status"] == "sent"
    assert kinds(world, ops) == ["document"]
