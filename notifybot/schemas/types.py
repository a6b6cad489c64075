"""Types of request fields: the config's grammars where both have them, else each with its own error."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from notifybot.config.chats import GENERAL, LARGEST_ID
from notifybot.config.types import ACCOUNT, CHAT, RECIPIENT
from notifybot.rendering.split import VISIBLE
from notifybot.times import recurrence
from notifybot.times.spans import LONGEST, parse_span
from notifybot.times.timestamps import parse_timestamp
from notifybot.times.wall_clock import moments
from notifybot.times.zones import find_zone, zone_of

MAX_LABEL = 128
MAX_RECIPIENTS = 100
MAX_TITLE = 256
MAX_URL = 2048
MAX_REPEAT = 512
"""Characters: a cron expression that lists all minutes, hours and days has 355."""
_TIME = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?([Zz]|[+-][0-9]{2}:?[0-9]{2})?"
_TIMESTAMP = re.compile(rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}([Tt ]{_TIME})?")
_NUMBER = re.compile(r"-?[0-9]+")

_INVALID = re.compile("[\x00\ud800-\udfff]")
_NUL = "\x00"

Schema = dict[str, Any]


def _message_text(value: object) -> str:
    """Read a text for people. Characters that cannot be stored are replaced: NUL by ␀, lone surrogates by �."""
    return _text(_repaired(value) if isinstance(value, str) else value)


def _repaired(text: str) -> str:
    return _INVALID.sub(lambda found: "␀" if found[0] == _NUL else "\ufffd", text)


def _text(value: object) -> str:
    """Check that text is visible, and that the database and Telegram can store it."""
    if not isinstance(value, str):
        raise ValueError("this must be text")
    if "\x00" in value:
        raise ValueError("the character U+0000 is not allowed")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("a lone surrogate is not allowed") from None
    if not VISIBLE.search(value):
        raise ValueError("this is blank")
    return value


def _short(limit: int, read: Callable[[object], str] = _text) -> Callable[[object], str]:
    def check(value: object) -> str:
        text = read(value)
        if len(text) > limit:
            raise ValueError(f"this has {len(text)} characters; at most {limit} are allowed")
        return text

    return check


def _chat(value: object) -> str:
    """Read a chat id, as a number or text, or @name, either with a topic behind it; return one spelling."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(GENERAL)
    chat = CHAT.parse(str(value))
    number, _, _ = chat.partition(":")
    if not number.startswith("@") and abs(int(number)) >= LARGEST_ID:
        raise ValueError("there is no chat with this id")
    return chat


def _chat_id(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str) or not _NUMBER.fullmatch(str(value)):
        raise ValueError("a chat id is a number, or its digits as text")
    return _chat(value)


def _recipient(value: object) -> str:
    if isinstance(value, float):
        return _chat(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("a recipient is an account, user_id, chat id, @name, or a name from the config")
    is_number = isinstance(value, int) or _NUMBER.fullmatch(value.partition(":")[0]) is not None
    return _chat(value) if is_number else RECIPIENT.parse(_text(value))


def _recipients(value: object) -> tuple[str, ...]:
    """Read recipients in the spelling of the config, without duplicates."""
    if not isinstance(value, list) or not 0 < len(value) <= MAX_RECIPIENTS:
        raise ValueError(f'this must be a list of 1 to {MAX_RECIPIENTS} recipients: ["alice", "@status", -1001234]')
    return tuple(dict.fromkeys(map(_recipient, value)))


def _account(value: object) -> str:
    """Read an account; many programs number theirs."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("an account is text, or a whole number")
    return ACCOUNT.parse(_text(str(value)))


def _span(value: object) -> timedelta | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("a span is text like 15m, or a number of seconds; 0 and never turn it off")
    return parse_span(value)


def _timestamp(value: object) -> datetime:
    """Read RFC 3339; UTC if it has no offset."""
    at = _local_timestamp(value)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def _local_timestamp(value: object) -> datetime:
    """Read RFC 3339 in UTC; without a time zone if it has no offset."""
    if not isinstance(value, str) or not _TIMESTAMP.fullmatch(value):
        raise ValueError("a time looks like 2026-01-31T18:30:00Z")
    try:
        at = parse_timestamp(value)
        # Refuses also times without an offset that overflow in some zone.
        at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)
        return at if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("a time looks like 2026-01-31T18:30:00Z") from None


def _repeat(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("a repeat is a cron expression like 0 9 * * mon-fri, or every 15m")
    if len(value) > MAX_REPEAT:
        raise ValueError(f"this is longer than {MAX_REPEAT} characters")
    return str(recurrence.parse(value))


def _zone(value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_LABEL:
        raise ValueError("a time zone looks like Europe/Berlin")
    try:
        return find_zone(value)
    except ValueError as error:
        raise ValueError(". ".join(map(str, error.args)).removesuffix(".")) from None


def _query_flag(value: object) -> bool:
    if value not in ("true", "false"):
        raise ValueError("this must be true or false")
    return value == "true"


def _unless_null(parse: Callable[[object], object]) -> BeforeValidator:
    return BeforeValidator(lambda value: None if value is None else parse(value))


def _or_null(schema: Schema) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [schema, {"type": "null"}]})


_TEXT: Schema = {"type": "string", "minLength": 1}
_LABEL: Schema = {**_TEXT, "maxLength": MAX_LABEL}
_WHOLE_NUMBER: Schema = {"type": "integer", "minimum": 1 - LARGEST_ID, "maximum": LARGEST_ID - 1}
_DIGITS, _CHANNEL = "-?0*[1-9][0-9]{0,15}", "@[A-Za-z][A-Za-z0-9_]{3,31}"
_TOPIC = "(:[1-9][0-9]{0,9})?"
_CHAT: Schema = {"anyOf": [_WHOLE_NUMBER, {"type": "string", "pattern": f"^({_DIGITS}|{_CHANNEL}){_TOPIC}$"}]}
_CHAT_ID: Schema = {"anyOf": [_WHOLE_NUMBER, {"type": "string", "pattern": f"^{_DIGITS}$"}]}
_RECIPIENT: Schema = {"anyOf": [_WHOLE_NUMBER, _LABEL]}
_RECIPIENTS: Schema = {"type": "array", "items": _RECIPIENT, "minItems": 1, "maxItems": MAX_RECIPIENTS}
_SPAN: Schema = {
    "anyOf": [
        {"type": "integer", "minimum": 0, "maximum": round(LONGEST.total_seconds())},
        {"type": "string", "pattern": "^(never|[0-9]{1,12}|([0-9]{1,9}[dhms] ?){1,4})$"},
    ],
    "examples": ["15m", "never", 900],
}
_RFC_3339: Schema = {"type": "string", "pattern": f"^{_TIMESTAMP.pattern}$"}

MessageText = Annotated[str, BeforeValidator(_message_text), WithJsonSchema(_TEXT)]
Title = Annotated[
    str | None, _unless_null(_short(MAX_TITLE, _message_text)), _or_null({**_TEXT, "maxLength": MAX_TITLE})
]
Label = Annotated[str | None, _unless_null(_short(MAX_LABEL)), _or_null(_LABEL)]
Name = Annotated[str, BeforeValidator(_short(MAX_LABEL)), WithJsonSchema(_LABEL)]
Account = Annotated[str | None, _unless_null(_account), _or_null({"anyOf": [_LABEL, _WHOLE_NUMBER]})]
"""An account, named as in the config."""
ChatId = Annotated[str, BeforeValidator(_chat), WithJsonSchema(_CHAT)]
PrivateChatId = Annotated[str, BeforeValidator(_chat_id), WithJsonSchema(_CHAT_ID)]
OneRecipient = Annotated[str, BeforeValidator(_recipient), WithJsonSchema(_RECIPIENT)]
Recipients = Annotated[tuple[str, ...] | None, _unless_null(_recipients), _or_null(_RECIPIENTS)]
Span = Annotated[timedelta | None, BeforeValidator(_span), WithJsonSchema(_SPAN)]
RequestTimestamp = Annotated[datetime, BeforeValidator(_timestamp), WithJsonSchema(_RFC_3339)]
LocalTimestamp = Annotated[datetime | None, _unless_null(_local_timestamp), _or_null(_RFC_3339)]
"""Without an offset it is local time in the request's time_zone; see `in_utc`."""
RepeatRule = Annotated[str | None, _unless_null(_repeat), _or_null({"type": "string", "maxLength": MAX_REPEAT})]
"""In the one spelling of recurrence.parse."""
Zone = Annotated[str | None, _unless_null(_zone), _or_null({"type": "string", "maxLength": MAX_LABEL})]
QueryFlag = Annotated[bool, BeforeValidator(_query_flag), WithJsonSchema({"type": "boolean"})]


def in_utc(written: datetime | None, zone: str | None) -> datetime | None:
    """Convert a LocalTimestamp. At a clock change: the first of two times, the change itself for a skipped one."""
    if written is None or written.tzinfo is not None:
        return written
    try:
        return moments(written.date(), written.time(), UTC if zone is None else zone_of(zone))[0]
    except OverflowError:  # at the ends of the calendar
        return written.replace(tzinfo=UTC)
