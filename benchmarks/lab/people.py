"""People in the sandbox: they watch their chats and press Acknowledge."""

import asyncio
import random
import time

from benchmarks.lab.ledger import Copy, Entry, Fate, Ledger, Press
from notifybot.sandbox import Refused, Sandbox
from notifybot.sandbox.values import JsonObject
from notifybot.sandbox.world.state import Message, User

SLOWEST_PRESS_S = 0.5
PRESSED_BY_TWO = 0.3


class People:
    """Follows the sandbox's events, records every copy in the ledger, and presses if the entry's fate says so."""

    def __init__(
        self, sandbox: Sandbox, ledger: Ledger, rng: random.Random, *, escalation_chat: int, members: list[User]
    ) -> None:
        self._sandbox = sandbox
        self._ledger = ledger
        self._rng = rng
        self._escalation_chat = escalation_chat
        self._members = members
        self._albums: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._look())

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _look(self) -> None:
        events, seen = self._sandbox.world.events, 0
        while True:
            for event in events.since(seen):
                seen = event.n
                if event.kind == "message":
                    self._notice(self._sandbox.message(*_place(event.data)))
            await events.changed.wait(None)

    def _notice(self, message: Message) -> None:
        entry, part = self._part_of(message)
        if entry is None or self._is_known_album(message):
            return
        has_text = entry.wish.mark in message.text
        copy = Copy(message.chat.id, message.message_id, message.sent_at, part, has_text)
        entry.copies.append(copy)
        if has_text and self._is_to_be_pressed(entry, copy):
            self._press_soon(entry, copy)

    def _part_of(self, message: Message) -> tuple[Entry | None, str]:
        """Return the entry of this message, and its part: the text, or the position of its first file."""
        if message.media is None:
            return self._ledger.shown_in(message.text), "text"
        entry, number = self._ledger.owner_of(message.media.content.read()) or (None, 0)
        return entry, f"files {number}"

    def _is_known_album(self, message: Message) -> bool:
        """Return True for an album that was seen before: its first message stands for all."""
        album = message.media_group_id
        is_known = album in self._albums
        if album is not None:
            self._albums.add(album)
        return is_known

    def _is_to_be_pressed(self, entry: Entry, copy: Copy) -> bool:
        match entry.wish.fate:
            case Fate.ANSWERED:
                return True
            case Fate.ANSWERED_LATE:
                return copy.chat_id == self._escalation_chat
        return False

    def _press_soon(self, entry: Entry, copy: Copy) -> None:
        who = [user for user in self._members if copy.chat_id < 0 or user.id == copy.chat_id]
        hands = 2 if self._rng.random() < PRESSED_BY_TWO else 1
        for user in self._rng.sample(who, min(hands, len(who))):
            delay = self._rng.uniform(0, SLOWEST_PRESS_S)
            asyncio.get_running_loop().call_later(delay, self._press, entry, copy, user)

    def _press(self, entry: Entry, copy: Copy, user: User) -> None:
        try:
            self._sandbox.press(user, self._sandbox.message(copy.chat_id, copy.message_id), "Acknowledge")
        except Refused:
            return  # the button is gone: someone else was faster
        entry.presses.append(Press(user.id, time.time()))


def _place(message: JsonObject) -> tuple[int, int]:
    """Return the chat and the id of a message in Telegram's JSON."""
    chat, message_id = message["chat"], message["message_id"]
    assert isinstance(chat, dict)
    assert isinstance(message_id, int)
    return chat["id"], message_id
