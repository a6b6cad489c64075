"""Posts that grow, shrink and lose parts: the chat shows the newest version exactly once."""

import pytest

from notifybot.sandbox.world.state import Message
from tests.sandbox.pictures import png
from tests.stories.places import OPEN, Place
from tests.stories.world import Sent, World

DOCUMENTS = [("file", f"{number}.txt", b"document %d" % number) for number in range(2)]
PHOTOS = [("photo", f"{number}.png", png(40 + number, 30)) for number in range(3)]
TWO_PARTS = "".join(f"line {number}\n" for number in range(700))
"""Longer than a caption may be."""
A_FILE = TWO_PARTS * 9


def shown(world: World, place: Place) -> list[Message]:
    """Return the bot's messages there, oldest first."""
    return [message for message in world.sandbox.messages(place.id) if message.sender is world.sandbox.bot]


def shape(world: World, place: Place) -> list[str]:
    """Return each post's document name, or its kind, and the beginning of its text."""
    return [f"{_name(message)} {message.text[:8]}".strip() for message in shown(world, place)]


def _name(message: Message) -> str:
    if message.media is None:
        return "text"
    return message.media.file_name or message.media.kind.value


async def changed(world: World, sent: Sent, **newest: str | None) -> None:
    """Change a message and wait until the change is shown."""
    answer = await world.ask("PATCH", f"/api/messages/{sent.id}", newest)
    assert answer.status == 200, answer
    await world.is_quiet()


@pytest.mark.both_databases
async def test_a_text_that_grows_above_documents_goes_on_below_them(world: World, ops: Place) -> None:
    notice = await world.uploads(*DOCUMENTS, to=ops, acknowledge="false", caption="short")
    await notice.becomes("sent")

    await changed(world, notice, content=TWO_PARTS)
    first, *documents, second = shown(world, ops)
    assert [message.text for message in documents] == ["", ""]
    assert f"{first.text}\n{second.text}\n" == TWO_PARTS

    await changed(world, notice, content="short")
    assert shape(world, ops) == ["text short", "0.txt", "1.txt"]
    assert "failed" not in await notice.events()


@pytest.mark.parametrize(
    ("files", "below"),
    [
        (DOCUMENTS, "0.txt 1.txt"),
        (PHOTOS[:2] + DOCUMENTS, "photo photo 0.txt 1.txt"),
        (PHOTOS[:1] + DOCUMENTS[:1], "photo 0.txt"),
    ],
)
async def test_a_title_added_later_is_posted_below_the_files(
    world: World, ops: Place, files: list[tuple[str, str, bytes]], below: str
) -> None:
    notice = await world.uploads(*files, to=ops, acknowledge="false")
    await notice.becomes("sent")

    await changed(world, notice, title="Report")
    assert shape(world, ops) == [*below.split(), "text Report"]
    await changed(world, notice, title=None)
    assert shape(world, ops) == below.split()


async def test_the_file_of_a_long_text_comes_and_goes_with_its_length(world: World, ops: Place) -> None:
    notice = await world.notice("short", to=ops)
    await notice.becomes("sent")

    for content, expected in (
        (A_FILE, ["text", "message.txt"]),
        (TWO_PARTS, ["text", "text"]),
        (A_FILE * 2, ["text", "message.txt"]),
    ):
        await changed(world, notice, content=content)
        assert [_name(message) for message in shown(world, ops)] == expected
    await changed(world, notice, content=A_FILE)
    _, file = shown(world, ops)
    assert world.sandbox.file_bytes(file).decode() == A_FILE


async def test_an_acknowledged_album_keeps_its_text_in_place(world: World, ops: Place) -> None:
    anna = world.member(ops, "Anna")
    alert = await world.uploads(*PHOTOS, to=ops, caption="three disks")
    await alert.becomes("sent")
    post = await ops.receives("three disks")

    await post.pressed(by=anna)

    await post.becomes("three disks", "Acknowledged by Anna", buttons=[])
    await world.is_quiet()
    assert shape(world, ops) == ["photo", "photo", "photo", "text three di"]


async def test_the_album_of_a_notice_takes_a_longer_text_below_and_a_shorter_one_back(world: World, ops: Place) -> None:
    notice = await world.uploads(*PHOTOS, to=ops, acknowledge="false", caption="short")
    await notice.becomes("sent")
    assert shape(world, ops) == ["photo short", "photo", "photo"]

    await changed(world, notice, content="long " * 300)
    assert shape(world, ops) == ["photo", "photo", "photo", "text long lon"]
    await changed(world, notice, content="again")
    assert shape(world, ops) == ["photo again", "photo", "photo"]


async def test_a_deleted_part_of_a_notice_does_not_block_changes_to_the_others(world: World, ops: Place) -> None:
    notice = await world.notice(TWO_PARTS, to=ops)
    await notice.becomes("sent")
    first, _ = shown(world, ops)
    world.sandbox.remove(first)

    await changed(world, notice, content=TWO_PARTS.replace("line", "item"))

    assert [message.text.startswith("item") for message in shown(world, ops)] == [True]
    await changed(world, notice, content="over")
    assert shown(world, ops) == []  # its rest was in the deleted second part


async def test_a_deleted_first_part_of_an_open_alert_is_sent_again_alone(world: World, ops: Place) -> None:
    alert = await world.alert(TWO_PARTS, to=ops)
    await alert.becomes("sent")
    world.sandbox.remove(shown(world, ops)[0])

    await changed(world, alert, content=TWO_PARTS.replace("line", "item"))

    first, second = shown(world, ops)
    assert f"{first.text}\n{second.text}".startswith("item 0\n")
    assert [message.button_texts for message in (first, second)] == [[], OPEN]


async def test_a_part_deleted_before_the_rest_was_shown_does_not_delay_the_rest(world: World, ops: Place) -> None:
    world.sandbox.fault("flood", method="sendMessage", times=1, after=1, retry_after=60)
    notice = await world.notice(TWO_PARTS, to=ops)
    (first,) = await world.sees(lambda: shown(world, ops), "the first part")
    world.sandbox.remove(first)
    await world.ask("PATCH", f"/api/messages/{notice.id}", {"content": TWO_PARTS.replace("line", "item")})

    await world.passes(seconds=90)

    await notice.becomes("sent")
    assert [message.text[:4] for message in shown(world, ops)] == ["item"]


async def test_a_picture_that_another_chat_does_not_get_stays_where_it_is_shown(world: World, ops: Place) -> None:
    alert = await world.uploads(PHOTOS[0], to=ops, caption="disk")
    post = await ops.receives("disk")
    world.sandbox.forget_files()
    for method in ("sendPhoto", "sendDocument"):
        world.sandbox.fault("error", method=method, error_code=400, description="Bad Request: IMAGE_PROCESS_FAILED")

    await world.later(minutes=15)

    await world.duty.receives("Escalated")
    await post.becomes("Escalated at", buttons=OPEN)
    await alert.becomes("escalated")
    assert shape(world, ops) == ["photo disk\n\n🕓"]
    assert "📎" not in post.text


async def test_a_later_part_that_may_be_duplicated_is_reported(world: World, ops: Place) -> None:
    notice = await world.notice("short", to=ops)
    await notice.becomes("sent")
    world.sandbox.fault("cut_after", method="sendMessage", times=1)

    await changed(world, notice, content=TWO_PARTS)
    await world.passes(seconds=10)

    assert len(shown(world, ops)) == 3
    assert (await notice.events()).count("uncertain") == 1
