"""What a post looks like at Telegram, as values: parts, entities, buttons, and the calls that show them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Entity:
    """One span of formatting. `offset` and `length` count UTF-16 units; `type` is Telegram's name ("bold", "pre", …).

    `url` belongs to "text_link", `language` to "pre".
    """

    type: str
    offset: int
    length: int
    url: str | None = None
    language: str | None = None


@dataclass(frozen=True)
class Button:
    """One inline button; exactly one of `callback_data` (1 to 64 bytes), `url` and `copy` (1 to 256 characters) is set.

    `style` is "danger", "success", "primary" or None (as the reader's app decides).
    """

    text: str
    callback_data: str | None = None
    url: str | None = None
    copy: str | None = None
    style: str | None = None


Buttons = tuple[tuple[Button, ...], ...]


@dataclass(frozen=True)
class Part:
    """One Telegram message: plain text with its formatting beside it, and rows of buttons below it."""

    text: str
    entities: tuple[Entity, ...] = ()
    buttons: Buttons = ()


@dataclass(frozen=True)
class SendText:
    """Send `part` as a new message. `chat_id` holds digits or "@name"; `thread_id` is a forum topic."""

    chat_id: str
    part: Part
    silent: bool = False
    thread_id: int | None = None


@dataclass(frozen=True)
class EditText:
    """Make the message `message_id` show `part`; buttons that `part` does not have go away."""

    chat_id: str
    message_id: int
    part: Part


Call = SendText | EditText
