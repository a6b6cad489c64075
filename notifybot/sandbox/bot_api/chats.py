"""Bot API methods about the bot itself, its chats, their members and its commands."""

import json
import re

from notifybot.sandbox.bot_api.access import find_chat, readable_chat, writable_chat
from notifybot.sandbox.bot_api.wire import ApiError, Params, bad_request, too_many_requests
from notifybot.sandbox.values import JsonObject
from notifybot.sandbox.world.state import Chat, ChatType, Standing, User, chat_json, member_json, user_json
from notifybot.sandbox.world.world import World

MAX_COMMANDS = 100
MAX_DESCRIPTION_CHARACTERS = 256
CLOSABLE_AFTER_S = 600.0
_COMMAND = re.compile(r"[a-z0-9_]{1,32}")
_ACTIONS = frozenset(
    {
        "typing",
        "upload_photo",
        "record_video",
        "upload_video",
        "record_voice",
        "upload_voice",
        "upload_document",
        "choose_sticker",
        "find_location",
        "record_video_note",
        "upload_video_note",
    }
)
_GIFTS = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")


def get_me(world: World, params: Params) -> JsonObject:
    abilities: JsonObject = {
        "can_join_groups": True,
        "can_read_all_group_messages": not world.privacy,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
        "has_topics_enabled": False,
    }
    return user_json(world.bot) | abilities


def log_out(world: World, params: Params) -> bool:
    world.has_logged_out = True
    return True


def close(world: World, params: Params) -> bool:
    running = world.now() - world.started_at
    if running < CLOSABLE_AFTER_S:
        raise too_many_requests(int(CLOSABLE_AFTER_S - running) + 1)
    if world.webhook.url:
        raise ApiError(400, "Bad Request: use deleteWebhook to delete the webhook first")
    return True


def get_chat(world: World, params: Params) -> JsonObject:
    chat = readable_chat(world, params)
    full: JsonObject = chat_json(chat) | {"accent_color_id": abs(chat.id) % 7, "max_reaction_count": 11}
    full["accepted_gift_types"] = dict.fromkeys(_GIFTS, False)
    return full


def get_chat_member(world: World, params: Params) -> JsonObject:
    chat = readable_chat(world, params)
    user_id = params.integer("user_id")
    if user_id == world.bot.id:
        return member_json(world.bot, str(chat.standing))
    user = world.users.get(user_id or 0)
    if user is None:
        raise bad_request("user not found")
    return member_json(user, _status(chat, user))


def get_chat_administrators(world: World, params: Params) -> list[JsonObject]:
    chat = readable_chat(world, params)
    if chat.type is ChatType.PRIVATE:
        raise bad_request("there are no administrators in the private chat")
    admins = [member_json(world.users[user_id], "creator") for user_id in sorted(chat.admin_ids)]
    if chat.standing is Standing.ADMINISTRATOR:
        admins.append(member_json(world.bot, "administrator"))
    return admins


def get_chat_member_count(world: World, params: Params) -> int:
    chat = readable_chat(world, params)
    return len(chat.member_ids) + (chat.standing not in (Standing.LEFT, Standing.KICKED))


def leave_chat(world: World, params: Params) -> bool:
    chat = find_chat(world, params)
    if chat.type is ChatType.PRIVATE:
        raise bad_request("can't leave private chats")
    if chat.standing in (Standing.KICKED, Standing.LEFT):
        readable_chat(world, params)
    world.change_standing(chat, Standing.LEFT, by=world.bot)
    return True


def send_chat_action(world: World, params: Params) -> bool:
    if params.text("action") not in _ACTIONS:
        raise bad_request("wrong parameter action in request")
    writable_chat(world, params)
    return True


def set_my_commands(world: World, params: Params) -> bool:
    commands = params.items("commands") or []
    if len(commands) > MAX_COMMANDS:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    for command in commands:
        assert isinstance(command, dict)
        if not _COMMAND.fullmatch(str(command["command"]).removeprefix("/")):
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= len(command["description"]) <= MAX_DESCRIPTION_CHARACTERS:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    world.commands[_scope(params)] = commands
    world.events.publish("commands", commands_json(world))
    return True


def get_my_commands(world: World, params: Params) -> list[object]:
    return world.commands.get(_scope(params), [])


def delete_my_commands(world: World, params: Params) -> bool:
    world.commands.pop(_scope(params), None)
    world.events.publish("commands", commands_json(world))
    return True


def commands_json(world: World) -> JsonObject:
    """Return the menus by kind of scope, for the page."""
    scopes = {key: (json.loads(key)[0] or {"type": "default"})["type"] for key in world.commands}
    return {scope: list(world.commands[key]) for key, scope in scopes.items()}


def _scope(params: Params) -> str:
    scope = params.mapping("scope") or {"type": "default"}
    return json.dumps([scope, params.text("language_code") or ""], sort_keys=True)


def _status(chat: Chat, user: User) -> str:
    if user.id in chat.admin_ids:
        return "creator"
    return "member" if user.id in chat.member_ids else "left"
