"""A real bot library against the sandbox: objects and errors as with Telegram."""

from collections.abc import AsyncIterator
from datetime import timedelta
from io import BytesIO

import pytest
from telegram import (
    Bot,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputFile,
    InputMediaDocument,
    InputMediaPhoto,
    LinkPreviewOptions,
    Message,
    ReplyParameters,
)
from telegram.error import BadRequest, ChatMigrated, Conflict, Forbidden, InvalidToken, NetworkError, RetryAfter

from notifybot.sandbox import Sandbox, WebPage
from notifybot.sandbox.world.state import User
from tests.sandbox.api import Api, HandClock
from tests.sandbox.pictures import png

BUTTON = InlineKeyboardMarkup([[InlineKeyboardButton("Acknowledge", callback_data="ack")]])


@pytest.fixture
async def bot(api: Api) -> AsyncIterator[Bot]:
    async with Bot(api.sandbox.token, base_url=api.url + "/bot", base_file_url=api.url + "/file/bot") as bot:
        yield bot


async def test_a_press_reaches_the_handler_and_gets_a_reply(bot: Bot, anna: User, sandbox: Sandbox) -> None:
    sent = await bot.send_message(anna.id, "<b>disk</b> full", parse_mode="HTML", reply_markup=BUTTON)
    sandbox.press(anna, sandbox.messages(anna)[-1], "Acknowledge")
    (update,) = await bot.get_updates(timeout=5)
    query = update.callback_query
    assert query is not None
    assert (query.data, query.from_user.first_name) == ("ack", "Anna")
    assert await query.answer("Thanks")
    edited = await sent.edit_text("disk full, acknowledged by Anna")
    assert isinstance(edited, Message)
    assert edited.reply_markup is None
    assert sandbox.messages(anna)[-1].text == "disk full, acknowledged by Anna"


async def test_every_argument_that_the_library_can_send_is_understood(bot: Bot, anna: User, sandbox: Sandbox) -> None:
    sent = await bot.send_message(
        anna.id,
        "x",
        disable_notification=True,
        protect_content=True,
        link_preview_options=LinkPreviewOptions(is_disabled=True),
        reply_parameters=ReplyParameters(message_id=1, allow_sending_without_reply=True),
    )
    assert sent.has_protected_content
    assert sandbox.messages(anna)[-1].is_silent


async def test_chats_and_members_are_described(bot: Bot, anna: User, sandbox: Sandbox) -> None:
    group = sandbox.add_chat("supergroup", "Ops", members=[anna])
    ben = sandbox.add_user("Ben")
    channel = sandbox.add_chat("channel", "News", username="news", members=[anna])
    assert (await bot.get_chat(group.id)).title == "Ops"
    assert (await bot.get_chat("@news")).id == channel.id
    assert (await bot.get_chat_member(group.id, anna.id)).status == "creator"
    assert (await bot.get_chat_member(group.id, ben.id)).status == "left"
    assert (await bot.get_chat_member(channel.id, sandbox.bot.id)).status == "administrator"
    assert await bot.get_chat_member_count(group.id) == 2
    admins = await bot.get_chat_administrators(channel.id)
    assert [admin.user.first_name for admin in admins] == ["Anna", "notifybot"]


async def test_commands_are_kept_by_scope_and_language(bot: Bot) -> None:
    await bot.set_my_commands([("start", "Begin"), ("help", "Help")])
    await bot.set_my_commands([("start", "Los")], language_code="de")
    assert [command.command for command in await bot.get_my_commands()] == ["start", "help"]
    assert [command.description for command in await bot.get_my_commands(language_code="de")] == ["Los"]
    await bot.delete_my_commands()
    assert await bot.get_my_commands() == ()
    with pytest.raises(BadRequest, match="Bot_command_invalid"):
        await bot.set_my_commands([("Start!", "Begin")])


async def test_typing_and_leaving(bot: Bot, anna: User, sandbox: Sandbox) -> None:
    group = sandbox.add_chat("group", "Ops", members=[anna])
    assert await bot.send_chat_action(group.id, "typing")
    assert await bot.leave_chat(group.id)
    with pytest.raises(Forbidden, match="bot is not a member of the group chat"):
        await bot.send_chat_action(group.id, "typing")


async def test_errors_are_raised_as_with_telegram(
    bot: Bot, anna: User, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "true")
    group = sandbox.add_chat("group", "Ops", members=[anna])
    new = sandbox.migrate(group)
    with pytest.raises(ChatMigrated) as moved:
        await bot.send_message(group.id, "x")
    assert moved.value.new_chat_id == new.id
    sandbox.block(anna)
    with pytest.raises(Forbidden, match="bot was blocked by the user"):
        await bot.send_message(anna.id, "x")
    sandbox.fault("flood", retry_after=7)
    with pytest.raises(RetryAfter) as flood:
        await bot.send_message(new.id, "x")
    assert flood.value.retry_after == timedelta(seconds=7)
    sandbox.fault("html")
    with pytest.raises(NetworkError):
        await bot.get_me()


async def test_a_webhook_forbids_polling(bot: Bot) -> None:
    await bot.set_webhook("http://127.0.0.1:1/hook", secret_token="abc", allowed_updates=["message"])
    assert (await bot.get_webhook_info()).url == "http://127.0.0.1:1/hook"
    with pytest.raises(Conflict):
        await bot.get_updates()
    await bot.delete_webhook(drop_pending_updates=True)


async def test_a_wrong_token_is_an_invalid_token(api: Api) -> None:
    stranger = Bot("600000001:" + "x" * 35, base_url=api.url + "/bot")
    with pytest.raises(InvalidToken):
        await stranger.initialize()
    await stranger.shutdown()


async def test_photos_and_documents_are_sent_in_every_way(bot: Bot, anna: User, sandbox: Sandbox) -> None:
    sandbox.web["https://example.org/cpu.png"] = WebPage(png(), "image/png")
    uploaded = await bot.send_photo(anna.id, png(1000, 500), caption="*cpu*", parse_mode="MarkdownV2", has_spoiler=True)
    assert [(size.width, size.height) for size in uploaded.photo][-1] == (1000, 500)
    assert (uploaded.caption, uploaded.caption_entities[0].type, uploaded.has_media_spoiler) == ("cpu", "bold", True)
    assert (await bot.send_photo(anna.id, uploaded.photo[-1].file_id)).photo == uploaded.photo
    assert (await bot.send_photo(anna.id, "https://example.org/cpu.png")).photo
    large = InputFile(BytesIO(b"x" * 3_000_000), filename="Bericht für März.csv", read_file_handle=False)
    document = (await bot.send_document(anna.id, large, reply_markup=BUTTON)).document
    assert document is not None
    assert (document.file_name, document.file_size) == ("Bericht für März.csv", 3_000_000)
    assert await (await bot.get_file(document.file_id)).download_as_bytearray() == b"x" * 3_000_000


async def test_albums_are_sent_and_edited(bot: Bot, anna: User, clock: HandClock) -> None:
    album = await bot.send_media_group(
        anna.id,
        [InputMediaPhoto(png(100, 100)), InputMediaPhoto(png(200, 100), show_caption_above_media=None)],
        caption="two charts",
    )
    assert album[0].caption == "two charts"
    assert {message.media_group_id for message in album} == {album[0].media_group_id}
    edited = await album[1].edit_media(InputMediaPhoto(album[0].photo[0].file_id, caption="the same"))
    assert isinstance(edited, Message)
    assert (edited.photo, edited.caption) == (album[0].photo, "the same")
    assert isinstance(await album[0].edit_caption("one chart"), Message)
    clock.forward(10)
    assert await bot.delete_messages(anna.id, [message.message_id for message in album])
    files = [InputMediaDocument(b"1", filename="1.txt"), InputMediaDocument(b"2", filename="2.txt")]
    names = [message.document.file_name for message in await bot.send_media_group(anna.id, files) if message.document]
    assert names == ["1.txt", "2.txt"]


async def test_refused_files_raise_as_with_telegram(bot: Bot, anna: User) -> None:
    with pytest.raises(BadRequest, match="Image_process_failed"):
        await bot.send_photo(anna.id, b"no picture")
    with pytest.raises(BadRequest, match="Wrong file identifier/http url specified"):
        await bot.send_photo(anna.id, "AgACmade-up")
    with pytest.raises(BadRequest, match="Failed to get http url content"):
        await bot.send_document(anna.id, "https://example.org/x.pdf")
    with pytest.raises(NetworkError, match="Request Entity Too Large"):
        await bot.send_document(anna.id, bytes(52 * 1024 * 1024))
