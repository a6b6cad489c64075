"""Outcomes of a call to Telegram, as values."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from notifybot.rendering.parts import Media, NewFile


class Target(StrEnum):
    """What an outcome says no longer exists at Telegram."""

    MESSAGE = "message"
    TOPIC = "topic"
    FILE = "file"


@dataclass(frozen=True)
class Shown:
    """The call was accepted: it stands in `chat_id` (Telegram's own id, as digits) as these messages."""

    chat_id: str
    message_ids: tuple[int, ...]
    chat_kind: str | None = None
    """Telegram's word, where the answer has it: private, group, supergroup, channel."""
    file_ids: tuple[str, ...] = ()
    """Under which names Telegram keeps the files that were sent, in their order."""


@dataclass(frozen=True)
class HoldOff:
    """429: nothing more for this chat before `wait` has passed. Costs no attempt."""

    wait: timedelta


@dataclass(frozen=True)
class TryAgain:
    """Network trouble or 5xx. `uncertain`: Telegram may have accepted the call all the same."""

    reason: str
    uncertain: bool


@dataclass(frozen=True)
class Reformat:
    """Telegram cannot parse the markup, or refuses a button: the same goes out once more as plain text."""

    reason: str


@dataclass(frozen=True)
class Gone:
    """A message to edit, a topic or a file_id no longer exists."""

    what: Target
    reason: str


@dataclass(frozen=True)
class FileRefused:
    """Telegram does not take one of these files as they were sent; in another way it may, unless that `is_final`."""

    media: tuple[Media, ...]
    reason: str
    is_final: bool = False


@dataclass(frozen=True)
class Fetched:
    """A file came into our store from its address."""

    file: NewFile


@dataclass(frozen=True)
class NotFetched:
    """It did not; `is_temporary`: it may later."""

    reason: str
    is_temporary: bool


@dataclass(frozen=True)
class GiveUp:
    """Telegram refuses this for good. `is_chat_unreachable`: it would refuse everything else in that chat too."""

    reason: str
    is_chat_unreachable: bool


@dataclass(frozen=True)
class ChatMoved:
    """The group became a supergroup with the id `to`."""

    to: str


@dataclass(frozen=True)
class BotRefused:
    """401 or 404: Telegram does not know this token. Concerns the whole bot and costs no attempt."""

    reason: str


Outcome = (
    Shown | HoldOff | TryAgain | Reformat | Gone | FileRefused | Fetched | NotFetched | GiveUp | ChatMoved | BotRefused
)
