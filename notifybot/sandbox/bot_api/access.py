"""Find the chat and message of a call and check the bot's rights, in Telegram's order and with its errors."""

import re

from notifybot.sandbox.bot_api.wire import Params, bad_request, forbidden, too_many_requests
from notifybot.sandbox.world.state import Chat, ChatType, Message, Standing
from notifybot.sandbox.world.world import World

_NUMBER = re.compile(r"-?\d{1,18}", re.ASCII)


def resolve_chat_id(world: World, chat_id: object) -> int | None:
    """Return a chat's id, given as a number, digits or `@name`; None for anything else."""
    if isinstance(chat_id, str):
        if _NUMBER.fullmatch(chat_id):
            return int(chat_id)
        chat = world.named_chat(chat_id) if chat_id.startswith("@") else None
        return chat.id if chat else None
    return chat_id if isinstance(chat_id, int) and not isinstance(chat_id, bool) else None


def find_chat(world: World, params: Params) -> Chat:
    """Find the target chat."""
    if params.chat_id is None or params.chat_id == "":
        raise bad_request("chat_id is empty")
    chat_id = resolve_chat_id(world, params.chat_id)
    chat = world.chats.get(chat_id) if chat_id is not None else None
    if chat is not None:
        return chat
    if chat_id is not None and _shares_group(world, chat_id):
        raise forbidden("bot can't initiate conversation with a user")
    raise bad_request("chat not found")


def readable_chat(world: World, params: Params) -> Chat:
    """Find the target chat and check that the bot may read it."""
    chat = find_chat(world, params)
    if chat.standing is Standing.KICKED and chat.type is not ChatType.GROUP:
        raise forbidden(f"bot was kicked from the {chat.type} chat")
    if chat.standing is Standing.LEFT and chat.username is None:
        raise forbidden(f"bot is not a member of the {chat.type} chat")
    return chat


def writable_chat(world: World, params: Params) -> Chat:
    """Find the target chat and check that the bot may write to it."""
    chat = find_chat(world, params)
    if chat.moved_to is not None:
        reason = "group chat was upgraded to a supergroup chat"
        raise bad_request(reason, {"migrate_to_chat_id": chat.moved_to})
    _check_access(chat)
    return chat


def editable_message(world: World, params: Params) -> Message:
    """Find a message that the bot may edit."""
    message_id = params.integer("message_id")
    if message_id is None:
        raise bad_request("message identifier is not specified")
    chat = find_chat(world, params)
    _check_access(chat)
    message = chat.messages.get(message_id)
    if message is None:
        raise bad_request("message to edit not found")
    if (
        message.sender is not world.bot
        or chat.moved_to is not None
        or not (message.text or message.media or message.content)
    ):
        raise bad_request("message can't be edited")
    return message


def pace(world: World, method: str, chat: Chat, count: int = 1) -> None:
    """Count `count` messages against the rate limits; raise Telegram's 429 if over the limit or banned."""
    now = world.now()
    seconds = world.limits.banned_for(method, chat.id, now, is_paced=True) or world.limits.take(
        chat.id, now, is_group=chat.type in (ChatType.GROUP, ChatType.SUPERGROUP), count=count
    )
    if seconds:
        raise too_many_requests(seconds)


def _check_access(chat: Chat) -> None:
    if chat.user is not None:
        if chat.user.is_deactivated:
            raise forbidden("user is deactivated")
        if chat.user.has_blocked:
            raise forbidden("bot was blocked by the user")
        if not chat.user.has_started:
            raise forbidden("bot can't initiate conversation with a user")
    if chat.standing is Standing.KICKED:
        raise forbidden(f"bot was kicked from the {chat.type} chat")
    if chat.standing is Standing.LEFT:
        raise forbidden(f"bot is not a member of the {chat.type} chat")
    if chat.type is ChatType.CHANNEL and chat.standing is not Standing.ADMINISTRATOR:
        raise bad_request("need administrator rights in the channel chat")


def _shares_group(world: World, user_id: int) -> bool:
    return user_id in world.users and any(user_id in chat.member_ids for chat in world.chats.values())
