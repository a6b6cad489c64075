"""Actions of people: write, press buttons, block or remove the bot, upgrade a group."""

from dataclasses import dataclass

from notifybot.sandbox.formatting.detection import detect_entities
from notifybot.sandbox.values import JsonObject, Refused
from notifybot.sandbox.world.state import (
    Chat,
    ChatType,
    Message,
    Standing,
    Topic,
    User,
    inaccessible_json,
    message_json,
    user_json,
)
from notifybot.sandbox.world.world import World, chat_event, user_event

TOPIC_COLOR = 7322096


@dataclass(frozen=True, slots=True)
class NewChat:
    """A group, supergroup or channel to add; the first member owns it."""

    type: ChatType
    title: str
    member_ids: tuple[int, ...]
    username: str | None = None
    chat_id: int | None = None
    with_bot: bool = True
    is_forum: bool = False


@dataclass(frozen=True, slots=True)
class ButtonWish:
    """Criteria for a button; without any, the first button fits."""

    text: str | None = None
    data: str | None = None
    row: int | None = None
    column: int | None = None

    def fits(self, button: JsonObject, row: int, column: int) -> bool:
        return (
            self.text in (None, button.get("text"))
            and self.data in (None, button.get("callback_data"))
            and self.row in (None, row)
            and self.column in (None, column)
        )


def add_user(world: World, first_name: str, *, username: str | None, user_id: int | None) -> User:
    """Add a person; raise Refused if the id is taken."""
    if user_id is None:
        user_id = world.free_user_id()
    if user_id in world.users or user_id == world.bot.id:
        raise Refused(f"user {user_id} exists already")
    user = User(user_id, first_name, username)
    world.add_user(user)
    return user


def add_chat(world: World, new: NewChat) -> Chat:
    """Add a group, supergroup or channel, and send the bot its membership update."""
    if new.type is ChatType.PRIVATE:
        raise Refused("a private chat starts with a user's first message")
    if unknown := [user_id for user_id in new.member_ids if user_id not in world.users]:
        raise Refused(f"there is no user {unknown[0]}")
    chat_id = world.free_chat_id(new.type) if new.chat_id is None else new.chat_id
    if chat_id in world.chats or chat_id >= 0:
        raise Refused(f"chat id {chat_id} is taken, or not below zero")
    chat = Chat(chat_id, new.type, new.title, new.username, standing=Standing.LEFT, is_forum=new.is_forum)
    chat.member_ids, chat.admin_ids = set(new.member_ids), set(new.member_ids[:1])
    world.add_chat(chat)
    if new.with_bot:
        rejoin(world, chat)
    return chat


def add_topic(world: World, chat: Chat, name: str) -> int:
    """Open a topic; raise Refused if the chat is no forum."""
    if not chat.is_forum:
        raise Refused(f"chat {chat.id} is not a forum")
    opened = Message(chat, 0, world.now(), _owner(world, chat))
    opened.content = {"forum_topic_created": {"name": name, "icon_color": TOPIC_COLOR}}
    world.post(opened)
    opened.thread_id = opened.message_id
    chat.topics[opened.message_id] = Topic(opened.message_id, name)
    world.deliver("message", message_json(opened))
    return opened.message_id


def close_topic(world: World, chat: Chat, thread_id: int, *, closed: bool) -> None:
    """Close or reopen a topic, with its service message; raise Refused if the id is unknown."""
    topic = chat.topics.get(thread_id)
    if topic is None:
        raise Refused(f"there is no topic {thread_id} in chat {chat.id}")
    topic.is_closed = closed
    notice = Message(chat, 0, world.now(), _owner(world, chat), thread_id=thread_id)
    notice.content = {"forum_topic_closed" if closed else "forum_topic_reopened": {}}
    world.deliver("message", world.post(notice))


def delete_topic(world: World, chat: Chat, thread_id: int) -> None:
    """Delete a topic with its messages; raise Refused if the id is unknown."""
    if chat.topics.pop(thread_id, None) is None:
        raise Refused(f"there is no topic {thread_id} in chat {chat.id}")
    for message in [message for message in chat.messages.values() if message.thread_id == thread_id]:
        world.delete(message)


def say(
    world: World, user: User, chat: Chat, text: str, *, reply_to: Message | None = None, thread_id: int | None = None
) -> Message:
    """Let a person write to a chat; the bot gets an update if Telegram would send one."""
    if not text.strip():
        raise Refused("the text is empty")
    _check_may_write(world, user, chat, text)
    message = Message(chat, 0, world.now(), user, text.strip(), detect_entities(text.strip()))
    message.reply_to, message.thread_id = reply_to, thread_id
    written = world.post(message)
    if chat.type is ChatType.CHANNEL:
        world.deliver("channel_post", written)
    elif _is_shown_to_bot(world, message):
        world.deliver("message", written)
    return message


def find_button(message: Message, wish: ButtonWish) -> JsonObject:
    """Find a button; raise Refused if it is not on the message or does not call the bot."""
    for row, buttons in enumerate(message.buttons):
        for column, button in enumerate(buttons):
            if wish.fits(button, row, column):
                if "callback_data" not in button:
                    raise Refused(f"the button {button['text']!r} does not call the bot")
                return button
    raise Refused(f"message {message.message_id} has no such button, but {message.button_texts}")


def press(world: World, user: User, message: Message, button: JsonObject, *, is_accessible: bool = True) -> str:
    """Let a person press a button, and return the id of the callback query.

    If the message is no longer accessible, the update only contains its chat and id.
    """
    chat = message.chat
    if chat.messages.get(message.message_id) is not message:
        raise Refused(f"message {message.message_id} is not in chat {chat.id}")
    if user.id not in chat.member_ids:
        raise Refused(f"{user.first_name} is not in chat {chat.id}")
    if user.has_blocked and chat.type is ChatType.PRIVATE:
        raise Refused(f"{user.first_name} has blocked the bot")
    if chat.standing in (Standing.KICKED, Standing.LEFT):
        raise Refused(f"the bot is not in chat {chat.id}")
    query = world.add_query(user, message)
    pressed = message_json(message) if is_accessible else inaccessible_json(message)
    update: JsonObject = {"id": query.id, "from": user_json(user), "message": pressed}
    update |= {"chat_instance": str(-(chat.id**2) - 1), "data": button["callback_data"]}
    world.deliver("callback_query", update)
    return query.id


def block(world: World, user: User, *, blocked: bool) -> None:
    """Let a person block or unblock the bot; the bot gets an update if they have a chat."""
    if user.has_blocked == blocked:
        return
    user.has_blocked = blocked
    world.events.publish("user", user_event(user))
    if chat := world.chats.get(user.id):
        old, new = (Standing.MEMBER, Standing.KICKED) if blocked else (Standing.KICKED, Standing.MEMBER)
        world.deliver_standing(chat, str(old), str(new), by=user)


def deactivate(world: World, user: User) -> None:
    """Let a person delete their account."""
    user.is_deactivated = True
    world.events.publish("user", user_event(user))


def kick(world: World, chat: Chat) -> None:
    """Remove the bot from the chat."""
    if chat.type is ChatType.PRIVATE:
        raise Refused("a private chat has nobody to throw out; block the bot instead")
    world.change_standing(chat, Standing.KICKED, by=_owner(world, chat))


def rejoin(world: World, chat: Chat) -> None:
    """Add the bot: as an administrator in a channel, as a member elsewhere."""
    standing = Standing.ADMINISTRATOR if chat.type is ChatType.CHANNEL else Standing.MEMBER
    world.change_standing(chat, standing, by=_owner(world, chat))


def migrate(world: World, chat: Chat) -> Chat:
    """Upgrade a group to a supergroup: a new chat with a new id, and a service message in both."""
    if chat.type is not ChatType.GROUP or chat.moved_to is not None:
        raise Refused(f"chat {chat.id} is not a group that could become a supergroup")
    new = Chat(world.free_chat_id(ChatType.SUPERGROUP), ChatType.SUPERGROUP, chat.title, standing=chat.standing)
    new.member_ids, new.admin_ids = set(chat.member_ids), set(chat.admin_ids)
    chat.moved_to = new.id
    world.add_chat(new)
    world.events.publish("chat", chat_event(chat))
    _announce(world, chat, {"migrate_to_chat_id": new.id})
    _announce(world, new, {"migrate_from_chat_id": chat.id})
    return new


def _announce(world: World, chat: Chat, content: JsonObject) -> None:
    notice = Message(chat, 0, world.now(), _owner(world, chat), content=content)
    world.deliver("message", world.post(notice))


def _owner(world: World, chat: Chat) -> User:
    owner = next(iter(sorted(chat.admin_ids or chat.member_ids)), None)
    return world.users[owner] if owner is not None else User(777000, "Telegram")


def _check_may_write(world: World, user: User, chat: Chat, text: str) -> None:
    if user.id not in chat.member_ids:
        raise Refused(f"{user.first_name} is not in chat {chat.id}")
    if chat.moved_to is not None:
        raise Refused(f"chat {chat.id} became {chat.moved_to}")
    if chat.type is ChatType.CHANNEL and user.id not in chat.admin_ids:
        raise Refused("only administrators write in a channel")
    if chat.type is not ChatType.PRIVATE:
        return
    if user.has_blocked and not text.startswith("/start"):
        raise Refused(f"{user.first_name} has blocked the bot; /start unblocks it")
    block(world, user, blocked=False)
    user.has_started = True


def _is_shown_to_bot(world: World, message: Message) -> bool:
    chat = message.chat
    if chat.standing in (Standing.KICKED, Standing.LEFT):
        return False
    if chat.type is ChatType.PRIVATE or not world.privacy or chat.standing is Standing.ADMINISTRATOR:
        return True
    if message.reply_to is not None and message.reply_to.sender is world.bot:
        return True
    return _is_command_for(message.text, str(world.bot.username))


def _is_command_for(text: str, bot_username: str) -> bool:
    """Return True if the text starts with a command that is not for another bot."""
    if not text.startswith("/"):
        return False
    _, at, addressed = text.split()[0].partition("@")
    return not at or addressed.lower() == bot_username.lower()
