"""A message as the caller sends it, and the reply to the caller."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from notifybot.errors import NotifybotError
from notifybot.model.states import State
from notifybot.recipients.address import Recipient
from notifybot.rendering.parts import DEFAULT_APPEARANCE, Appearance, NewFile
from notifybot.times import recurrence

MAX_AHEAD = timedelta(days=3660)
"""Ten years: a time beyond that is a mistake."""


class NewMessage(NamedTuple):
    """A message as it comes in: checked, with the deadlines from the config filled in (None for never)."""

    account: str
    source: str
    recipients: tuple[Recipient, ...]
    content: str
    title: str | None
    is_alert: bool
    escalate_after: timedelta | None
    """Time until the first step of the plan is due, or the only one."""
    close_after: timedelta | None
    client_id: str | None = None
    fingerprint: str = ""
    """Hash of the whole request; see ClientId."""
    allowed: frozenset[str] | None = None
    """Recipients that its caller may send to, as named in the config or the token; None for anyone."""
    look: Appearance = DEFAULT_APPEARANCE
    files: tuple[NewFile, ...] = ()
    data: dict[str, Any] | None = None
    dedup_key: str | None = None
    is_resolving: bool = False
    """Resolves what is bound to its dedup_key."""
    has_text: bool = True
    why_plain: str | None = None
    """Reason why its markup cannot be parsed."""
    send_at: datetime | None = None
    """Earliest time to send it. With `repeat`, the first occurrence is then or at the first time after it."""
    repeat: str | None = None
    """Repeat rule, as recurrence.parse reads it."""
    time_zone: str = "UTC"
    """Time zone of `repeat`."""
    event: str | None = None
    """Kind of event, from `POST /api/events`."""
    policy: str | None = None
    """Name of its policy. Its steps are in `plan`."""
    plan: dict[str, Any] | None = None
    """Escalation plan, as EscalationPlan.stored makes it; None for one step, to the escalation channel."""
    steps: int = 1
    """Number of steps over all rounds of the plan."""
    remind_every: timedelta | None = None
    """Interval of the reminders of an open alert; None for never."""
    is_awaited: bool = False
    """Sent at a time that its readers chose, so quiet hours do not delay it."""


@dataclass(frozen=True)
class SendTiming:
    """Time of a message that is not sent at once. `repeat` is None if it is sent only once."""

    send_at: datetime
    repeat: str | None = None
    time_zone: str = "UTC"
    next_times: tuple[datetime, ...] = ()


class Acceptance(NamedTuple):
    """Answer to the caller of an accepted message."""

    id: str
    status: State
    is_duplicate: bool
    created_at: datetime
    escalate_at: datetime | None
    close_at: datetime | None
    send_at: datetime | None = None
    schedule_id: str | None = None
    next_times: tuple[datetime, ...] = ()
    """Next few occurrences of a repeating message; the first one is `send_at`."""


def send_timing(new: NewMessage, *, now: datetime) -> SendTiming | None:
    """Return when a message is due; None for at once, including a past `send_at`.

    Raises NotifybotError for a `repeat` that cannot be parsed or has no occurrence, and for a time too far ahead.
    """
    if new.send_at is None and new.repeat is None:
        return None
    times = _times(new, now)
    first = check_first_time(times[0] if times else new.send_at, now=now)
    if new.repeat is None:
        return SendTiming(first) if first > now else None
    return SendTiming(first, str(recurrence.parse(new.repeat)), new.time_zone, times)


def check_first_time(first: datetime | None, *, now: datetime) -> datetime:
    """Return the first time of a message; raise NotifybotError if there is none, or it is too far ahead."""
    if first is None or first > now + MAX_AHEAD:
        raise NotifybotError("This message would not be sent within ten years.", hint="Check the year of send_at.")
    return first


def _times(new: NewMessage, now: datetime) -> tuple[datetime, ...]:
    if new.repeat is None:
        return ()
    try:
        repeat = recurrence.parse(new.repeat)
    except ValueError as error:
        raise NotifybotError(f"The repeat {new.repeat!r} cannot be read: {error}.") from error
    return recurrence.upcoming(repeat, new.time_zone, new.send_at, now=now)
