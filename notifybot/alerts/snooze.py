"""Snooze an alert: its deadlines restart when it wakes."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import text, update
from sqlmodel import Session, col

from notifybot.errors import Conflict, NotifybotError
from notifybot.messages import deadlines, edit, queries, transitions
from notifybot.model.actors import Actor, name_of
from notifybot.model.conditions import IS_UNACKNOWLEDGED
from notifybot.model.enums import Deadline, EventKind
from notifybot.model.messages import Message
from notifybot.people import preferences
from notifybot.posts import timeline
from notifybot.rendering.buttons import Snooze
from notifybot.storage.statements import affected
from notifybot.storage.writer import changes
from notifybot.times.display import clock_time, local_time
from notifybot.times.spans import LONGEST, Tomorrow
from notifybot.times.zones import zone_of


@dataclass(frozen=True)
class SnoozeRequest:
    """A pressed Snooze button. `allowed`: the configured snoozes; others, from an old config or forged, do not count.
    `time_zone`: for people who chose none."""

    snooze: Snooze
    allowed: Collection[Snooze]
    time_zone: str


def snooze(
    session: Session, message_id: str, actor: Actor, until: datetime, *, now: datetime, by_clock: bool = False
) -> Message:
    """Snooze an alert, or snooze it again; its deadlines count from `until` then. An escalated alert stays escalated.

    `by_clock`: `until` is a time of day, not the end of a span.

    Raises NotifybotError for a time that is not ahead, and Conflict for a notice and for an alert that is not sent yet,
    acknowledged or closed.
    """
    if not now < until <= now + LONGEST:
        raise NotifybotError("An alert can only be snoozed until a time in the future, within 366 days.")
    message = queries.find(session, message_id)
    transitions.check_released(message, now=now)
    if not _try_snooze(session, message, actor, until, now=now, by_clock=by_clock):
        raise Conflict(why_not(message, now=now), hint="GET /api/messages/{id} shows its state and its timeline.")
    return queries.find(session, message_id)


def press(
    session: Session, message_ids: Collection[str], actor: Actor, request: SnoozeRequest, *, now: datetime
) -> str:
    """Snooze the alerts behind a pressed button; return the reply shown to the user."""
    if request.snooze not in request.allowed:
        return "This snooze is no longer offered here."
    zone = preferences.time_zone_of(session, actor) or request.time_zone
    until = wake_time(request.snooze, zone, now=now)
    found = [queries.find(session, message_id) for message_id in message_ids]
    by_clock = isinstance(request.snooze, Tomorrow)
    snoozed = [each for each in found if _try_snooze(session, each, actor, until, now=now, by_clock=by_clock)]
    if not snoozed:
        return why_not(found[0], now=now)
    done = "Snoozed" if len(found) == 1 else f"Snoozed {len(snoozed)} alerts"
    return f"{done} until {local_time(until, zone, now=now)}."


def wake_time(snooze: Snooze, zone: str, *, now: datetime) -> datetime:
    """Return the end of a snooze that starts now: a span later, or tomorrow in this zone."""
    if isinstance(snooze, timedelta):
        return now + snooze
    tomorrow = now.astimezone(zone_of(zone)).date() + timedelta(days=1)
    return datetime.combine(tomorrow, snooze.at, zone_of(zone)).astimezone(UTC)


def _try_snooze(
    session: Session, message: Message, actor: Actor, until: datetime, *, now: datetime, by_clock: bool
) -> bool:
    """Return False if its state forbids it."""
    moved = deadlines.restarted(message, until)
    is_unacknowledged = (col(Message.id) == message.id, text(IS_UNACKNOWLEDGED))
    facts = {"snoozed_until": until, "snoozed_by": actor.facts, "is_snoozed_by_clock": by_clock, **moved}
    if not affected(session, update(Message).where(*is_unacknowledged).values(**facts)):
        return False
    detail = f"Until {until.astimezone(UTC):%Y-%m-%d %H:%M} UTC."
    timeline.add(session, [message.id], EventKind.SNOOZED, now=now, actor=actor.name, detail=detail)
    edit.refresh_posts(session, [message.id], now=now)
    changes(session).messages.add(message.id)
    for name, deadline in moved.items():
        changes(session).note_deadline(Deadline(name), deadline)
    return True


def why_not(message: Message, *, now: datetime) -> str:
    """Say why this message cannot be snoozed, in one sentence."""
    if not message.is_alert:
        return "This message is a notice; only an alert can be snoozed."
    if message.acknowledged_by is not None and message.acknowledged_at is not None:
        when = clock_time(message.acknowledged_at, now)
        return f"{name_of(message.acknowledged_by)} acknowledged this at {when}, so it cannot be snoozed."
    return f"This alert is already {message.state} and cannot be snoozed."
