"""Editing captions, photos, documents and their buttons, and deleting several messages at once."""

import pytest

from notifybot.sandbox import Sandbox
from notifybot.sandbox.world.state import Message, User
from tests.sandbox.api import Api, File, HandClock
from tests.sandbox.pictures import png
from tests.sandbox.test_editing import BUTTON, NOT_MODIFIED


@pytest.fixture
async def photo(api: Api, anna: User, sandbox: Sandbox) -> Message:
    """A photo with a caption and a button in Anna's chat."""
    files = {"photo": File(png())}
    await api.upload("sendPhoto", files, chat_id=anna.id, caption="disk full", reply_markup=BUTTON)
    return sandbox.messages(anna)[-1]


async def test_a_caption_is_changed_and_the_photo_stays(api: Api, anna: User, photo: Message, clock: HandClock) -> None:
    before = photo.media
    clock.forward(60)
    edited = (await api("editMessageCaption", chat_id=anna.id, message_id=photo.id, caption="solved")).result
    assert (edited["caption"], edited["edit_date"]) == ("solved", int(clock.at))
    assert "reply_markup" not in edited
    assert photo.media is before
    assert [version.text for version in photo.history] == ["disk full"]


async def test_a_caption_can_be_taken_away(api: Api, anna: User, photo: Message) -> None:
    assert "caption" not in (await api("editMessageCaption", chat_id=anna.id, message_id=photo.id)).result


async def test_the_same_caption_again_is_not_modified(api: Api, anna: User, photo: Message) -> None:
    same = {"caption": "disk full", "reply_markup": BUTTON}
    assert (await api("editMessageCaption", chat_id=anna.id, message_id=photo.id, **same)).refusal == NOT_MODIFIED
    above = same | {"show_caption_above_media": True}
    assert (await api("editMessageCaption", chat_id=anna.id, message_id=photo.id, **above)).status == 200


async def test_a_new_caption_follows_the_rules(api: Api, anna: User, photo: Message) -> None:
    refusal = (await api("editMessageCaption", chat_id=anna.id, message_id=photo.id, caption="x" * 1025)).refusal
    assert refusal == "400 Bad Request: message caption is too long"


async def test_text_and_caption_are_two_things(api: Api, anna: User, photo: Message) -> None:
    refusal = (await api("editMessageText", chat_id=anna.id, message_id=photo.id, text="x")).refusal
    assert refusal == "400 Bad Request: there is no text in the message to edit"
    text = (await api("sendMessage", chat_id=anna.id, text="x")).result
    refusal = (await api("editMessageCaption", chat_id=anna.id, message_id=text["message_id"], caption="x")).refusal
    assert refusal == "400 Bad Request: there is no caption in the message to edit"


async def test_buttons_of_a_photo_can_be_changed_alone(api: Api, anna: User, photo: Message) -> None:
    edited = (await api("editMessageReplyMarkup", chat_id=anna.id, message_id=photo.id)).result
    assert edited["caption"] == "disk full"
    assert edited["photo"]
    assert "reply_markup" not in edited


async def test_a_photo_is_replaced_by_an_upload_and_by_a_file_id(
    api: Api, anna: User, photo: Message, sandbox: Sandbox
) -> None:
    files = {"new": File(png(50, 50))}
    media = {"type": "photo", "media": "attach://new", "caption": "smaller"}
    edited = (await api.upload("editMessageMedia", files, chat_id=anna.id, message_id=photo.id, media=media)).result
    assert (edited["photo"][-1]["width"], edited["caption"]) == (50, "smaller")
    assert sandbox.file_bytes(photo) == png(50, 50)
    again = {"type": "photo", "media": edited["photo"][0]["file_id"], "caption": "smaller"}
    answer = await api("editMessageMedia", chat_id=anna.id, message_id=photo.id, media=again)
    assert answer.refusal == NOT_MODIFIED


async def test_a_photo_becomes_a_document_and_a_text_becomes_a_photo(api: Api, anna: User, photo: Message) -> None:
    files = {"new": File(b"x", "x.txt")}
    media = {"type": "document", "media": "attach://new"}
    edited = (await api.upload("editMessageMedia", files, chat_id=anna.id, message_id=photo.id, media=media)).result
    assert edited["document"]["file_name"] == "x.txt"
    assert "photo" not in edited
    text = (await api("sendMessage", chat_id=anna.id, text="x")).result
    files, media = {"new": File(png())}, {"type": "photo", "media": "attach://new"}
    edited = (
        await api.upload("editMessageMedia", files, chat_id=anna.id, message_id=text["message_id"], media=media)
    ).result
    assert edited["photo"]
    assert "text" not in edited


async def test_new_media_follow_the_rules_of_media(api: Api, anna: User, photo: Message) -> None:
    files, media = {"new": File(b"no picture")}, {"type": "photo", "media": "attach://new"}
    answer = await api.upload("editMessageMedia", files, chat_id=anna.id, message_id=photo.id, media=media)
    assert answer.refusal == "400 Bad Request: IMAGE_PROCESS_FAILED"
    media = {"type": "photo", "media": "AgACmade-up"}
    answer = await api("editMessageMedia", chat_id=anna.id, message_id=photo.id, media=media)
    assert answer.refusal == "400 Bad Request: wrong file identifier/HTTP URL specified"


async def test_an_album_keeps_its_kind(api: Api, anna: User) -> None:
    files = {name: File(png()) for name in ("a", "b")}
    items = [{"type": "photo", "media": f"attach://{name}"} for name in files]
    first, _ = (await api.upload("sendMediaGroup", files, chat_id=anna.id, media=items)).result
    files, media = {"c": File(b"x", "x.txt")}, {"type": "document", "media": "attach://c"}
    where = {"chat_id": anna.id, "message_id": first["message_id"]}
    answer = await api.upload("editMessageMedia", files, media=media, **where)
    assert answer.refusal == "400 Bad Request: can't change media type in the album"


async def test_several_messages_are_deleted_at_once_and_missing_ones_skipped(
    api: Api, anna: User, photo: Message, sandbox: Sandbox
) -> None:
    text = (await api("sendMessage", chat_id=anna.id, text="x")).result["message_id"]
    assert (await api("deleteMessages", chat_id=anna.id, message_ids=[photo.id, text, text, 404])).result is True
    assert [message.text for message in sandbox.messages(anna)] == ["/start"]


async def test_nothing_is_deleted_if_one_message_may_not_be(api: Api, anna: User, sandbox: Sandbox) -> None:
    group = sandbox.add_chat("supergroup", "Ops", members=[anna])
    own = (await api("sendMessage", chat_id=group.id, text="x")).result["message_id"]
    theirs = sandbox.say(anna, "hello", chat=group)
    refusal = (await api("deleteMessages", chat_id=group.id, message_ids=[own, theirs.id])).refusal
    assert refusal == "400 Bad Request: message can't be deleted"
    assert len(sandbox.messages(group)) == 2


@pytest.mark.parametrize(
    ("ids", "refusal"),
    [([], "message identifiers are not specified"), ([*range(101)], "too many message identifiers specified")],
)
async def test_one_to_a_hundred_messages_are_deleted_at_once(
    api: Api, anna: User, ids: list[int], refusal: str
) -> None:
    answer = await api("deleteMessages", chat_id=anna.id, message_ids=ids)
    assert answer.refusal == f"400 Bad Request: {refusal}"
