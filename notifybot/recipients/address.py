"""Recipients as callers write them."""

import functools
from dataclasses import dataclass
from enum import StrEnum

from notifybot.config.chats import CHAT_FORM
from notifybot.config.types import SUBSCRIBERS, USER_ID_FORM


class RecipientKind(StrEnum):
    CHAT = "chat"
    PERSON = "person"
    NAME = "name"
    """A name in the config, or else an account."""
    SUBSCRIBERS = "subscribers"


@dataclass(frozen=True)
class Recipient:
    """A chat by id or @name, or a topic of it; a person by account or user_id; a name; or all subscribers."""

    kind: RecipientKind
    name: str

    @property
    def chat_id(self) -> str:
        """The chat, without the topic; the name of all others."""
        return self.name.partition(":")[0] if self.kind is RecipientKind.CHAT else self.name

    @property
    def thread_id(self) -> int | None:
        """The number of the topic, if it names one."""
        topic = self.name.partition(":")[2] if self.kind is RecipientKind.CHAT else ""
        return int(topic) if topic.isdecimal() else None


EVERYBODY = Recipient(RecipientKind.SUBSCRIBERS, SUBSCRIBERS)


@functools.lru_cache(4096)
def recipient_of(text: str) -> Recipient:
    """Read a recipient of any kind."""
    if CHAT_FORM.fullmatch(text):
        return Recipient(RecipientKind.CHAT, text)
    if text == SUBSCRIBERS:
        return EVERYBODY
    return person_recipient(text) if USER_ID_FORM.fullmatch(text) else Recipient(RecipientKind.NAME, text)


def person_recipient(text: str) -> Recipient:
    """Read an account or user_id, where only a person can be meant."""
    return Recipient(RecipientKind.PERSON, text.lower() if USER_ID_FORM.fullmatch(text) else text)
