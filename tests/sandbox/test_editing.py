"""Editing and deleting messages, and answering presses."""

import pytest

from notifybot.sandbox import Sandbox
from notifybot.sandbox.world.state import Message, User
from tests.sandbox.api import Api, HandClock

NOT_MODIFIED = (
    "400 Bad Request: message is not modified: specified new message content and reply markup are exactly the same as "
    "a current content and reply markup of the message"
)
QUERY_GONE = "400 Bad Request: query is too old and response timeout expired or query ID is invalid"
BUTTON = {"inline_keyboard": [[{"text": "Acknowledge", "callback_data": "ack"}]]}


@pytest.fixture
async def post(api: Api, anna: User, sandbox: Sandbox) -> Message:
    """An alert of the bot's in Anna's chat, with a button."""
    await api("sendMessage", chat_id=anna.id, text="<b>disk</b> full", parse_mode="HTML", reply_markup=BUTTON)
    return sandbox.messages(anna)[-1]


async def test_an_edit_changes_the_text_and_takes_the_button_away(
    api: Api, anna: User, post: Message, clock: HandClock
) -> None:
    clock.forward(60)
    edited = (await api("editMessageText", chat_id=anna.id, message_id=post.id, text="solved")).result
    assert (edited["text"], edited["edit_date"]) == ("solved", int(clock.at))
    assert "reply_markup" not in edited
    assert [version.text for version in post.history] == ["disk full"]


async def test_the_same_again_is_not_modified(api: Api, anna: User, post: Message) -> None:
    same = {"text": "<b>disk</b> full", "parse_mode": "HTML", "reply_markup": BUTTON}
    assert (await api("editMessageText", chat_id=anna.id, message_id=post.id, **same)).refusal == NOT_MODIFIED
    other_markup = same | {"text": "*disk* full", "parse_mode": "MarkdownV2"}
    assert (await api("editMessageText", chat_id=anna.id, message_id=post.id, **other_markup)).refusal == NOT_MODIFIED
    plain = same | {"text": "disk full", "parse_mode": ""}
    assert (await api("editMessageText", chat_id=anna.id, message_id=post.id, **plain)).status == 200


async def test_buttons_alone_can_be_changed(api: Api, anna: User, post: Message) -> None:
    edited = (await api("editMessageReplyMarkup", chat_id=anna.id, message_id=post.id)).result
    assert edited["text"] == "disk full"
    assert "reply_markup" not in edited
    answer = await api("editMessageReplyMarkup", chat_id=anna.id, message_id=post.id)
    assert answer.refusal == NOT_MODIFIED


async def test_a_deleted_message_cannot_be_edited(api: Api, anna: User, post: Message, sandbox: Sandbox) -> None:
    sandbox.remove(post)
    refusal = (await api("editMessageText", chat_id=anna.id, message_id=post.id, text="x")).refusal
    assert refusal == "400 Bad Request: message to edit not found"


async def test_messages_of_other_people_cannot_be_edited(api: Api, anna: User, sandbox: Sandbox) -> None:
    theirs = sandbox.messages(anna)[0]
    refusal = (await api("editMessageText", chat_id=anna.id, message_id=theirs.id, text="x")).refusal
    assert refusal == "400 Bad Request: message can't be edited"


async def test_an_edit_needs_a_message(api: Api, anna: User) -> None:
    refusal = (await api("editMessageText", chat_id=anna.id, text="x")).refusal
    assert refusal == "400 Bad Request: message identifier is not specified"


async def test_an_edit_follows_the_rules_of_text(api: Api, anna: User, post: Message) -> None:
    refusal = (await api("editMessageText", chat_id=anna.id, message_id=post.id, text="x" * 4097)).refusal
    assert refusal == "400 Bad Request: message is too long"


async def test_people_who_blocked_the_bot_see_no_edit(api: Api, anna: User, post: Message, sandbox: Sandbox) -> None:
    sandbox.block(anna)
    refusal = (await api("editMessageText", chat_id=anna.id, message_id=post.id, text="x")).refusal
    assert refusal == "403 Forbidden: bot was blocked by the user"


async def test_own_messages_can_be_deleted_for_48_hours(
    api: Api, anna: User, post: Message, sandbox: Sandbox, clock: HandClock
) -> None:
    await api("sendMessage", chat_id=anna.id, text="second")
    second = sandbox.messages(anna)[-1]
    clock.forward(48 * 3600 - 1)
    assert (await api("deleteMessage", chat_id=anna.id, message_id=post.id)).result is True
    assert post not in sandbox.messages(anna)
    clock.forward(1)
    refusal = (await api("deleteMessage", chat_id=anna.id, message_id=second.id)).refusal
    assert refusal == "400 Bad Request: message can't be deleted for everyone"


async def test_deleting_twice_finds_nothing(api: Api, anna: User, post: Message) -> None:
    await api("deleteMessage", chat_id=anna.id, message_id=post.id)
    refusal = (await api("deleteMessage", chat_id=anna.id, message_id=post.id)).refusal
    assert refusal == "400 Bad Request: message to delete not found"


async def test_others_messages_in_a_group_stay(api: Api, anna: User, sandbox: Sandbox) -> None:
    group = sandbox.add_chat("supergroup", "Ops", members=[anna])
    theirs = sandbox.say(anna, "hello all", chat=group)
    refusal = (await api("deleteMessage", chat_id=group.id, message_id=theirs.id)).refusal
    assert refusal == "400 Bad Request: message can't be deleted"


async def test_a_press_is_answered_once(api: Api, anna: User, post: Message, sandbox: Sandbox) -> None:
    query = sandbox.press(anna, post)
    assert (await api("answerCallbackQuery", callback_query_id=query, text="Thanks")).result is True
    assert (await api("answerCallbackQuery", callback_query_id=query)).refusal == QUERY_GONE
    answered = [event.data for event in sandbox.world.events.since(0) if event.kind == "answered"]
    assert [(event["text"], event["show_alert"], event["user_id"]) for event in answered] == [
        ("Thanks", False, anna.id)
    ]


async def test_a_press_is_too_old_after_a_minute(
    api: Api, anna: User, post: Message, sandbox: Sandbox, clock: HandClock
) -> None:
    query = sandbox.press(anna, post)
    clock.forward(61)
    assert (await api("answerCallbackQuery", callback_query_id=query)).refusal == QUERY_GONE


async def test_an_unknown_press_is_too_old(api: Api) -> None:
    assert (await api("answerCallbackQuery", callback_query_id="123")).refusal == QUERY_GONE


async def test_an_answer_is_short(api: Api, anna: User, post: Message, sandbox: Sandbox) -> None:
    query = sandbox.press(anna, post)
    too_long = await api("answerCallbackQuery", callback_query_id=query, text="x" * 201)
    assert too_long.refusal == "400 Bad Request: MESSAGE_TOO_LONG"
    assert (await api("answerCallbackQuery", callback_query_id=query, text="x" * 200)).result is True
