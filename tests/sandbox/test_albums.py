"""Albums: several photos or documents in one call, all or nothing."""

import pytest

from notifybot.sandbox import Sandbox, WebPage
from notifybot.sandbox.world.state import User
from tests.sandbox.api import Api, File, HandClock
from tests.sandbox.pictures import png

Json = dict[str, object]


def photos(count: int) -> tuple[dict[str, File], list[Json]]:
    """Files and the items that refer to them."""
    files = {f"part{n}": File(png(100 + n, 100)) for n in range(count)}
    return files, [{"type": "photo", "media": f"attach://{name}"} for name in files]


def documents(count: int) -> tuple[dict[str, File], list[Json]]:
    files = {f"part{n}": File(b"%d" % n, f"log {n}.txt") for n in range(count)}
    return files, [{"type": "document", "media": f"attach://{name}"} for name in files]


async def test_an_album_is_messages_that_belong_together(api: Api, anna: User, sandbox: Sandbox) -> None:
    files, items = photos(3)
    items[0] |= {"caption": "<b>three</b> charts", "parse_mode": "HTML"}
    items[1] |= {"has_spoiler": True}
    sent = (await api.upload("sendMediaGroup", files, chat_id=anna.id, media=items)).result
    assert [message["photo"][-1]["width"] for message in sent] == [100, 101, 102]
    assert [message["message_id"] for message in sent] == [2, 3, 4]
    assert len({message["media_group_id"] for message in sent}) == 1
    assert (sent[0]["caption"], sent[0]["caption_entities"][0]["type"]) == ("three charts", "bold")
    assert [message.get("has_media_spoiler") for message in sent] == [None, True, None]
    assert sandbox.calls.of("sendMediaGroup")[0].message_id == 2


async def test_each_album_has_an_id_of_its_own(api: Api, anna: User) -> None:
    files, items = documents(2)
    first = (await api.upload("sendMediaGroup", files, chat_id=anna.id, media=items)).result
    again = [{"type": "document", "media": message["document"]["file_id"]} for message in first]
    second = (await api("sendMediaGroup", chat_id=anna.id, media=again)).result
    assert [message["document"] for message in second] == [message["document"] for message in first]
    assert first[0]["media_group_id"] != second[0]["media_group_id"]


async def test_an_album_may_come_from_addresses(api: Api, anna: User, sandbox: Sandbox) -> None:
    sandbox.web["https://example.org/1.png"] = WebPage(png(), "image/png")
    items = [{"type": "photo", "media": "https://example.org/1.png"}, {"type": "photo", "media": "example.org/2.png"}]
    refusal = (await api("sendMediaGroup", chat_id=anna.id, media=items)).refusal
    assert refusal == '400 Bad Request: failed to send message #2 with the error message "WEBPAGE_CURL_FAILED"'
    assert len(sandbox.messages(anna)) == 1
    sandbox.web["http://example.org/2.png"] = WebPage(png(), "image/png")
    assert (await api("sendMediaGroup", chat_id=anna.id, media=items)).status == 200


@pytest.mark.parametrize(
    ("count", "refusal"),
    [
        (0, "there are no messages to send"),
        (1, "too few messages to send as an album"),
        (11, "too many messages to send as an album"),
    ],
)
async def test_an_album_has_two_to_ten_items(api: Api, anna: User, count: int, refusal: str) -> None:
    files, items = photos(count)
    answer = await api.upload("sendMediaGroup", files, chat_id=anna.id, media=items)
    assert answer.refusal == f"400 Bad Request: {refusal}"


async def test_ten_items_are_accepted(api: Api, anna: User) -> None:
    files, items = documents(10)
    assert len((await api.upload("sendMediaGroup", files, chat_id=anna.id, media=items)).result) == 10


async def test_documents_and_photos_do_not_mix(api: Api, anna: User, sandbox: Sandbox) -> None:
    files, items = photos(2)
    items[1]["type"] = "document"
    refusal = (await api.upload("sendMediaGroup", files, chat_id=anna.id, media=items)).refusal
    assert refusal == "400 Bad Request: document can't be mixed with other media types"
    assert len(sandbox.messages(anna)) == 1


async def test_captions_above_and_below_cannot_be_mixed_in_an_album(api: Api, anna: User) -> None:
    files, items = photos(2)
    items[0]["show_caption_above_media"] = True
    refusal = (await api.upload("sendMediaGroup", files, chat_id=anna.id, media=items)).refusal
    assert refusal == "400 Bad Request: parameter show_caption_above_media must be the same for all messages"


async def test_one_bad_item_refuses_the_album(api: Api, anna: User, sandbox: Sandbox) -> None:
    files, items = photos(3)
    files["part1"] = File(b"no picture")
    refusal = (await api.upload("sendMediaGroup", files, chat_id=anna.id, media=items)).refusal
    assert refusal == '400 Bad Request: failed to send message #2 with the error message "IMAGE_PROCESS_FAILED"'
    files["part1"] = File(b"")
    refusal = (await api.upload("sendMediaGroup", files, chat_id=anna.id, media=items)).refusal
    assert refusal == "400 Bad Request: file must be non-empty"
    assert len(sandbox.messages(anna)) == 1


async def test_a_caption_of_an_item_follows_the_rules(api: Api, anna: User) -> None:
    files, items = documents(2)
    items[1]["caption"] = "x" * 1025
    refusal = (await api.upload("sendMediaGroup", files, chat_id=anna.id, media=items)).refusal
    assert refusal == "400 Bad Request: message caption is too long"


async def test_an_album_has_no_buttons(api: Api, anna: User) -> None:
    files, items = photos(2)
    markup = {"inline_keyboard": [[{"text": "x", "callback_data": "x"}]]}
    answer = await api.upload("sendMediaGroup", files, chat_id=anna.id, media=items, reply_markup=markup)
    assert answer.refusal == '400 Bad Request: sendMediaGroup has no parameter "reply_markup"'


@pytest.mark.parametrize("item", [{"type": "photo"}, {"media": "x"}, {"type": "photo", "media": "x", "colour": "red"}])
async def test_an_item_that_telegram_cannot_read_is_refused(api: Api, anna: User, item: Json) -> None:
    assert (await api("sendMediaGroup", chat_id=anna.id, media=[item, item])).status == 400


async def test_a_kind_that_the_sandbox_lacks_is_named(api: Api, anna: User) -> None:
    items = [{"type": "video", "media": "x"}] * 2
    refusal = (await api("sendMediaGroup", chat_id=anna.id, media=items)).refusal
    assert refusal == '501 Not Implemented: the sandbox does not have media of the type "video"'


async def test_an_album_counts_as_so_many_messages(api: Api, anna: User, sandbox: Sandbox, clock: HandClock) -> None:
    group = sandbox.add_chat("supergroup", "Ops", members=[anna])
    files, items = documents(10)
    for _ in range(2):
        assert (await api.upload("sendMediaGroup", files, chat_id=group.id, media=items)).status == 200
        clock.forward(11)
    # 20 in this minute, and the first ten of them are 22 s old.
    refusal = (await api("sendMessage", chat_id=group.id, text="one more")).refusal
    assert refusal == "429 Too Many Requests: retry after 38"


async def test_after_an_album_its_chat_needs_a_pause(api: Api, anna: User, clock: HandClock) -> None:
    files, items = documents(10)
    await api.upload("sendMediaGroup", files, chat_id=anna.id, media=items)
    assert (await api("sendMessage", chat_id=anna.id, text="x")).status == 429
    clock.forward(10)
    assert (await api("sendMessage", chat_id=anna.id, text="x")).status == 200


async def test_albums_count_against_the_limit_of_all_chats(api: Api, sandbox: Sandbox) -> None:
    files, items = documents(10)
    people = [sandbox.add_user(f"P{n}") for n in range(4)]
    for person in people:
        sandbox.say(person, "/start")
    for person in people[:3]:
        assert (await api.upload("sendMediaGroup", files, chat_id=person.id, media=items)).status == 200
    assert (await api("sendMessage", chat_id=people[3].id, text="x")).refusal.startswith("429")
