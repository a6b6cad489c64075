"""Schedules and scheduled messages in the API."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from pydantic import PlainSerializer

from notifybot.messages.queries import MessageDetails
from notifybot.model.enums import DeliveryStatus, Purpose
from notifybot.model.states import State
from notifybot.rendering.parts import Appearance
from notifybot.schedules.queries import ScheduleDetails
from notifybot.schemas.responses import messages
from notifybot.schemas.responses.messages import MessageDocument
from notifybot.web.documents import OPTIONAL, Timestamp, build


def _without_offset(at: datetime) -> str:
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")


TimestampWithoutOffset = Annotated[datetime, PlainSerializer(_without_offset, return_type=str)]
"""UTC, in whole seconds."""


@dataclass(slots=True, kw_only=True)
class ScheduleDocument:
    """A repeating message. `message` is its next occurrence, null once it has ended."""

    id: str
    account: str
    repeat: str
    time_zone: str
    created_at: Timestamp
    begins_at: Timestamp
    paused_at: Timestamp | None
    ended_at: Timestamp | None
    last_at: Timestamp | None
    runs: int
    missed: int
    next_times: tuple[Timestamp, ...]
    message: MessageDocument | None


@dataclass(slots=True, kw_only=True)
class SchedulesDocument:
    schedules: list[ScheduleDocument]


@dataclass(slots=True, kw_only=True)
class PreviewDocument:
    """The next times of a schedule that does not exist yet."""

    repeat: str
    time_zone: str
    next_times: tuple[Timestamp, ...]


@dataclass(slots=True, kw_only=True)
class PendingResultDocument:
    """One chat's copy of a scheduled message."""

    target_user_id: str
    chat_id: str
    status: DeliveryStatus
    last_error: str | None
    shown_at: TimestampWithoutOffset | None


@dataclass(slots=True, kw_only=True)
class PendingDocument:
    """A scheduled message in the shape of /schedule-message. Times are UTC, without an offset."""

    id: str
    target_user_id: list[str]
    message: str
    scheduled_timestamp: TimestampWithoutOffset
    file_paths: list[str] | None
    is_sent: bool
    created_at: TimestampWithoutOffset
    status: State
    schedule_id: str | None
    results: list[PendingResultDocument]
    next_times: Annotated[tuple[TimestampWithoutOffset, ...] | None, OPTIONAL] = None


def schedule(found: ScheduleDetails) -> ScheduleDocument:
    waiting = None if found.waiting is None else messages.message(found.waiting)
    return build(ScheduleDocument, found.schedule, next_times=found.next_times, message=waiting)


def pending(found: MessageDetails, next_times: tuple[datetime, ...] | None = None) -> PendingDocument:
    message, primary = found.message, [copy for copy in found.deliveries if copy.delivery.purpose is Purpose.PRIMARY]
    past = Appearance.of(message.look).past_time
    waits = any(copy.delivery.status is DeliveryStatus.WAITING for copy in primary)
    return build(
        PendingDocument,
        message,
        target_user_id=message.recipients,
        message=message.content,
        scheduled_timestamp=message.send_at or (datetime.fromisoformat(past) if past else message.created_at),
        file_paths=[f"uploads/{file.message_id}_{file.ordinal}_{file.name}" for file in found.files] or None,
        is_sent=not waits and message.state not in (State.SCHEDULED, State.INITIATED, State.CANCELLED),
        status=message.state,
        results=[
            build(PendingResultDocument, copy.delivery, target_user_id=copy.delivery.recipient) for copy in primary
        ],
        next_times=next_times,
    )
