"""Data of the sandbox: bot, people, chats and messages, and their Telegram JSON."""

from dataclasses import dataclass, field
from enum import StrEnum

from notifybot.sandbox.values import JsonObject
from notifybot.sandbox.world.files import Media, MediaKind


class ChatType(StrEnum):
    PRIVATE = "private"
    GROUP = "group"
    SUPERGROUP = "supergroup"
    CHANNEL = "channel"


class Standing(StrEnum):
    """Status of the bot in a chat, as in ChatMember.status."""

    ADMINISTRATOR = "administrator"
    MEMBER = "member"
    LEFT = "left"
    KICKED = "kicked"


@dataclass(slots=True)
class User:
    """A person, or the bot itself. `has_started` means that the bot may write to them."""

    id: int
    first_name: str
    username: str | None = None
    is_bot: bool = False
    has_started: bool = False
    has_blocked: bool = False
    is_deactivated: bool = False


@dataclass(slots=True)
class Topic:
    """A forum topic; its id is the message id of the service message that opened it."""

    thread_id: int
    name: str
    is_closed: bool = False


@dataclass(slots=True)
class Version:
    """An earlier text of a message; `at` in Unix seconds is when it was replaced."""

    text: str
    at: float


@dataclass(slots=True)
class Chat:
    """A chat with its messages. `user` is the person in a private chat."""

    id: int
    type: ChatType
    title: str | None = None
    username: str | None = None
    user: User | None = None
    member_ids: set[int] = field(default_factory=set)
    admin_ids: set[int] = field(default_factory=set)
    standing: Standing = Standing.MEMBER
    is_forum: bool = False
    topics: dict[int, Topic] = field(default_factory=dict)
    messages: dict[int, "Message"] = field(default_factory=dict)
    last_message_id: int = 0
    moved_to: int | None = None


@dataclass(slots=True)
class Message:
    """A message. `text` is the caption if there is `media`; `content` has other fields by their Telegram names.

    `sent_at` in Unix seconds with fractions.
    """

    chat: Chat
    message_id: int
    sent_at: float
    sender: User
    text: str = ""
    entities: list[JsonObject] = field(default_factory=list)
    reply_markup: JsonObject | None = None
    reply_to: "Message | None" = None
    thread_id: int | None = None
    link_preview: JsonObject | None = None
    is_silent: bool = False
    is_protected: bool = False
    media: Media | None = None
    media_group_id: str | None = None
    has_spoiler: bool = False
    is_caption_above: bool = False
    edited_at: float | None = None
    content: JsonObject = field(default_factory=dict)
    history: list[Version] = field(default_factory=list)

    @property
    def id(self) -> int:
        return self.message_id

    @property
    def buttons(self) -> list[list[JsonObject]]:
        """Return the rows of its inline keyboard, as Telegram's JSON."""
        rows = (self.reply_markup or {}).get("inline_keyboard")
        return rows if isinstance(rows, list) else []

    @property
    def button_texts(self) -> list[str]:
        return [str(button["text"]) for row in self.buttons for button in row]


def user_json(user: User) -> JsonObject:
    """Write a user as Telegram's User."""
    written: JsonObject = {"id": user.id, "is_bot": user.is_bot, "first_name": user.first_name}
    if user.username:
        written["username"] = user.username
    if not user.is_bot:
        written["language_code"] = "en"
    return written


def chat_json(chat: Chat) -> JsonObject:
    """Write a chat as Telegram's Chat."""
    written: JsonObject = {"id": chat.id, "type": chat.type.value}
    if chat.title:
        written["title"] = chat.title
    if chat.user is not None:
        written["first_name"] = chat.user.first_name
    username = chat.user.username if chat.user is not None else chat.username
    if username:
        written["username"] = username
    if chat.is_forum:
        written["is_forum"] = True
    return written


def message_json(message: Message, *, with_reply: bool = True) -> JsonObject:
    """Write a message as Telegram's Message; the message it replies to comes without its own reply."""
    written: JsonObject = {"message_id": message.message_id}
    if message.chat.type is ChatType.CHANNEL:
        written["sender_chat"] = chat_json(message.chat)
    else:
        written["from"] = user_json(message.sender)
    written["chat"] = chat_json(message.chat)
    written["date"] = int(message.sent_at)
    if message.edited_at is not None:
        written["edit_date"] = int(message.edited_at)
    if message.thread_id is not None:
        written |= {"message_thread_id": message.thread_id, "is_topic_message": True}
    if message.reply_to is not None and with_reply:
        written["reply_to_message"] = message_json(message.reply_to, with_reply=False)
    return written | _content_json(message)


def inaccessible_json(message: Message) -> JsonObject:
    """Write Telegram's form of a message that the bot can no longer access."""
    return {"chat": chat_json(message.chat), "message_id": message.message_id, "date": 0}


def _content_json(message: Message) -> JsonObject:
    written: JsonObject = dict(message.content)
    if message.media is not None:
        written |= _media_json(message, message.media)
    if message.text:
        written["caption" if message.media else "text"] = message.text
    if message.entities:
        written["caption_entities" if message.media else "entities"] = message.entities
    if message.link_preview:
        written["link_preview_options"] = message.link_preview
    if message.is_protected:
        written["has_protected_content"] = True
    # A Message contains inline keyboards, but no other reply markup.
    if message.buttons:
        written["reply_markup"] = message.reply_markup
    return written


def _media_json(message: Message, media: Media) -> JsonObject:
    written: JsonObject = {media.kind.value: media.as_json()}
    if message.media_group_id:
        written["media_group_id"] = message.media_group_id
    if message.has_spoiler and media.kind is MediaKind.PHOTO:
        written["has_media_spoiler"] = True
    if message.is_caption_above and media.kind is MediaKind.PHOTO:
        written["show_caption_above_media"] = True
    return written


def member_json(user: User, status: str) -> JsonObject:
    """Write a ChatMember with the fields for its status."""
    written: JsonObject = {"user": user_json(user), "status": status}
    if status == "creator":
        written["is_anonymous"] = False
    if status == Standing.ADMINISTRATOR:
        written |= {"can_be_edited": False, "is_anonymous": False} | dict.fromkeys(_ADMINISTRATOR_RIGHTS, True)
    if status == Standing.KICKED:
        written["until_date"] = 0
    return written


_ADMINISTRATOR_RIGHTS = (
    "can_manage_chat",
    "can_delete_messages",
    "can_manage_video_chats",
    "can_restrict_members",
    "can_promote_members",
    "can_change_info",
    "can_invite_users",
    "can_post_stories",
    "can_edit_stories",
    "can_delete_stories",
    "can_post_messages",
    "can_edit_messages",
)
