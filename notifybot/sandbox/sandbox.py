"""A local Telegram in one object: actions of people, faults, and the bot's calls."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from notifybot.sandbox.bot_api.call_log import Call, CallLog
from notifybot.sandbox.bot_api.fetch import WebPage
from notifybot.sandbox.bot_api.polling import Polling
from notifybot.sandbox.values import JsonObject, Refused
from notifybot.sandbox.world import people
from notifybot.sandbox.world.faults import DESCRIPTION, ERROR_CODE, RETRY_AFTER_S, Fault, FaultKind, Faults, FaultSpec
from notifybot.sandbox.world.rate_limits import Limits
from notifybot.sandbox.world.signals import Signal
from notifybot.sandbox.world.state import Chat, ChatType, Message, User
from notifybot.sandbox.world.world import World

# Looks like a real token, but belongs to nobody.
EXAMPLE_TOKEN = "600000001:AAHsandbox-sandbox-sandbox-sandbox0"

Found = TypeVar("Found")


class Sandbox:
    """One bot's Telegram, in process. Actions of people raise Refused if Telegram's apps would not allow them."""

    def __init__(
        self,
        *,
        token: str = EXAMPLE_TOKEN,
        clock: Callable[[], float] = time.time,
        limits: bool = True,
        privacy: bool = True,
    ) -> None:
        bot = User(int(token.partition(":")[0]), "notifybot", "notifybot_sandbox_bot", is_bot=True)
        self.world = World(bot, token, clock, Limits(enabled=limits), privacy)
        self.faults = Faults()
        self.calls = CallLog()
        self.polling = Polling()
        self.interrupted = Signal()
        self.is_closing = False
        # Pages that Telegram's servers can fetch, by URL; otherwise they only reach this machine.
        self.web: dict[str, WebPage] = {}

    @property
    def token(self) -> str:
        return self.world.token

    @property
    def bot(self) -> User:
        return self.world.bot

    def now(self) -> float:
        """Return the sandbox's time in Unix seconds."""
        return self.world.now()

    def revoke_token(self, revoked: bool = True) -> None:
        """Revoke the bot's token, like /revoke in @BotFather, or make it valid again."""
        self.world.is_token_revoked = revoked
        self._wake_all()

    def add_user(self, first_name: str, *, username: str | None = None, user_id: int | None = None) -> User:
        """Add a person. The bot can write to them once they have written to it."""
        return people.add_user(self.world, first_name, username=username, user_id=user_id)

    def add_chat(
        self,
        chat_type: str,
        title: str,
        *,
        members: Iterable[User | int] = (),
        username: str | None = None,
        chat_id: int | None = None,
        bot: bool = True,
        forum: bool = False,
    ) -> Chat:
        """Add a group, supergroup or channel; the first member owns it. In a channel the bot is an administrator."""
        wanted = people.NewChat(
            type=ChatType(chat_type),
            title=title,
            member_ids=tuple(_id_of(member) for member in members),
            username=username,
            chat_id=chat_id,
            with_bot=bot,
            is_forum=forum,
        )
        return people.add_chat(self.world, wanted)

    def add_topic(self, chat: Chat | int, name: str) -> int:
        """Open a topic in a forum and return its message_thread_id."""
        return people.add_topic(self.world, self.chat(chat), name)

    def close_topic(self, chat: Chat | int, thread_id: int) -> None:
        people.close_topic(self.world, self.chat(chat), thread_id, closed=True)

    def reopen_topic(self, chat: Chat | int, thread_id: int) -> None:
        people.close_topic(self.world, self.chat(chat), thread_id, closed=False)

    def delete_topic(self, chat: Chat | int, thread_id: int) -> None:
        """Let a person delete a topic with its messages. As in Telegram, the bot gets no update."""
        people.delete_topic(self.world, self.chat(chat), thread_id)

    def say(
        self,
        user: User | int,
        text: str,
        *,
        chat: Chat | int | None = None,
        reply_to: Message | None = None,
        thread_id: int | None = None,
    ) -> Message:
        """Let a person write, by default to the bot itself."""
        person = self.user(user)
        target = self.world.private_chat(person) if chat is None else self.chat(chat)
        return people.say(self.world, person, target, text, reply_to=reply_to, thread_id=thread_id)

    def press(
        self,
        user: User | int,
        message: Message,
        text: str | None = None,
        *,
        row: int | None = None,
        column: int | None = None,
        data: str | None = None,
        accessible: bool = True,
    ) -> str:
        """Let a person press a button of the message, chosen by text, data or position.

        Returns the id of the callback query. With `accessible=False` the message is so old that the bot only gets its
        chat and id.
        """
        button = people.find_button(message, people.ButtonWish(text, data, row, column))
        return people.press(self.world, self.user(user), message, button, is_accessible=accessible)

    def block(self, user: User | int, blocked: bool = True) -> None:
        """Let a person block the bot, or unblock it."""
        people.block(self.world, self.user(user), blocked=blocked)

    def deactivate(self, user: User | int) -> None:
        """Let a person delete their account."""
        people.deactivate(self.world, self.user(user))

    def kick(self, chat: Chat | int) -> None:
        """Remove the bot from a group or channel."""
        people.kick(self.world, self.chat(chat))

    def rejoin(self, chat: Chat | int) -> None:
        """Add the bot to a group or channel again."""
        people.rejoin(self.world, self.chat(chat))

    def migrate(self, chat: Chat | int) -> Chat:
        """Upgrade a group to a supergroup and return it."""
        return people.migrate(self.world, self.chat(chat))

    def file_bytes(self, message: Message) -> bytes:
        """Return the bytes of the message's photo or document, as the bot sent them."""
        if message.media is None:
            raise Refused(f"message {message.message_id} has no file")
        return message.media.content.read()

    def forget_files(self) -> None:
        """Invalidate all file_ids so far; messages keep their files."""
        self.world.files.forget()

    def remove(self, message: Message) -> None:
        """Let a person delete a message. As in Telegram, the bot gets no update."""
        self.world.delete(message)

    def fault(
        self,
        kind: str,
        *,
        method: str | None = None,
        chat: Chat | User | int | None = None,
        times: int | None = None,
        seconds: float | None = None,
        after: int = 0,
        error_code: int = ERROR_CODE,
        description: str = DESCRIPTION,
        retry_after: int = RETRY_AFTER_S,
    ) -> Fault:
        """Set a fault; see FaultSpec for the arguments."""
        chat_id = None if chat is None else _id_of(chat)
        spec = FaultSpec(FaultKind(kind), method, chat_id, times, seconds, after, error_code, description, retry_after)
        return self.add_fault(spec)

    def add_fault(self, spec: FaultSpec) -> Fault:
        """Set a fault and wake all waiting calls."""
        fault = self.faults.add(spec, self.now())
        self._faults_changed()
        return fault

    def remove_fault(self, fault_id: int) -> None:
        self.faults.remove(fault_id)
        self._faults_changed()

    def clear_faults(self) -> None:
        """Remove all faults and all bans."""
        self.faults.clear()
        self.world.limits.bans.clear()
        self._faults_changed()

    def strike(self, method: str, chat_id: int | None) -> list[FaultSpec]:
        """Return the faults that hit an incoming call, and count this call against them."""
        struck = self.faults.strike(method, chat_id, self.now())
        if struck:
            self.world.events.publish("faults", {"faults": self.faults_json()})
        return struck

    def user(self, user: User | int) -> User:
        """Find a person; raise Refused if the id is unknown."""
        found = self.world.users.get(_id_of(user))
        if found is None:
            raise Refused(f"there is no user {_id_of(user)}")
        return found

    def chat(self, chat: Chat | int) -> Chat:
        """Find a chat; raise Refused if the id is unknown."""
        found = self.world.chats.get(_id_of(chat))
        if found is None:
            raise Refused(f"there is no chat {_id_of(chat)}")
        return found

    def messages(self, chat: Chat | User | int) -> list[Message]:
        """List a chat's messages, oldest first; [] if the chat does not exist yet."""
        found = self.world.chats.get(_id_of(chat))
        return list(found.messages.values()) if found else []

    def message(self, chat: Chat | User | int, message_id: int) -> Message:
        """Find a message; raise Refused if it is not there."""
        found = self.world.chats.get(_id_of(chat))
        if found is None or message_id not in found.messages:
            raise Refused(f"there is no message {message_id} in chat {_id_of(chat)}")
        return found.messages[message_id]

    async def wait_for(self, look: Callable[[], Found | None], *, timeout: float = 10.0) -> Found:
        """Wait until `look()` returns something true, and return that. It is called again after every change.

        Raises AssertionError after `timeout` seconds of real time, with the latest calls and messages.
        """
        deadline = asyncio.get_running_loop().time() + timeout
        while not (found := look()):
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0 or not await self.world.events.changed.wait(left):
                if found := look():
                    return found
                raise AssertionError(f"not seen within {timeout} s\n{self.picture()}")
        return found

    def picture(self) -> str:
        """Describe the latest calls and messages in a few lines, for test failures."""
        calls = [
            f"  {call.method} chat={call.chat_id} -> {call.status} {call.description or ''}"
            for call in self.calls.since(self.calls.last - 10)
        ]
        chats = [
            f"  chat {chat.id}: {message.sender.first_name}: {_shown(message)} {message.button_texts}"
            for chat in self.world.chats.values()
            for message in list(chat.messages.values())[-3:]
        ]
        return "\n".join(["latest calls:", *calls, "latest messages:", *chats])

    def log(self, call: Call) -> None:
        """Log a Bot API call and publish it."""
        self.calls.add(call)
        self.world.events.publish("call", call.as_event())

    def close(self) -> None:
        """End long polls, hanging calls and event streams, and remove uploaded files."""
        self.is_closing = True
        self._wake_all()
        self.world.events.changed.fire()
        self.world.files.spool.close()

    def faults_json(self) -> list[JsonObject]:
        return [fault.as_json() for fault in self.faults.active(self.now())]

    def _faults_changed(self) -> None:
        self.world.events.publish("faults", {"faults": self.faults_json()})
        self._wake_all()

    def _wake_all(self) -> None:
        self.interrupted.fire()
        self.world.updates.arrived.fire()


def _shown(message: Message) -> str:
    """Describe a message's text and file."""
    media = message.media
    return f"[{media.file_name or media.kind}] {message.text!r}" if media else repr(message.text)


def _id_of(thing: User | Chat | int) -> int:
    return thing if isinstance(thing, int) else thing.id
