"""Outcomes of a call to Telegram, as values."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from notifybot.rendering.parts import Media, NewFile


class Target(StrEnum):
    """Kinds of things that may no longer exist in Telegram."""

    MESSAGE = "message"
    TOPIC = "topic"
    FILE = "file"


@dataclass(frozen=True)
class Shown:
    """Telegram accepted the call: the messages are in `chat_id` (Telegram's own id, as digits)."""

    chat_id: str
    message_ids: tuple[int, ...]
    chat_kind: str | None = None
    """`private`, `group`, `supergroup` or `channel`, if the response contains it."""
    file_ids: tuple[str, ...] = ()
    """Telegram's ids of the files sent, in their order."""


@dataclass(frozen=True)
class HoldOff:
    """429: no call to this chat until `wait` has passed. Does not count as an attempt."""

    wait: timedelta


@dataclass(frozen=True)
class TryAgain:
    """Network failure or 5xx. `uncertain`: Telegram may have accepted the call."""

    reason: str
    uncertain: bool


@dataclass(frozen=True)
class Reformat:
    """Telegram refuses the formatting or, if `of_buttons`, the reply markup: send the same in the text."""

    reason: str
    of_buttons: bool = False


@dataclass(frozen=True)
class Gone:
    """A message to edit, a topic or a file_id no longer exists."""

    what: Target
    reason: str


@dataclass(frozen=True)
class FileRefused:
    """Telegram refuses one of these files. It may take it from another source, unless `is_final`."""

    media: tuple[Media, ...]
    reason: str
    is_final: bool = False


@dataclass(frozen=True)
class Fetched:
    """We downloaded a file from its URL into our store."""

    file: NewFile


@dataclass(frozen=True)
class NotFetched:
    """We could not download a file. `is_temporary`: worth another try."""

    reason: str
    is_temporary: bool


@dataclass(frozen=True)
class GiveUp:
    """Telegram refuses this for good. `is_chat_unreachable`: it refuses everything else in that chat too."""

    reason: str
    is_chat_unreachable: bool


@dataclass(frozen=True)
class ChatMoved:
    """The group became a supergroup with the id `to`."""

    to: str


@dataclass(frozen=True)
class BotRefused:
    """Telegram refuses the bot itself: its token was revoked, it is logged out. Does not count as an attempt."""

    reason: str


Outcome = (
    Shown | HoldOff | TryAgain | Reformat | Gone | FileRefused | Fetched | NotFetched | GiveUp | ChatMoved | BotRefused
)
