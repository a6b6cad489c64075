"""Photos and documents: what Telegram accepts, the resulting message, and downloads."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, ServerDisconnectedError

from notifybot.sandbox import Sandbox, serving
from notifybot.sandbox.world.files import clean_name
from notifybot.sandbox.world.state import Message, User
from tests.sandbox.api import Api, File, HandClock
from tests.sandbox.pictures import bmp, gif, jpeg, png, png_of_bytes, webp

MEBIBYTE = 1024 * 1024
BUTTON = {"inline_keyboard": [[{"text": "Acknowledge", "callback_data": "ack"}]]}


@pytest.fixture
async def photo(api: Api, anna: User, sandbox: Sandbox) -> Message:
    """A photo of the bot's in Anna's chat."""
    await api.upload("sendPhoto", {"photo": File(png())}, chat_id=anna.id)
    return sandbox.messages(anna)[-1]


@pytest.fixture
async def document(api: Api, anna: User, sandbox: Sandbox) -> Message:
    await api.upload("sendDocument", {"document": File(b"one\n", "report.csv")}, chat_id=anna.id)
    return sandbox.messages(anna)[-1]


def file_id_of(message: Message) -> str:
    assert message.media is not None
    return message.media.ids.file_id


async def test_a_photo_comes_in_several_sizes_the_largest_last(api: Api, anna: User, sandbox: Sandbox) -> None:
    picture = png(1600, 800)
    sent = (await api.upload("sendPhoto", {"photo": File(picture)}, chat_id=anna.id, caption="<b>cpu</b>")).result
    sizes = sent["photo"]
    assert [(size["width"], size["height"]) for size in sizes] == [
        (90, 45),
        (320, 160),
        (800, 400),
        (1280, 640),
        (1600, 800),
    ]
    assert len({size["file_id"] for size in sizes}) == len({size["file_unique_id"] for size in sizes}) == len(sizes)
    assert sent["caption"] == "<b>cpu</b>"
    assert "text" not in sent
    assert sandbox.file_bytes(sandbox.messages(anna)[-1]) == picture


async def test_a_huge_photo_is_scaled_down(api: Api, anna: User) -> None:
    sent = (await api.upload("sendPhoto", {"photo": File(png(6000, 3000))}, chat_id=anna.id)).result
    assert (sent["photo"][-1]["width"], sent["photo"][-1]["height"]) == (2560, 1280)


@pytest.mark.parametrize("make", [png, jpeg, gif, bmp, webp])
async def test_every_usual_picture_is_a_photo(api: Api, anna: User, make: "type[bytes]") -> None:
    picture = make(123, 77)  # type: ignore[call-overload]
    sent = (await api.upload("sendPhoto", {"photo": File(picture)}, chat_id=anna.id)).result
    assert (sent["photo"][-1]["width"], sent["photo"][-1]["height"]) == (123, 77)


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (b"", "file must be non-empty"),
        (b"no picture at all", "IMAGE_PROCESS_FAILED"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "IMAGE_PROCESS_FAILED"),
        (png()[:-20], "IMAGE_PROCESS_FAILED"),
        (png(5, 5)[:20], "IMAGE_PROCESS_FAILED"),
        (jpeg(100, 100)[:-2], "IMAGE_PROCESS_FAILED"),
        (png(9990, 11), "PHOTO_INVALID_DIMENSIONS"),
        (jpeg(6000, 4001), "PHOTO_INVALID_DIMENSIONS"),
        (png(10, 201), "PHOTO_INVALID_DIMENSIONS"),
        (
            png_of_bytes(10 * MEBIBYTE + 1),
            "file of size 10485761 bytes is too big for a photo; the maximum size is 10485760 bytes",
        ),
    ],
    ids=["empty", "text", "svg", "half", "header", "half jpeg", "too long", "too large", "too thin", "too big"],
)
async def test_a_photo_that_telegram_refuses(
    api: Api, anna: User, sandbox: Sandbox, content: bytes, refusal: str
) -> None:
    answer = await api.upload("sendPhoto", {"photo": File(content)}, chat_id=anna.id)
    assert answer.refusal == f"400 Bad Request: {refusal}"
    assert len(sandbox.messages(anna)) == 1


@pytest.mark.parametrize("content", [jpeg(6000, 4000), png(10, 200), png_of_bytes(10 * MEBIBYTE)])
async def test_a_photo_at_the_limits_is_accepted(api: Api, anna: User, content: bytes) -> None:
    assert (await api.upload("sendPhoto", {"photo": File(content)}, chat_id=anna.id)).status == 200


async def test_a_document_keeps_its_name_and_has_the_type_of_its_name(api: Api, anna: User, sandbox: Sandbox) -> None:
    sent = (
        await api.upload("sendDocument", {"document": File(b"a,b\n", "Bericht für März.csv")}, chat_id=anna.id)
    ).result
    document = sent["document"]
    assert (document["file_name"], document["mime_type"], document["file_size"]) == (
        "Bericht für März.csv",
        "text/csv",
        4,
    )
    assert sandbox.file_bytes(sandbox.messages(anna)[-1]) == b"a,b\n"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\logs\\db.log", "db.log"),
        ('a<b>:"c"?.txt', "a b c .txt"),
        ("x" * 100 + ".tar", "x" * 60 + ".tar"),
        ("no extension", "no extension"),
        (".env", "file.env"),
        ("", "file"),
    ],
)
def test_names_are_cleaned_as_telegram_cleans_them(given: str, kept: str) -> None:
    assert clean_name(given) == kept


async def test_a_document_of_50_megabytes_is_accepted_and_one_byte_more_is_not(
    api: Api, anna: User, sandbox: Sandbox
) -> None:
    async def pieces(size: int) -> AsyncIterator[bytes]:
        for _ in range(size // MEBIBYTE):
            yield bytes(MEBIBYTE)
        yield bytes(size % MEBIBYTE)

    whole = File(pieces(50 * MEBIBYTE), "dump.bin")
    assert (await api.upload("sendDocument", {"document": whole}, chat_id=anna.id)).result["document"]["file_size"] == (
        50 * MEBIBYTE
    )
    larger = File(pieces(50 * MEBIBYTE + 1), "dump.bin")
    answer = await api.upload("sendDocument", {"document": larger}, chat_id=anna.id)
    assert answer.refusal == "413 Request Entity Too Large"
    assert len(sandbox.messages(anna)) == 2


async def test_a_body_that_announces_too_much_is_refused_at_once(api: Api, anna: User) -> None:
    larger = File(bytes(52 * MEBIBYTE), "dump.bin")
    answer = await api.upload("sendDocument", {"document": larger}, chat_id=anna.id)
    assert answer.refusal == "413 Request Entity Too Large"


async def test_an_empty_document_is_refused(api: Api, anna: User) -> None:
    answer = await api.upload("sendDocument", {"document": File(b"", "empty.txt")}, chat_id=anna.id)
    assert answer.refusal == "400 Bad Request: file must be non-empty"


@pytest.mark.parametrize(("method", "name"), [("sendPhoto", "photo"), ("sendDocument", "document")])
async def test_a_call_without_its_file_is_refused(api: Api, anna: User, method: str, name: str) -> None:
    refusal = f"400 Bad Request: there is no {name} in the request"
    assert (await api(method, chat_id=anna.id)).refusal == refusal
    assert (await api(method, chat_id=anna.id, **{name: "attach://nothing"})).refusal == refusal


async def test_a_file_part_can_have_any_name(api: Api, anna: User) -> None:
    attached = {"mine": File(b"x", "x.txt")}
    sent = (await api.upload("sendDocument", attached, chat_id=anna.id, document="attach://mine")).result
    assert sent["document"]["file_name"] == "x.txt"


async def test_a_file_that_nothing_refers_to_is_refused(api: Api, anna: User) -> None:
    answer = await api.upload("sendMessage", {"stray": File(b"x")}, chat_id=anna.id, text="x")
    assert answer.refusal == '400 Bad Request: sendMessage has no parameter "stray"'


async def test_a_file_is_sent_again_by_any_of_its_file_ids(api: Api, anna: User, photo: Message) -> None:
    assert photo.media is not None
    for size in photo.media.sizes:
        again = (await api("sendPhoto", chat_id=anna.id, photo=size.ids.file_id)).result
        assert again["photo"] == photo.media.as_json()


async def test_a_made_up_file_id_is_wrong(api: Api, anna: User) -> None:
    refusal = "400 Bad Request: wrong file identifier/HTTP URL specified"
    assert (await api("sendPhoto", chat_id=anna.id, photo="AgACAgIAAxkBAAmade-up")).refusal == refusal
    assert (await api("sendDocument", chat_id=anna.id, document="BQACAgIAAxkBAAmade-up")).refusal == refusal


async def test_a_file_id_is_wrong_once_telegram_has_forgotten_it(
    api: Api, anna: User, photo: Message, sandbox: Sandbox
) -> None:
    sandbox.forget_files()
    answer = await api("sendPhoto", chat_id=anna.id, photo=file_id_of(photo))
    assert answer.refusal == "400 Bad Request: wrong file identifier/HTTP URL specified"


async def test_a_document_is_no_photo_and_a_photo_no_document(
    api: Api, anna: User, photo: Message, document: Message
) -> None:
    refusal = (await api("sendPhoto", chat_id=anna.id, photo=file_id_of(document))).refusal
    assert refusal == "400 Bad Request: can't use file of type Document as Photo"
    refusal = (await api("sendDocument", chat_id=anna.id, document=file_id_of(photo))).refusal
    assert refusal == "400 Bad Request: can't use file of type Photo as Document"


async def test_a_file_can_be_downloaded(api: Api, document: Message) -> None:
    file = (await api("getFile", file_id=file_id_of(document))).result
    assert file["file_size"] == 4
    assert await api.download(f"/file/bot{api.sandbox.token}/{file['file_path']}") == (200, b"one\n")
    assert (await api.download(f"/file/bot{api.sandbox.token}/documents/other.csv"))[0] == 404
    assert (await api.download(f"/file/bot1:{'x' * 35}/{file['file_path']}"))[0] == 401
    assert (await api("getFile", file_id="made-up")).refusal == "400 Bad Request: invalid file_id"


async def test_more_than_20_megabytes_cannot_be_downloaded(api: Api, anna: User, sandbox: Sandbox) -> None:
    large = File(bytes(20 * MEBIBYTE + 1), "large.bin")
    sent = (await api.upload("sendDocument", {"document": large}, chat_id=anna.id)).result
    answer = await api("getFile", file_id=sent["document"]["file_id"])
    assert answer.refusal == "400 Bad Request: file is too big"


async def test_a_caption_follows_the_rules_of_text(api: Api, anna: User) -> None:
    files = {"document": File(b"x", "x.txt")}
    marked = {"caption": f"<b>{'x' * 1024}</b>", "parse_mode": "HTML"}
    sent = (await api.upload("sendDocument", files, chat_id=anna.id, **marked)).result
    assert sent["caption"] == "x" * 1024
    assert sent["caption_entities"] == [{"type": "bold", "offset": 0, "length": 1024}]
    assert (await api.upload("sendDocument", files, chat_id=anna.id, caption="🎉" * 512)).status == 200
    refusal = (await api.upload("sendDocument", files, chat_id=anna.id, caption="🎉" * 512 + "x")).refusal
    assert refusal == "400 Bad Request: message caption is too long"
    refusal = (await api.upload("sendDocument", files, chat_id=anna.id, caption="<b>x", parse_mode="HTML")).refusal
    assert refusal.startswith("400 Bad Request: can't parse entities")
    entities = [{"type": "bold", "offset": 0, "length": 9}]
    refusal = (await api.upload("sendDocument", files, chat_id=anna.id, caption="x", caption_entities=entities)).refusal
    assert refusal.startswith("400 Bad Request: entity beginning")


async def test_display_options_of_a_photo_are_kept(api: Api, anna: User, sandbox: Sandbox) -> None:
    shown = {"has_spoiler": True, "show_caption_above_media": True, "protect_content": True, "reply_markup": BUTTON}
    files = {"photo": File(png())}
    sent = (await api.upload("sendPhoto", files, chat_id=anna.id, disable_notification=True, **shown)).result
    assert (sent["has_media_spoiler"], sent["show_caption_above_media"], sent["has_protected_content"]) == (True,) * 3
    assert sent["reply_markup"] == BUTTON
    assert sandbox.messages(anna)[-1].is_silent


async def test_a_file_needs_a_chat_as_text_does(api: Api, anna: User, sandbox: Sandbox) -> None:
    files = {"photo": File(b"no picture")}
    assert (await api.upload("sendPhoto", files, chat_id=404)).refusal == "400 Bad Request: chat not found"
    sandbox.block(anna)
    refusal = (await api.upload("sendPhoto", files, chat_id=anna.id)).refusal
    assert refusal == "403 Forbidden: bot was blocked by the user"


async def test_a_file_goes_into_a_topic_unless_it_was_deleted(api: Api, anna: User, sandbox: Sandbox) -> None:
    forum = sandbox.add_chat("supergroup", "Forum", members=[anna], forum=True)
    topic = sandbox.add_topic(forum, "Disks")
    files = {"photo": File(png())}
    sent = (await api.upload("sendPhoto", files, chat_id=forum.id, message_thread_id=topic)).result
    assert sent["message_thread_id"] == topic
    sandbox.delete_topic(forum, topic)
    assert sandbox.messages(forum) == []
    refusal = (await api.upload("sendPhoto", files, chat_id=forum.id, message_thread_id=topic)).refusal
    assert refusal == "400 Bad Request: message thread not found"


async def test_a_body_that_breaks_off_is_no_call(api: Api, anna: User, sandbox: Sandbox) -> None:
    begun = asyncio.Event()

    async def breaks_off() -> AsyncIterator[bytes]:
        yield bytes(MEBIBYTE)
        begun.set()
        await asyncio.Event().wait()

    sending = asyncio.create_task(
        api.upload("sendDocument", {"document": File(breaks_off(), "half.bin")}, chat_id=anna.id)
    )
    await begun.wait()
    sending.cancel()
    await sandbox.wait_for(lambda: sandbox.calls.of("sendDocument"))
    assert sandbox.calls.of("sendDocument")[0].status == 0
    assert len(sandbox.messages(anna)) == 1


PART = b'--b\r\nContent-Disposition: form-data; name="document"; filename="x.txt"\r\n\r\nhalf of it'


@pytest.mark.parametrize(
    "body",
    [PART, PART + b"\r\n--", PART + b"\r\n--b\r\n", PART[:30], b"nothing", b"--b\r\nX: " + b"x" * 100_000],
    ids=["no end", "half an end", "no last end", "half a header", "no parts", "a huge header"],
)
async def test_a_body_whose_parts_do_not_end_is_refused(api: Api, anna: User, sandbox: Sandbox, body: bytes) -> None:
    answer = await api.post(
        f"/bot{sandbox.token}/sendDocument?chat_id={anna.id}",
        data=body,
        headers={"Content-Type": "multipart/form-data; boundary=b"},
    )
    assert answer.refusal == "400 Bad Request: can't parse the request body"
    assert len(sandbox.messages(anna)) == 1


async def test_faults_strike_downloads_too(api: Api, document: Message, sandbox: Sandbox) -> None:
    path = (await api("getFile", file_id=file_id_of(document))).result["file_path"]
    address = f"/file/bot{sandbox.token}/{path}"
    sandbox.fault("html", method="download", times=1)
    assert (await api.download(address))[0] == 502
    sandbox.fault("away")
    with pytest.raises(ServerDisconnectedError):
        await api.download(address)
    sandbox.clear_faults()
    assert (await api.download(address))[0] == 200


@pytest.mark.parametrize(("kind", "shown"), [("cut_before", 1), ("cut_after", 2)])
async def test_a_cut_connection_strikes_uploads_too(
    api: Api, anna: User, sandbox: Sandbox, kind: str, shown: int
) -> None:
    sandbox.fault(kind, method="sendPhoto", times=1)
    with pytest.raises(ServerDisconnectedError):
        await api.upload("sendPhoto", {"photo": File(png())}, chat_id=anna.id)
    assert len(sandbox.messages(anna)) == shown
    assert sandbox.calls.of("sendPhoto")[0].message_id == (None if shown == 1 else 2)


async def test_uploaded_bytes_are_deleted_when_the_sandbox_closes(clock: HandClock) -> None:
    sandbox = Sandbox(clock=clock)
    anna = sandbox.add_user("Anna")
    sandbox.say(anna, "/start")
    async with serving(sandbox) as url:
        async with ClientSession() as client:
            await Api(url, sandbox, client).upload("sendPhoto", {"photo": File(png())}, chat_id=anna.id)
        media = sandbox.messages(anna)[-1].media
        assert media is not None
        assert media.content.path.exists()
    assert not media.content.path.exists()
    assert not media.content.path.parent.exists()


async def test_the_same_bytes_are_stored_once(api: Api, anna: User, sandbox: Sandbox) -> None:
    for _ in range(3):
        await api.upload("sendPhoto", {"photo": File(png())}, chat_id=anna.id)
    paths = {message.media.content.path for message in sandbox.messages(anna) if message.media}
    assert len(paths) == 1
    assert len(list(paths.pop().parent.iterdir())) == 1
