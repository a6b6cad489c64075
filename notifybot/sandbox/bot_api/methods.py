"""Table of the sandbox's Bot API methods and their supported parameters."""

from collections.abc import Callable
from dataclasses import dataclass

from notifybot.sandbox.bot_api import chats, media, messages, webhook
from notifybot.sandbox.bot_api.wire import Params, not_in_the_sandbox
from notifybot.sandbox.world.world import World

Handler = Callable[[World, Params], object]


@dataclass(frozen=True, slots=True)
class Method:
    """A method and its supported parameters."""

    run: Handler
    parameters: frozenset[str] = frozenset()


def call_method(world: World, name: str, params: Params) -> object:
    """Run a method and return Telegram's `result`; raise ApiError."""
    method = METHODS.get(name)
    if method is None:
        raise not_in_the_sandbox(name)
    check_understood(name, params, method.parameters)
    return method.run(world, params)


def check_understood(name: str, params: Params, understood: frozenset[str]) -> None:
    """Refuse parameters that the sandbox does not support, instead of ignoring them."""
    if missing := params.values.keys() - understood:
        raise not_in_the_sandbox(f'the parameter "{min(missing)}" of {name}')


def _method(run: Handler, *parameters: str) -> Method:
    return Method(run, frozenset(parameters))


_TEXT = ("text", "parse_mode", "entities", "link_preview_options")
_CAPTION = ("caption", "parse_mode", "caption_entities")
_SENDING = (
    "chat_id",
    "message_thread_id",
    "disable_notification",
    "protect_content",
    "reply_parameters",
    "reply_markup",
)
GET_UPDATES_PARAMETERS = frozenset({"offset", "limit", "timeout", "allowed_updates"})

METHODS = {
    "getMe": _method(chats.get_me),
    "logOut": _method(chats.log_out),
    "close": _method(chats.close),
    "sendMessage": _method(messages.send_message, *_SENDING, *_TEXT),
    "editMessageText": _method(messages.edit_message_text, "chat_id", "message_id", "reply_markup", *_TEXT),
    "editMessageReplyMarkup": _method(messages.edit_message_reply_markup, "chat_id", "message_id", "reply_markup"),
    "sendPhoto": _method(media.send_photo, *_SENDING, "photo", *_CAPTION, "show_caption_above_media", "has_spoiler"),
    "sendDocument": _method(media.send_document, *_SENDING, "document", *_CAPTION, "disable_content_type_detection"),
    "sendMediaGroup": _method(media.send_media_group, *_SENDING, "media"),
    "editMessageCaption": _method(
        media.edit_message_caption,
        "chat_id",
        "message_id",
        "reply_markup",
        *_CAPTION,
        "show_caption_above_media",
    ),
    "editMessageMedia": _method(media.edit_message_media, "chat_id", "message_id", "reply_markup", "media"),
    "getFile": _method(media.get_file, "file_id"),
    "deleteMessage": _method(messages.delete_message, "chat_id", "message_id"),
    "deleteMessages": _method(messages.delete_messages, "chat_id", "message_ids"),
    "answerCallbackQuery": _method(
        messages.answer_callback_query, "callback_query_id", "text", "show_alert", "url", "cache_time"
    ),
    "getChat": _method(chats.get_chat, "chat_id"),
    "getChatMember": _method(chats.get_chat_member, "chat_id", "user_id"),
    "getChatAdministrators": _method(chats.get_chat_administrators, "chat_id"),
    "getChatMemberCount": _method(chats.get_chat_member_count, "chat_id"),
    "leaveChat": _method(chats.leave_chat, "chat_id"),
    "sendChatAction": _method(chats.send_chat_action, "chat_id", "message_thread_id", "action"),
    "setMyCommands": _method(chats.set_my_commands, "commands", "scope", "language_code"),
    "getMyCommands": _method(chats.get_my_commands, "scope", "language_code"),
    "deleteMyCommands": _method(chats.delete_my_commands, "scope", "language_code"),
    "setWebhook": _method(
        webhook.set_webhook,
        "url",
        "certificate",
        "max_connections",
        "allowed_updates",
        "drop_pending_updates",
        "secret_token",
        "ip_address",
    ),
    "deleteWebhook": _method(webhook.delete_webhook, "drop_pending_updates"),
    "getWebhookInfo": _method(webhook.get_webhook_info),
}
