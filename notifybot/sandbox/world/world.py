"""State of one bot's Telegram and its basic changes. Nothing here waits."""

from collections.abc import Callable
from dataclasses import dataclass, field

from notifybot.sandbox.values import JsonObject
from notifybot.sandbox.world.files import Files
from notifybot.sandbox.world.rate_limits import Limits
from notifybot.sandbox.world.signals import Events, Signal
from notifybot.sandbox.world.state import (
    Chat,
    ChatType,
    Message,
    Standing,
    User,
    Version,
    chat_json,
    member_json,
    message_json,
    user_json,
)
from notifybot.sandbox.world.updates import UpdateQueue

FIRST_USER_ID = 700_000_001
FIRST_GROUP_ID = -4_000_000_001
FIRST_SUPERGROUP_ID = -1_002_000_000_001
KEPT_MESSAGES_PER_CHAT = 100_000
KEPT_VERSIONS = 50
# Time to answer a press. Telegram does not document it; bots observe a minute.
QUERY_LIFETIME_S = 60.0
KEPT_QUERIES = 10_000
DEFAULT_CONNECTIONS = 40


@dataclass(slots=True)
class Query:
    """A button press that the bot may answer; `at` in Unix seconds."""

    id: str
    user: User
    message: Message
    at: float
    is_answered: bool = False


@dataclass(slots=True)
class Webhook:
    """Target for updates. An empty url means that the bot polls."""

    url: str = ""
    secret_token: str | None = None
    max_connections: int = DEFAULT_CONNECTIONS
    has_certificate: bool = False
    last_error_at: float | None = None
    last_error: str | None = None


@dataclass
class World:
    """One bot and its Telegram. With `privacy`, the bot only sees group messages meant for it."""

    bot: User
    token: str
    clock: Callable[[], float]
    limits: Limits
    privacy: bool = True
    users: dict[int, User] = field(default_factory=dict)
    chats: dict[int, Chat] = field(default_factory=dict)
    queries: dict[str, Query] = field(default_factory=dict)
    commands: dict[str, list[object]] = field(default_factory=dict)
    updates: UpdateQueue = field(default_factory=UpdateQueue)
    files: Files = field(default_factory=Files)
    events: Events = field(default_factory=Events)
    webhook: Webhook = field(default_factory=Webhook)
    webhook_changed: Signal = field(default_factory=Signal)
    has_logged_out: bool = False
    is_token_revoked: bool = False
    started_at: float = field(init=False)
    _next_user_id: int = FIRST_USER_ID
    _last_shared_id: int = 0
    _last_query_id: int = 4_000_000_000_000_000
    _last_album_id: int = 13_000_000_000_000_000

    def __post_init__(self) -> None:
        self.started_at = self.clock()

    def now(self) -> float:
        """Return the sandbox's time in Unix seconds."""
        return self.clock()

    def deliver(self, kind: str, payload: JsonObject) -> None:
        """Queue an update for the bot."""
        self.updates.add(kind, payload, self.now())

    def free_user_id(self) -> int:
        """Return an unused user id."""
        while self._next_user_id in self.users:
            self._next_user_id += 1
        return self._next_user_id

    def free_chat_id(self, chat_type: ChatType) -> int:
        """Return an unused chat id; groups have shorter ones."""
        chat_id = FIRST_GROUP_ID if chat_type is ChatType.GROUP else FIRST_SUPERGROUP_ID
        while chat_id in self.chats:
            chat_id -= 1
        return chat_id

    def add_user(self, user: User) -> None:
        self.users[user.id] = user
        self.events.publish("user", user_event(user))

    def add_chat(self, chat: Chat) -> None:
        self.chats[chat.id] = chat
        self.events.publish("chat", chat_event(chat))

    def private_chat(self, user: User) -> Chat:
        """Return the private chat with a user, created if missing."""
        chat = self.chats.get(user.id)
        if chat is None:
            chat = Chat(user.id, ChatType.PRIVATE, user=user, member_ids={user.id})
            self.add_chat(chat)
        return chat

    def named_chat(self, name: str) -> Chat | None:
        """Find a public chat by name, ignoring case, with or without `@`."""
        wanted = name.removeprefix("@").lower()
        return next((chat for chat in self.chats.values() if chat.username and chat.username.lower() == wanted), None)

    def post(self, message: Message) -> JsonObject:
        """Add a message to its chat under the next id; return it as Telegram's JSON."""
        chat = message.chat
        message.message_id = self._next_message_id(chat)
        if len(chat.messages) >= KEPT_MESSAGES_PER_CHAT:
            del chat.messages[next(iter(chat.messages))]
        chat.messages[message.message_id] = message
        self.events.publish("message", message_event(message))
        return message_json(message)

    def edit(self, message: Message, text: str, entities: list[JsonObject], markup: JsonObject | None) -> JsonObject:
        """Edit a message and keep its earlier text; return it as Telegram's JSON."""
        now = self.now()
        if text != message.text:
            message.history = [*message.history, Version(message.text, now)][-KEPT_VERSIONS:]
        message.text, message.entities, message.reply_markup = text, entities, markup
        message.edited_at = now
        self.events.publish("edited", message_event(message))
        return message_json(message)

    def delete(self, message: Message) -> None:
        del message.chat.messages[message.message_id]
        self.events.publish("deleted", {"chat_id": message.chat.id, "message_id": message.message_id})

    def new_album_id(self) -> str:
        """Return a media_group_id for a new album."""
        self._last_album_id += 1
        return str(self._last_album_id)

    def add_query(self, user: User, message: Message) -> Query:
        """Record a press; drop the oldest beyond KEPT_QUERIES."""
        self._last_query_id += 1
        query = Query(str(self._last_query_id), user, message, self.now())
        if len(self.queries) >= KEPT_QUERIES:
            del self.queries[next(iter(self.queries))]
        self.queries[query.id] = query
        return query

    def change_standing(self, chat: Chat, standing: Standing, *, by: User) -> None:
        """Change the bot's status in a chat and send it the update."""
        old = chat.standing
        chat.standing = standing
        self.deliver_standing(chat, str(old), str(standing), by=by)
        self.events.publish("chat", chat_event(chat))

    def deliver_standing(self, chat: Chat, old: str, new: str, *, by: User) -> None:
        """Queue a my_chat_member update."""
        update: JsonObject = {"chat": chat_json(chat), "from": user_json(by), "date": int(self.now())}
        update["old_chat_member"] = member_json(self.bot, old)
        update["new_chat_member"] = member_json(self.bot, new)
        self.deliver("my_chat_member", update)

    def _next_message_id(self, chat: Chat) -> int:
        # Private chats and basic groups of an account share one counter; each supergroup and channel has its own.
        if chat.type in (ChatType.SUPERGROUP, ChatType.CHANNEL):
            chat.last_message_id += 1
            return chat.last_message_id
        self._last_shared_id += 1
        return self._last_shared_id


def user_event(user: User) -> JsonObject:
    """Write a user for the chat page."""
    return {
        "id": user.id,
        "first_name": user.first_name,
        "username": user.username,
        "has_blocked": user.has_blocked,
        "is_deactivated": user.is_deactivated,
    }


def chat_event(chat: Chat) -> JsonObject:
    """Write a chat for the chat page."""
    return {
        "id": chat.id,
        "type": chat.type.value,
        "title": chat.user.first_name if chat.user else chat.title,
        "username": chat.user.username if chat.user else chat.username,
        "member_ids": sorted(chat.member_ids),
        "bot_status": chat.standing.value,
        "is_forum": chat.is_forum,
        "moved_to": chat.moved_to,
    }


def message_event(message: Message) -> JsonObject:
    """Write a message for the chat page, with its earlier texts and if it was silent."""
    history = [{"text": version.text, "at": version.at} for version in message.history]
    return message_json(message) | {"history": history, "is_silent": message.is_silent}
