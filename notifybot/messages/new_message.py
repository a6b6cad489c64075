"""A message as the caller sends it, and the answer to the caller."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from notifybot.errors import NotifybotError
from notifybot.model.states import State
from notifybot.recipients.address import Recipient
from notifybot.rendering.parts import DEFAULT_APPEARANCE, Appearance, NewFile
from notifybot.times import recurrence

LONGEST_AHEAD = timedelta(days=3660)
"""Ten years: what lies further ahead was not meant."""


@dataclass(frozen=True)
class Extras:
    """What most messages do not have. `why_plain`: the markup of its text could not be read."""

    look: Appearance = DEFAULT_APPEARANCE
    files: tuple[NewFile, ...] = ()
    data: dict[str, Any] | None = None
    dedup_key: str | None = None
    is_resolving: bool = False
    """The trouble of this dedup_key is over."""
    has_text: bool = True
    why_plain: str | None = None
    send_at: datetime | None = None
    """Not before then; with `repeat` the first occurrence is then, or as soon after it as the repeat allows."""
    repeat: str | None = None
    """As recurrence.parse reads it."""
    time_zone: str = "UTC"
    """In which `repeat` is meant."""
    event: str | None = None
    """The kind of event that it tells of."""
    policy: str | None = None
    """The name of its policy; what it says stands in `plan`, in the number of its `steps` over all rounds, and in
    NewMessage.escalate_after, which is when the first of them is due."""
    plan: dict[str, Any] | None = None
    steps: int = 1
    remind_every: timedelta | None = None
    """People are reminded so often that an alert is still open; None: never."""
    is_awaited: bool = False
    """Its readers chose when they get it: no quiet hours hold it up."""


@dataclass(frozen=True)
class NewMessage:
    """A message as it comes in: checked, with the configured deadlines filled in (None: never)."""

    account: str
    source: str
    recipients: tuple[Recipient, ...]
    content: str
    title: str | None
    is_alert: bool
    escalate_after: timedelta | None
    close_after: timedelta | None
    client_id: str | None = None
    fingerprint: str = ""
    """Of the whole request; see ClientId."""
    extras: Extras | None = None
    allowed: frozenset[str] | None = None
    """To whom its caller may send, as the config or a token names them; None: to anybody."""

    @property
    def dedup_key(self) -> str | None:
        return None if self.extras is None else self.extras.dedup_key

    @property
    def is_awaited(self) -> bool:
        return self.extras is not None and self.extras.is_awaited


@dataclass(frozen=True)
class SendTiming:
    """When a message is due that does not go out at once. `repeat`: as it is stored; None: it comes once."""

    send_at: datetime
    repeat: str | None = None
    time_zone: str = "UTC"
    next_times: tuple[datetime, ...] = ()


@dataclass(frozen=True)
class Acceptance:
    """What the caller is told."""

    id: str
    status: State
    is_duplicate: bool
    created_at: datetime
    escalate_at: datetime | None
    close_at: datetime | None
    send_at: datetime | None = None
    schedule_id: str | None = None
    next_times: tuple[datetime, ...] = ()
    """Of a message that repeats: its next few occurrences, the first of them `send_at`."""


def send_timing(new: NewMessage, *, now: datetime) -> SendTiming | None:
    """When a message is due; None: at once, also where its time has passed.

    Raises NotifybotError for a repeat that cannot be read or never comes, and for a time that is too far ahead.
    """
    if new.extras is None or (new.extras.send_at is None and new.extras.repeat is None):
        return None
    send_at, times = new.extras.send_at, _times(new.extras, now)
    first = times[0] if times else send_at
    first = check_first_time(first, now=now)
    if new.extras.repeat is None:
        return SendTiming(first) if first > now else None
    return SendTiming(first, str(recurrence.parse(new.extras.repeat)), new.extras.time_zone, times)


def check_first_time(first: datetime | None, *, now: datetime) -> datetime:
    """The first time of a message; raises NotifybotError where it never comes, or is too far ahead."""
    if first is None or first > now + LONGEST_AHEAD:
        raise NotifybotError("A message is sent within ten years, or not at all.", hint="Look at the year of send_at.")
    return first


def _times(extras: Extras, now: datetime) -> tuple[datetime, ...]:
    if extras.repeat is None:
        return ()
    try:
        repeat = recurrence.parse(extras.repeat)
    except ValueError as error:
        raise NotifybotError(f"The repeat {extras.repeat!r} cannot be read: {error}.") from error
    return recurrence.upcoming(repeat, extras.time_zone, extras.send_at, now=now)
