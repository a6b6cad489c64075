"""Chats and people in a story: `await anna.receives("disk full").presses("Acknowledge")`."""

from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from notifybot.sandbox import Sandbox
from notifybot.sandbox.values import JsonObject
from notifybot.sandbox.world.state import Message, User

Found = TypeVar("Found")
ACKNOWLEDGE = "Acknowledge"
OPEN = [ACKNOWLEDGE, "Snooze 1 h", "Until tomorrow 09:00"]
"""The buttons of an alert that wants an answer."""


class Stage(Protocol):
    """Interface from a place to its world, which in turn consists of places."""

    sandbox: Sandbox

    async def sees(self, look: Callable[[], Found | None], what: str) -> Found: ...


@dataclass(frozen=True)
class Post:
    """One message of the bot in a chat."""

    stage: Stage
    place: "Place"
    message: Message

    @property
    def text(self) -> str:
        return self.message.text

    @property
    def buttons(self) -> list[str]:
        return self.message.button_texts

    async def becomes(self, *fragments: str, buttons: list[str] | None = None) -> None:
        """Wait until it says all of this and, if asked for, has exactly these buttons."""

        def look() -> bool:
            has_them = buttons is None or self.buttons == buttons
            return has_them and all(fragment in self.text for fragment in fragments)

        wish = f"with the buttons {buttons}" if buttons is not None else "whatever its buttons"
        await self.stage.sees(look, f"the post {self.message.history or self.text!r} says {fragments} {wish}")

    async def pressed(self, by: "Person", button: str = ACKNOWLEDGE) -> str:
        """Let a person press a button of it, and return the bot's reply."""
        return await self.answer_to(self.press(by, button))

    def press(self, by: "Person", button: str = ACKNOWLEDGE) -> str:
        """Press without waiting; return the id of the callback query."""
        return self.stage.sandbox.press(by.user, self.message, button)

    async def answer_to(self, query_id: str) -> str:
        """Wait for the bot's reply to a press."""

        def look() -> str | None:
            answers = (event.data for event in self.stage.sandbox.world.events.since(0) if event.kind == "answered")
            return next((str(answer["text"]) for answer in answers if answer["callback_query_id"] == query_id), None)

        return await self.stage.sees(look, f"an answer to the press {query_id}")

    def is_deleted(self) -> None:
        """Delete it like a person in the chat."""
        self.stage.sandbox.remove(self.message)


class Receiving:
    """An expected post: `await` returns it, and the verbs below wait for it first."""

    def __init__(self, place: "Place", text: str) -> None:
        self._place = place
        self._text = text

    def __await__(self) -> Generator[Any, None, Post]:
        return self._received().__await__()

    async def presses(self, button: str = ACKNOWLEDGE, *, by: "Person | None" = None) -> str:
        """Press a button of the post, in a private chat as its owner; return the bot's reply."""
        presser = by or self._place
        assert isinstance(presser, Person)
        return await (await self._received()).pressed(presser, button)

    def _received(self) -> Coroutine[Any, Any, Post]:
        return self._place.receive(self._text)


class Place:
    """A chat. `receives` finds each post once: the next call looks for another."""

    def __init__(self, stage: Stage, chat_id: int, name: str) -> None:
        self.stage = stage
        self.id = chat_id
        self.name = name
        self._received: set[int] = set()

    def receives(self, text: str) -> Receiving:
        """Expect the first post, not received before, that says or once said this."""
        return Receiving(self, text)

    async def receive(self, text: str) -> Post:
        message = await self.stage.sees(lambda: self._unreceived(text), f"{self.name} receives {text!r}")
        self._received.add(message.id)
        return Post(self.stage, self, message)

    @property
    def texts(self) -> list[str]:
        """Return the current texts of the bot's posts, oldest first."""
        return [message.text for message in self._posts()]

    @property
    def silent_texts(self) -> list[str]:
        return [message.text for message in self._posts() if message.is_silent]

    def _posts(self) -> list[Message]:
        bot = self.stage.sandbox.bot
        return [message for message in self.stage.sandbox.messages(self.id) if message.sender is bot]

    def _unreceived(self, text: str) -> Message | None:
        fresh = (message for message in self._posts() if message.id not in self._received)
        return next((message for message in fresh if any(text in said for said in _versions(message))), None)

    def sends(self) -> list[JsonObject]:
        """Return the parameters of the messages that Telegram accepted for this chat, in order."""
        calls = self.stage.sandbox.calls.of("sendMessage", chat_id=self.id)
        return [call.params for call in calls if call.is_accepted]


class Person(Place):
    """A person with a private chat with the bot."""

    def __init__(self, stage: Stage, user: User) -> None:
        super().__init__(stage, user.id, user.first_name)
        self.user = user

    def says(self, text: str, *, to: Place | None = None, thread_id: int | None = None) -> None:
        """Write to the bot, or into a group."""
        self.stage.sandbox.say(self.user, text, chat=None if to is None else to.id, thread_id=thread_id)


def _versions(message: Message) -> list[str]:
    return [*(version.text for version in message.history), message.text]
