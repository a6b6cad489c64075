"""Request fields of each way to send a message."""

import re
from datetime import datetime
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from notifybot.files.media_types import safe_name
from notifybot.model.enums import Priority
from notifybot.recipients.address import Recipient, RecipientKind, person_recipient, recipient_of
from notifybot.rendering.markup import ParseMode
from notifybot.rendering.parts import Appearance, MissingFile, PostButton
from notifybot.schemas.policy import PolicyField
from notifybot.schemas.types import (
    MAX_URL,
    Account,
    ChatId,
    Label,
    LocalTimestamp,
    MessageText,
    Name,
    Recipients,
    RepeatRule,
    Span,
    Title,
    Zone,
    in_utc,
)
from notifybot.web.bodies import RequestFields

MAX_BUTTONS = 4
MAX_BUTTON_TEXT = 64
MAX_COPY = 256
MAX_MISSING = 100
MAX_MISSING_REASON = 300
MISSING_FORM = '{"name": "build.log", "reason": "It is empty."}'
LARGEST_THREAD = 2**31 - 1
KEY_HEADER = "Idempotency-Key"
BUTTON_FORM = "a button is {text, url} or {text, copy}"
_WEB = re.compile(r"(https?|tg)://[^\s\x00-\x20]+", re.IGNORECASE)
_NO_CHARACTER = re.compile("[\x00\ud800-\udfff]")
PARSE_MODES = {mode.value.lower(): mode.value for mode in ParseMode}

F = TypeVar("F", bound="SendFields | IngestFields | PhotoFields | EventFields")
EXTRAS = frozenset(
    {"parse_mode", "priority", "silent", "thread_id", "link_preview", "buttons", "data", "dedup_key", "action"}
    | {"send_at", "repeat", "template", "event"}
)
"""Fields that a plain message does not use."""


def _parse_mode(value: object) -> str | None:
    """Ignore case, as Telegram does."""
    if value is None:
        return None
    if not isinstance(value, str) or value.lower() not in PARSE_MODES:
        raise ValueError(f"this must be one of {', '.join(PARSE_MODES.values())}; leave it out for plain text")
    return PARSE_MODES[value.lower()]


def _thread(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= LARGEST_THREAD:
        raise ValueError("this must be the number of a topic in a group")
    return value


def _button(value: object) -> PostButton:
    if not isinstance(value, dict) or set(value) not in ({"text", "url"}, {"text", "copy"}):
        raise ValueError(BUTTON_FORM)
    for name, limit in (("text", MAX_BUTTON_TEXT), ("url", MAX_URL), ("copy", MAX_COPY)):
        given = value.get(name, "x")
        if not isinstance(given, str) or not given.strip() or len(given) > limit:
            raise ValueError(f"{BUTTON_FORM}; {name} must have 1 to {limit} characters")
        if _NO_CHARACTER.search(given):
            raise ValueError(f"{BUTTON_FORM}; {name} contains a character that is not allowed")
    if "url" in value and not _WEB.fullmatch(value["url"]):
        raise ValueError(f"{BUTTON_FORM}; a url starts with https://, http:// or tg://")
    return PostButton(**value)


def _buttons(value: object) -> tuple[PostButton, ...]:
    if not isinstance(value, list) or len(value) > MAX_BUTTONS:
        raise ValueError(f"this must be a list of at most {MAX_BUTTONS}; {BUTTON_FORM}")
    return tuple(map(_button, value))


def _missing_files(value: object) -> tuple[MissingFile, ...]:
    if not isinstance(value, list) or len(value) > MAX_MISSING or not all(map(_is_missing_file, value)):
        raise ValueError(f"this must be a list of at most {MAX_MISSING} like {MISSING_FORM}")
    return tuple(MissingFile(safe_name(each["name"]), _reason(each["reason"])) for each in value)


def _is_missing_file(value: object) -> bool:
    return isinstance(value, dict) and set(value) == {"name", "reason"} and all(map(_is_text, value.values()))


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _reason(text: str) -> str:
    """Drop what cannot be shown instead of refusing it: the message comes with trouble already."""
    return "".join(filter(str.isprintable, text))[:MAX_MISSING_REASON].strip() or "The file is missing."


def _data(value: object) -> object:
    """Check that all texts in an object can be stored."""
    if value is not None and not isinstance(value, dict):
        raise ValueError('this must be an object, like {"host": "db1"}')
    unchecked = [value]
    while unchecked:
        each = unchecked.pop()
        if isinstance(each, dict):
            unchecked += [*each.keys(), *each.values()]
        elif isinstance(each, list):
            unchecked += each
        elif isinstance(each, str) and _NO_CHARACTER.search(each):
            raise ValueError("a text in it contains a character that cannot be stored")
    return value


def _texts(**limits: int) -> dict[str, object]:
    """Return the schema of an object of exactly these texts."""
    properties = {name: {"type": "string", "minLength": 1, "maxLength": limit} for name, limit in limits.items()}
    return {"type": "object", "properties": properties, "required": list(limits), "additionalProperties": False}


_PARSE_MODE = {"anyOf": [{"type": "string", "enum": list(PARSE_MODES.values())}, {"type": "null"}]}
_THREAD = {"anyOf": [{"type": "integer", "minimum": 1, "maximum": LARGEST_THREAD}, {"type": "null"}]}
_A_BUTTON = {"anyOf": [_texts(text=MAX_BUTTON_TEXT, url=MAX_URL), _texts(text=MAX_BUTTON_TEXT, copy=MAX_COPY)]}
_MISSING_FILE = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "reason": {"type": "string"}},
    "required": ["name", "reason"],
    "additionalProperties": False,
}
_MISSING = {"type": "array", "items": _MISSING_FILE, "maxItems": MAX_MISSING}
_BUTTONS = {"type": "array", "items": _A_BUTTON, "maxItems": MAX_BUTTONS}


class _Common(RequestFields):
    """Fields of every way to send."""

    user: Account = None
    to: Recipients = None
    title: Title = None
    source: Label = None
    client_id: Label = None
    escalate_after: Span = None
    close_after: Span = None
    policy: PolicyField = None
    remind_every: Span = None
    parse_mode: Annotated[str | None, BeforeValidator(_parse_mode), WithJsonSchema(_PARSE_MODE)] = None
    priority: Annotated[Priority, Field(strict=False)] = Priority.NORMAL
    silent: bool = False
    thread_id: Annotated[int | None, BeforeValidator(_thread), WithJsonSchema(_THREAD)] = None
    link_preview: bool = False
    buttons: Annotated[tuple[PostButton, ...], BeforeValidator(_buttons), WithJsonSchema(_BUTTONS)] = ()
    data: Annotated[dict[str, object] | None, BeforeValidator(_data)] = None
    template: Label = None
    send_at: LocalTimestamp = None
    repeat: RepeatRule = None
    time_zone: Zone = None
    dedup_key: Label = None
    action: Literal["resolve"] | None = None
    missing_files: Annotated[tuple[MissingFile, ...], BeforeValidator(_missing_files), WithJsonSchema(_MISSING)] = ()
    """Files that the caller could not read; the text names them."""

    @model_validator(mode="after")
    def _resolves_a_key(self) -> "_Common":
        if self.action is not None and self.dedup_key is None:
            raise ValueError("action needs a dedup_key, which names what to resolve")
        return self

    @model_validator(mode="after")
    def _has_one_recipient_field(self) -> "_Common":
        *others, last = self.ways
        if sum(getattr(self, way) is not None for way in self.ways) != 1:
            raise ValueError(f"name the recipients in exactly one of {', '.join(others)} and {last}")
        return self

    @property
    def recipients(self) -> tuple[Recipient, ...]:
        if self.user is not None:
            return (person_recipient(self.user),)
        return tuple(map(recipient_of, self.to or ()))

    @property
    def sends_at(self) -> datetime | None:
        return in_utc(self.send_at, self.time_zone)

    @property
    def template_name(self) -> str | None:
        return self.template

    @property
    def event_name(self) -> str | None:
        return None

    ways: ClassVar[tuple[str, ...]] = ("user", "to")
    """Fields that name the recipients."""
    text_field: ClassVar[str] = "content"
    """Field that an error names if there is no text."""
    file_fields: ClassVar[tuple[str, ...]] = ("photo", "image", "file", "document")
    """Names of files in a form."""

    def appearance(self) -> Appearance:
        return Appearance(
            type=self.kind,
            parse_mode=self.parse_mode,
            priority=self.priority,
            silent=self.silent,
            thread_id=self.thread_id,
            link_preview=self.link_preview,
            buttons=self.buttons,
        )

    @property
    def kind(self) -> str:
        return "text"


class IngestFields(_Common):
    ways = ("channel_id", "user", "to")
    file_fields = (*_Common.file_fields, "content")
    type: Literal["text", "image", "document"] = "text"
    content: MessageText | None = None
    caption: MessageText | None = None
    file_name: Label = None
    channel_id: ChatId | None = None
    acknowledge: bool = True

    @property
    def recipients(self) -> tuple[Recipient, ...]:
        if self.channel_id is not None:
            return (Recipient(RecipientKind.CHAT, self.channel_id),)
        return super().recipients

    @property
    def kind(self) -> str:
        return self.type


class SendFields(_Common):
    text_field = "text"
    text: MessageText | None = None
    acknowledge: bool = False


class PhotoFields(_Common):
    text_field = "photo_path"
    file_fields = ("photo", "image")
    photo_path: str | None = None
    caption: MessageText | None = None
    acknowledge: bool = False

    @property
    def kind(self) -> str:
        return "image"


class EventFields(_Common):
    """An event, whose message comes from the template of its name."""

    text_field = "event"
    event: Name
    acknowledge: bool = False

    @model_validator(mode="after")
    def _is_its_own_template(self) -> "EventFields":
        if self.template is not None:
            raise ValueError("event already names the template; leave template out")
        return self

    @property
    def template_name(self) -> str:
        return self.event

    @property
    def event_name(self) -> str:
        return self.event


AnyFields = IngestFields | SendFields | PhotoFields | EventFields


class KeyHeader(RequestFields):
    key: Label = Field(alias=KEY_HEADER)


class EditFields(RequestFields):
    content: MessageText | None = None
    title: Title = None

    @model_validator(mode="after")
    def _changes_something(self) -> "EditFields":
        if not self.model_fields_set or (self.content is None and "content" in self.model_fields_set):
            raise ValueError("give content, title or both")
        return self
