"""Types of request fields; each says itself what is wrong with a value."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, WithJsonSchema

from notifybot.config.types import NAME
from notifybot.rendering.split import VISIBLE
from notifybot.times import recurrence
from notifybot.times.spans import LONGEST, parse_span
from notifybot.times.wall_clock import moments
from notifybot.times.zones import find_zone

MAX_LABEL = 128
MAX_RECIPIENTS = 100
MAX_TITLE = 256
MAX_URL = 2048
LARGEST_ID = 2**53
_CHANNEL = re.compile(r"@[A-Za-z][A-Za-z0-9_]{3,31}")
_TIME = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?"
_MOMENT = re.compile(rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}([T ]{_TIME})?")
_DIGITS = re.compile(r"-?[0-9]{1,16}")
_NUMBER = re.compile(r"-?[0-9]+")


def _text(value: object) -> str:
    """Text that says something and that every store and Telegram can carry."""
    if not isinstance(value, str):
        raise ValueError("this must be text")
    if "\x00" in value:
        raise ValueError("the character U+0000 cannot be sent")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("a lone surrogate is no character") from None
    if not VISIBLE.search(value):
        raise ValueError("this is blank")
    return value


def _limited(most: int) -> BeforeValidator:
    def check(value: object) -> object:
        if value is None:
            return None
        found = _text(value)
        if len(found) > most:
            raise ValueError(f"this has {len(found)} characters; at most {most} are allowed")
        return found

    return BeforeValidator(check)


def _chat(value: object) -> str:
    """A chat id as a number or as the same digits, or @name; the digits come back without leading zeros."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("a chat is a number, the same digits as text, or @name")
    if isinstance(value, str) and value.startswith("@"):
        if not _CHANNEL.fullmatch(value):
            raise ValueError("a channel's name is @ and 4 to 32 letters, digits and _")
        return one_spelling(value)
    return _chat_number(value)


def one_spelling(name: str) -> str:
    """A channel's @name is the same in capitals; anything else stays as it is."""
    return name.lower() if name.startswith("@") else name


def _chat_number(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("a chat id is a number or the same digits as text")
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        raise ValueError("a chat id is a number or the same digits as text")
    number = int(value)
    if not 0 < abs(number) < LARGEST_ID:
        raise ValueError("no chat has this number")
    return str(number)


def _recipients(value: object) -> tuple[str, ...] | None:
    """People, chats and names, each once, in the spelling of the config."""
    if value is None:
        return None
    if not isinstance(value, list) or not 0 < len(value) <= MAX_RECIPIENTS:
        raise ValueError(f'this is a list of 1 to {MAX_RECIPIENTS} recipients, like ["alice", "@status", -1001234]')
    return tuple(dict.fromkeys(map(_recipient, value)))


def _recipient(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("a recipient is an account, a user_id, a chat id, @name or a name of the config")
    if isinstance(value, int) or value.startswith("@") or _NUMBER.fullmatch(value):
        return _chat(value)
    if len(name := _text(value)) > MAX_LABEL:
        raise ValueError(f"a recipient has at most {MAX_LABEL} characters")
    return name


def _span(value: object) -> timedelta | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("a span is text like 15m or a whole number of seconds; 0 and never switch it off")
    return parse_span(value)


def _moment(value: object) -> datetime:
    """RFC 3339; without an offset it means UTC."""
    moment = moment_as_written(value)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def moment_as_written(value: object) -> datetime:
    """In UTC, or without a zone where it was written so."""
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        raise ValueError("a time is written like 2026-01-31T18:30:00Z")
    try:
        moment = datetime.fromisoformat(value)
        # Also for the one without a zone: at both ends of the calendar no other zone has it.
        moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
        return moment if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("a time is written like 2026-01-31T18:30:00Z") from None


def truth(value: object) -> bool:
    """In a query, where everything is text."""
    if value not in ("true", "false"):
        raise ValueError("this must be true or false")
    return value == "true"


def _one_of(schema: dict[str, object]) -> WithJsonSchema:
    """For programs: the same, or null."""
    return WithJsonSchema({"anyOf": [schema, {"type": "null"}]})


_TEXT: dict[str, object] = {"type": "string", "minLength": 1}
_WHOLE_NUMBER: dict[str, object] = {"type": "integer", "minimum": 1 - LARGEST_ID, "maximum": LARGEST_ID - 1}
_ID: dict[str, object] = {"type": "string", "pattern": f"^{_DIGITS.pattern}$"}
_CHAT: dict[str, object] = {
    "anyOf": [_WHOLE_NUMBER, {"type": "string", "pattern": f"^({_DIGITS.pattern}|{_CHANNEL.pattern})$"}]
}
_RECIPIENT: dict[str, object] = {"anyOf": [_WHOLE_NUMBER, {**_TEXT, "maxLength": MAX_LABEL}]}
_SPAN: dict[str, object] = {
    "anyOf": [
        {"type": "integer", "minimum": 0, "maximum": round(LONGEST.total_seconds())},
        {"type": "string", "pattern": "^(never|[0-9]{1,12}|([0-9]{1,9}[dhms] ?){1,4})$"},
    ],
    "examples": ["15m", "never", 900],
}
RFC_3339: dict[str, object] = {"type": "string", "pattern": f"^{_MOMENT.pattern}$"}


def _account(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("this must be text")
    return NAME.parse(value)


Account = Annotated[str | None, BeforeValidator(_account), _one_of({**_TEXT, "maxLength": MAX_LABEL})]
"""An account's name as the config has them: nothing that means another recipient."""
MessageText = Annotated[str, BeforeValidator(_text), WithJsonSchema(_TEXT)]
Title = Annotated[str | None, _limited(MAX_TITLE), _one_of({**_TEXT, "maxLength": MAX_TITLE})]
Label = Annotated[str | None, _limited(MAX_LABEL), _one_of({**_TEXT, "maxLength": MAX_LABEL})]
Name = Annotated[str, _limited(MAX_LABEL), WithJsonSchema({**_TEXT, "maxLength": MAX_LABEL})]
ChatId = Annotated[str, BeforeValidator(_chat), WithJsonSchema(_CHAT)]
PrivateChatId = Annotated[str, BeforeValidator(_chat_number), WithJsonSchema({"anyOf": [_WHOLE_NUMBER, _ID]})]
Recipients = Annotated[
    tuple[str, ...] | None,
    BeforeValidator(_recipients),
    _one_of({"type": "array", "items": _RECIPIENT, "minItems": 1, "maxItems": MAX_RECIPIENTS}),
]
OneRecipient = Annotated[str, BeforeValidator(_recipient), WithJsonSchema(_RECIPIENT)]
Span = Annotated[timedelta | None, BeforeValidator(_span), WithJsonSchema(_SPAN)]
Timestamp = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema(RFC_3339)]

MAX_REPEAT = 512
"""Characters: a cron expression that lists all minutes, hours and days has 355."""


def _repeat(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("this is a cron expression like 0 9 * * mon-fri, or every 15m")
    if len(value) > MAX_REPEAT:
        raise ValueError(f"this is longer than {MAX_REPEAT} characters")
    return str(recurrence.parse(value))


def _zone(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MAX_LABEL:
        raise ValueError("a time zone is written like Europe/Berlin")
    try:
        return find_zone(value)
    except ValueError as error:
        raise ValueError(". ".join(map(str, error.args)).removesuffix(".")) from None


def _or_null(schema: dict[str, object]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [schema, {"type": "null"}]})


def _written(value: object) -> datetime | None:
    return None if value is None else moment_as_written(value)


RepeatRule = Annotated[str | None, BeforeValidator(_repeat), _or_null({"type": "string", "maxLength": MAX_REPEAT})]
"""As recurrence.parse reads it, in one spelling."""
Zone = Annotated[str | None, BeforeValidator(_zone), _or_null({"type": "string", "maxLength": MAX_LABEL})]
WrittenTimestamp = Annotated[datetime | None, BeforeValidator(_written), _or_null(RFC_3339)]
"""Without an offset it is a time on the clocks of the zone that is named beside it."""


def in_utc(written: datetime | None, zone: str | None) -> datetime | None:
    """The moment that was meant. Of a time that the clocks show twice the first; one that they skip is when they do."""
    if written is None or written.tzinfo is not None:
        return written
    try:
        return moments(written.date(), written.time(), UTC if zone is None else ZoneInfo(zone))[0]
    except OverflowError:  # at the ends of the calendar
        return written.replace(tzinfo=UTC)
