"""When a message is sent, as a caller says it: a moment, and how it repeats in which zone."""

from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, WithJsonSchema

from notifybot import recurrence
from notifybot.routes.values import MAX_LABEL, RFC_3339, moment_as_written
from notifybot.time_zones import find_zone
from notifybot.wall_clock import moments

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


Repeat = Annotated[str | None, BeforeValidator(_repeat), _or_null({"type": "string", "maxLength": MAX_REPEAT})]
"""As recurrence.parse reads it, in one spelling."""
Zone = Annotated[str | None, BeforeValidator(_zone), _or_null({"type": "string", "maxLength": MAX_LABEL})]
WrittenMoment = Annotated[datetime | None, BeforeValidator(_written), _or_null(RFC_3339)]
"""Without an offset it is a time on the clocks of the zone that is named beside it."""


def in_utc(written: datetime | None, zone: str | None) -> datetime | None:
    """The moment that was meant. Of a time that the clocks show twice the first; one that they skip is when they do."""
    if written is None or written.tzinfo is not None:
        return written
    try:
        return moments(written.date(), written.time(), UTC if zone is None else ZoneInfo(zone))[0]
    except OverflowError:  # at the ends of the calendar
        return written.replace(tzinfo=UTC)
