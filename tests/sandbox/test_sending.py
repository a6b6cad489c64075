"""Sending: reachable chats, accepted text and buttons, and the response."""

import pytest

from notifybot.sandbox import Sandbox
from notifybot.sandbox.world.state import ChatType, User
from tests.sandbox.api import Api, HandClock

Json = dict[str, object]


def keyboard(*buttons: Json) -> Json:
    return {"inline_keyboard": [list(buttons)]}


def press(text: str = "Yes", data: str = "y") -> Json:
    return {"text": text, "callback_data": data}


async def test_a_sent_message_is_in_the_chat(api: Api, anna: User, sandbox: Sandbox, clock: HandClock) -> None:
    sent = (await api("sendMessage", chat_id=anna.id, text="  disk full\n")).result
    assert sent["text"] == "disk full"
    assert sent["date"] == int(clock.at)
    assert sent["chat"] == {"id": anna.id, "type": "private", "first_name": "Anna", "username": "anna"}
    assert sandbox.messages(anna)[-1].text == "disk full"


async def test_private_chats_and_groups_share_message_ids_and_supergroups_do_not(
    api: Api, anna: User, sandbox: Sandbox
) -> None:
    group = sandbox.add_chat("group", "Small", members=[anna])
    big = sandbox.add_chat("supergroup", "Big", members=[anna])
    ids = [
        (await api("sendMessage", chat_id=chat, text="x")).result["message_id"] for chat in (anna.id, group.id, big.id)
    ]
    assert ids == [2, 3, 1]


async def test_a_public_channel_is_found_by_name(api: Api, anna: User, sandbox: Sandbox) -> None:
    channel = sandbox.add_chat("channel", "News", username="OpsNews", members=[anna])
    sent = (await api("sendMessage", chat_id="@opsnews", text="x")).result
    assert sent["chat"]["id"] == channel.id
    assert sent["sender_chat"]["id"] == channel.id
    assert "from" not in sent


@pytest.mark.parametrize("chat_id", [404, -1001, "@nobody", "nonsense", "@anna"])
async def test_an_unknown_chat_is_refused(api: Api, anna: User, chat_id: object) -> None:
    assert (await api("sendMessage", chat_id=chat_id, text="x")).refusal == "400 Bad Request: chat not found"


async def test_a_person_who_never_wrote_cannot_be_written_to(api: Api, sandbox: Sandbox) -> None:
    stranger = sandbox.add_user("Stranger")
    assert (await api("sendMessage", chat_id=stranger.id, text="x")).refusal == "400 Bad Request: chat not found"
    sandbox.add_chat("group", "Both", members=[stranger])
    refusal = (await api("sendMessage", chat_id=stranger.id, text="x")).refusal
    assert refusal == "403 Forbidden: bot can't initiate conversation with a user"


async def test_people_who_blocked_the_bot_or_left_telegram_are_unreachable(
    api: Api, anna: User, sandbox: Sandbox
) -> None:
    sandbox.block(anna)
    assert (await api("sendMessage", chat_id=anna.id, text="x")).refusal == "403 Forbidden: bot was blocked by the user"
    sandbox.deactivate(anna)
    assert (await api("sendMessage", chat_id=anna.id, text="x")).refusal == "403 Forbidden: user is deactivated"


@pytest.mark.parametrize("kind", [ChatType.GROUP, ChatType.SUPERGROUP, ChatType.CHANNEL])
async def test_a_chat_that_removed_the_bot_is_unreachable(
    api: Api, anna: User, sandbox: Sandbox, kind: ChatType
) -> None:
    chat = sandbox.add_chat(kind, "Ops", members=[anna])
    sandbox.kick(chat)
    refusal = (await api("sendMessage", chat_id=chat.id, text="x")).refusal
    assert refusal == f"403 Forbidden: bot was kicked from the {kind} chat"
    sandbox.rejoin(chat)
    assert (await api("sendMessage", chat_id=chat.id, text="x")).status == 200


async def test_a_chat_that_the_bot_left_is_unreachable(api: Api, anna: User, sandbox: Sandbox) -> None:
    chat = sandbox.add_chat("supergroup", "Ops", members=[anna])
    assert (await api("leaveChat", chat_id=chat.id)).result is True
    refusal = (await api("sendMessage", chat_id=chat.id, text="x")).refusal
    assert refusal == "403 Forbidden: bot is not a member of the supergroup chat"


async def test_an_upgraded_group_names_its_new_id(api: Api, anna: User, sandbox: Sandbox) -> None:
    group = sandbox.add_chat("group", "Ops", members=[anna])
    new = sandbox.migrate(group)
    answer = await api("sendMessage", chat_id=group.id, text="x")
    assert answer.refusal == "400 Bad Request: group chat was upgraded to a supergroup chat"
    assert answer.body["parameters"] == {"migrate_to_chat_id": new.id}
    assert (await api("sendMessage", chat_id=new.id, text="x")).status == 200


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("x" * 4097, "message is too long"),
        ("🎉" * 2049, "message is too long"),
        (" \n ", "text must be non-empty"),
    ],
)
async def test_text_that_telegram_refuses(api: Api, anna: User, text: str, refusal: str) -> None:
    assert (await api("sendMessage", chat_id=anna.id, text=text)).refusal == f"400 Bad Request: {refusal}"


async def test_length_counts_utf16_units_after_parsing(api: Api, anna: User) -> None:
    assert (await api("sendMessage", chat_id=anna.id, text="🎉" * 2048)).status == 200
    markup = f"<b>{'x' * 4096}</b>"
    assert len((await api("sendMessage", chat_id=anna.id, text=markup, parse_mode="HTML")).result["text"]) == 4096


async def test_markup_becomes_entities(api: Api, anna: User) -> None:
    sent = (
        await api("sendMessage", chat_id=anna.id, text="🎉 <b>up</b> https://example.org", parse_mode="html")
    ).result
    assert sent["text"] == "🎉 up https://example.org"
    assert sent["entities"] == [
        {"type": "bold", "offset": 3, "length": 2},
        {"type": "url", "offset": 6, "length": 19},
    ]


async def test_broken_markup_is_refused(api: Api, anna: User) -> None:
    refusal = (await api("sendMessage", chat_id=anna.id, text="<b>x", parse_mode="HTML")).refusal
    assert refusal.startswith("400 Bad Request: can't parse entities")
    refusal = (await api("sendMessage", chat_id=anna.id, text="x", parse_mode="BBCode")).refusal
    assert refusal == "400 Bad Request: unsupported parse_mode"


async def test_entities_may_be_given(api: Api, anna: User) -> None:
    mention: Json = {
        "type": "text_mention",
        "offset": 5,
        "length": 4,
        "user": {"id": anna.id, "is_bot": False, "first_name": "?"},
    }
    entities = [{"type": "bold", "offset": 0, "length": 4}, mention]
    sent = (await api("sendMessage", chat_id=anna.id, text="bold anna", entities=entities)).result
    assert [entity["type"] for entity in sent["entities"]] == ["bold", "text_mention"]
    assert sent["entities"][1]["user"]["first_name"] == "Anna"


async def test_entities_beyond_the_text_are_refused(api: Api, anna: User) -> None:
    entities = [{"type": "bold", "offset": 0, "length": 9}]
    assert (await api("sendMessage", chat_id=anna.id, text="x", entities=entities)).status == 400


async def test_only_the_first_hundred_entities_are_kept(api: Api, anna: User) -> None:
    text = " ".join(["<b>x</b>"] * 99 + ["/y"] * 99)
    sent = (await api("sendMessage", chat_id=anna.id, text=text, parse_mode="HTML")).result
    kinds = [entity["type"] for entity in sent["entities"]]
    assert kinds == ["bold"] * 99 + ["bot_command"]


@pytest.mark.parametrize(
    ("button", "refusal"),
    [
        ({"text": "x"}, "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"),
        (press(data=""), "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"),
        (press(data="x" * 65), "BUTTON_DATA_INVALID"),
        (press(data="ü" * 33), "BUTTON_DATA_INVALID"),
        (press(text=" "), "inline keyboard button text must be non-empty"),
        (
            press() | {"url": "https://example.org"},
            "can't parse inline keyboard button: exactly one of callback_data, url must be used",
        ),
        (press() | {"style": "loud"}, "can't parse inline keyboard button: invalid button style specified"),
        ({"text": "x", "url": "localhost"}, "inline keyboard button URL 'localhost' is invalid: Wrong HTTP URL"),
        ({"text": "x", "copy_text": {"text": ""}}, "BUTTON_COPY_TEXT_INVALID"),
        ({"text": "x", "copy_text": {"text": "x" * 257}}, "BUTTON_COPY_TEXT_INVALID"),
    ],
)
async def test_a_button_that_telegram_refuses(api: Api, anna: User, button: Json, refusal: str) -> None:
    answer = await api("sendMessage", chat_id=anna.id, text="x", reply_markup=keyboard(button))
    assert answer.refusal == f"400 Bad Request: {refusal}"


async def test_buttons_that_telegram_accepts(api: Api, anna: User) -> None:
    buttons: list[Json] = [
        press(data="x" * 64) | {"style": "danger"},
        {"text": "Open", "url": "https://example.org/a"},
        {"text": "Copy", "copy_text": {"text": "x" * 256}},
    ]
    sent = (await api("sendMessage", chat_id=anna.id, text="x", reply_markup=keyboard(*buttons))).result
    assert sent["reply_markup"]["inline_keyboard"] == [buttons]


@pytest.mark.parametrize("rows", [[[press()] * 9], [[press()] * 8] * 13])
async def test_too_many_buttons_are_refused(api: Api, anna: User, rows: list[list[Json]]) -> None:
    answer = await api("sendMessage", chat_id=anna.id, text="x", reply_markup={"inline_keyboard": rows})
    assert answer.refusal == "400 Bad Request: reply markup is too long"


async def test_an_empty_keyboard_counts_as_none(api: Api, anna: User) -> None:
    sent = (await api("sendMessage", chat_id=anna.id, text="x", reply_markup={"inline_keyboard": []})).result
    assert "reply_markup" not in sent


async def test_reply_keyboards_are_for_chats_with_people(api: Api, anna: User, sandbox: Sandbox) -> None:
    channel = sandbox.add_chat("channel", "News", members=[anna])
    markup = {"keyboard": [["Yes", {"text": "No"}]]}
    refusal = (await api("sendMessage", chat_id=channel.id, text="x", reply_markup=markup)).refusal
    assert refusal == "400 Bad Request: inline keyboard expected"


async def test_a_reply_names_the_message_it_answers(api: Api, anna: User, sandbox: Sandbox) -> None:
    question = sandbox.messages(anna)[0]
    reply = {"message_id": question.id}
    sent = (await api("sendMessage", chat_id=anna.id, text="x", reply_parameters=reply)).result
    assert sent["reply_to_message"]["text"] == "/start"


async def test_a_reply_to_nothing_is_refused_unless_that_is_allowed(api: Api, anna: User) -> None:
    nothing = {"message_id": 404}
    refusal = (await api("sendMessage", chat_id=anna.id, text="x", reply_parameters=nothing)).refusal
    assert refusal == "400 Bad Request: message to be replied not found"
    allowed = nothing | {"allow_sending_without_reply": True}
    assert (
        "reply_to_message" not in (await api("sendMessage", chat_id=anna.id, text="x", reply_parameters=allowed)).result
    )


async def test_a_topic_must_be_there_and_open(api: Api, anna: User, sandbox: Sandbox) -> None:
    forum = sandbox.add_chat("supergroup", "Forum", members=[anna], forum=True)
    topic = sandbox.add_topic(forum, "Disks")
    sent = (await api("sendMessage", chat_id=forum.id, text="x", message_thread_id=topic)).result
    assert (sent["message_thread_id"], sent["is_topic_message"]) == (topic, True)
    refusal = (await api("sendMessage", chat_id=forum.id, text="x", message_thread_id=404)).refusal
    assert refusal == "400 Bad Request: message thread not found"
    sandbox.close_topic(forum, topic)
    refusal = (await api("sendMessage", chat_id=forum.id, text="x", message_thread_id=topic)).refusal
    assert refusal == "400 Bad Request: TOPIC_CLOSED"


async def test_a_chat_without_topics_has_no_thread(api: Api, anna: User) -> None:
    refusal = (await api("sendMessage", chat_id=anna.id, text="x", message_thread_id=1)).refusal
    assert refusal == "400 Bad Request: message thread not found"


@pytest.mark.parametrize(
    ("count", "url_length", "is_accepted"),
    [(1, 9_500, True), (1, 9_501, False), (2, 4_750, True), (2, 4_751, False), (95, 100, True), (95, 101, False)],
)
async def test_more_than_9500_bytes_of_links_are_refused(
    api: Api, anna: User, count: int, url_length: int, is_accepted: bool
) -> None:
    url = "https://example.org/".ljust(url_length, "a")
    links = [{"type": "text_link", "offset": 2 * number, "length": 1, "url": url} for number in range(count)]
    sent = await api("sendMessage", chat_id=anna.id, text="a " * count, entities=links)
    if is_accepted:
        assert len(sent.result["entities"]) == count
    else:
        assert sent.refusal == "400 Bad Request: ENTITIES_TOO_LONG"
