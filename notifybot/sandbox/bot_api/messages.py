"""Bot API methods that send, change and delete messages and answer presses."""

from notifybot.sandbox.bot_api.access import editable_message, find_chat, pace, writable_chat
from notifybot.sandbox.bot_api.keyboards import read_markup
from notifybot.sandbox.bot_api.text import read_text
from notifybot.sandbox.bot_api.wire import Params, bad_request, not_in_the_sandbox
from notifybot.sandbox.values import JsonObject
from notifybot.sandbox.world.state import Chat, ChatType, Message, Standing
from notifybot.sandbox.world.world import QUERY_LIFETIME_S, World

DELETABLE_FOR_S = 48 * 3600.0
MAX_DELETED = 100
MAX_ANSWER_CHARACTERS = 200
QUERY_GONE = "query is too old and response timeout expired or query ID is invalid"
NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current content "
    "and reply markup of the message"
)


def send_message(world: World, params: Params) -> JsonObject:
    text, entities = read_text(world, params)
    message = new_message(world, params, "sendMessage")
    message.text, message.entities = text, entities
    message.link_preview = params.mapping("link_preview_options")
    return world.post(message)


def new_message(world: World, params: Params, method: str, *, count: int = 1) -> Message:
    """Create the bot's next message in the target chat from the common parameters, without content.

    Checks, in this order: the chat, its topic, the message replied to, the buttons, the limits, for `count` messages.
    """
    chat = writable_chat(world, params)
    message = Message(chat, 0, world.now(), world.bot)
    message.thread_id = _topic(chat, params)
    message.reply_to = _replied_to(world, chat, params)
    message.reply_markup = read_markup(params, chat)
    message.is_silent = params.flag("disable_notification")
    message.is_protected = params.flag("protect_content")
    pace(world, method, chat, count)
    return message


def edit_message_text(world: World, params: Params) -> JsonObject:
    text, entities = read_text(world, params)
    message = editable_message(world, params)
    markup = read_markup(params, message.chat, is_edit=True)
    if message.media is not None or not message.text:
        raise bad_request("there is no text in the message to edit")
    pace(world, "editMessageText", message.chat)
    preview = params.mapping("link_preview_options")
    if (text, entities, markup, preview) == (
        message.text,
        message.entities,
        message.reply_markup,
        message.link_preview,
    ):
        raise bad_request(NOT_MODIFIED)
    message.link_preview = preview
    return world.edit(message, text, entities, markup)


def edit_message_reply_markup(world: World, params: Params) -> JsonObject:
    message = editable_message(world, params)
    markup = read_markup(params, message.chat, is_edit=True)
    pace(world, "editMessageReplyMarkup", message.chat)
    if markup == message.reply_markup:
        raise bad_request(NOT_MODIFIED)
    return world.edit(message, message.text, message.entities, markup)


def delete_message(world: World, params: Params) -> bool:
    chat = find_chat(world, params)
    message = chat.messages.get(params.integer("message_id") or 0)
    if message is None:
        raise bad_request("message to delete not found")
    _check_deletable(world, message)
    world.delete(message)
    return True


def delete_messages(world: World, params: Params) -> bool:
    """Delete all existing messages, or none if one cannot be deleted."""
    chat = find_chat(world, params)
    wanted = params.items("message_ids") or []
    if not wanted:
        raise bad_request("message identifiers are not specified")
    if len(wanted) > MAX_DELETED:
        raise bad_request("too many message identifiers specified")
    found = [chat.messages[wish] for wish in dict.fromkeys(wanted) if isinstance(wish, int) and wish in chat.messages]
    for message in found:
        _check_deletable(world, message)
    for message in found:
        world.delete(message)
    return True


def _check_deletable(world: World, message: Message) -> None:
    chat = message.chat
    is_own = message.sender is world.bot
    may_delete = is_own or chat.type is ChatType.PRIVATE or chat.standing is Standing.ADMINISTRATOR
    if not may_delete or chat.standing in (Standing.KICKED, Standing.LEFT):
        raise bad_request("message can't be deleted")
    if world.now() - message.sent_at >= DELETABLE_FOR_S:
        raise bad_request("message can't be deleted for everyone")


def answer_callback_query(world: World, params: Params) -> bool:
    text = params.text("text") or ""
    if len(text) > MAX_ANSWER_CHARACTERS:
        raise bad_request("MESSAGE_TOO_LONG")
    _check_answer_url(world, params.text("url"))
    query = world.queries.get(params.text("callback_query_id") or "")
    if query is None or query.is_answered or world.now() - query.at > QUERY_LIFETIME_S:
        raise bad_request(QUERY_GONE)
    query.is_answered = True
    answer: JsonObject = {"callback_query_id": query.id, "text": text, "show_alert": params.flag("show_alert")}
    answer |= {"user_id": query.user.id, "chat_id": query.message.chat.id, "message_id": query.message.message_id}
    world.events.publish("answered", answer)
    return True


def _check_answer_url(world: World, url: str | None) -> None:
    """Allow only links that start this bot; others are for games, which the sandbox lacks."""
    if url and not url.startswith(f"https://t.me/{world.bot.username}?start="):
        raise bad_request("URL_INVALID")


def _topic(chat: Chat, params: Params) -> int | None:
    thread_id = params.integer("message_thread_id")
    if thread_id is None:
        return None
    topic = chat.topics.get(thread_id)
    if topic is None:
        raise bad_request("message thread not found")
    if topic.is_closed and chat.standing is not Standing.ADMINISTRATOR:
        raise bad_request("TOPIC_CLOSED")
    return thread_id


def _replied_to(world: World, chat: Chat, params: Params) -> Message | None:
    reply = params.mapping("reply_parameters")
    if reply is None:
        return None
    if unknown := reply.keys() - {"message_id", "chat_id", "allow_sending_without_reply"}:
        raise not_in_the_sandbox(f'the field "{min(unknown)}" of ReplyParameters')
    other = find_chat(world, Params({"chat_id": reply["chat_id"]})) if "chat_id" in reply else chat
    message_id = reply["message_id"]
    found = other.messages.get(message_id) if isinstance(message_id, int) else None
    if found is None and not (reply.get("allow_sending_without_reply") and other is chat):
        raise bad_request("message to be replied not found")
    return found
