"""Status lines below an alert: late, repeated, escalated, snoozed, how it ended."""

from datetime import timedelta

from notifybot.model.states import State
from notifybot.rendering.views import MessageView, is_open
from notifybot.times.display import clock_time

LATE_AFTER = timedelta(minutes=2)
"""A message that stands in a chat later than this after its acceptance says so."""


def status_lines(message: MessageView) -> str:
    lines = [_late(message), _repeated(message), _escalated(message), _snoozed(message), _reopened(message)]
    lines.append(_ending(message))
    return "\n".join(line for line in lines if line)


def _late(message: MessageView) -> str:
    """Since when it is open, where it stands here once more; that it came late, where that was not meant."""
    if message.shown_at - message.created_at < LATE_AFTER:
        return ""
    meant = message.escalated_at if message.is_escalation else message.created_at
    is_in_time = meant is not None and message.shown_at - meant < LATE_AFTER
    how = "Since" if message.is_reminder or is_in_time else "Late: this is from"
    return f"🕓 {how} {clock_time(message.created_at, message.shown_at)}."


def _repeated(message: MessageView) -> str:
    if not message.repeats or message.repeated_at is None:
        return ""
    return f"🔁 {message.repeats + 1} times, last at {clock_time(message.repeated_at, message.created_at)}."


def _escalated(message: MessageView) -> str:
    """Where it was told already, it says when others were told after it."""
    if message.escalated_at is None or (message.is_escalation and message.escalated_at <= message.shown_at):
        return ""
    how = "Escalated further" if message.is_escalation else "Escalated"
    return f"⏫ {how} at {clock_time(message.escalated_at, message.created_at)}."


def _snoozed(message: MessageView) -> str:
    if message.snoozed_until is None or not is_open(message):
        return ""
    return f"💤 Snoozed by {message.snoozed_by} until {clock_time(message.snoozed_until, message.created_at)}."


def _reopened(message: MessageView) -> str:
    if message.unacknowledged_at is None or not is_open(message):
        return ""
    when = clock_time(message.unacknowledged_at, message.created_at)
    return f"↩️ Open again: {message.unacknowledged_by} took the acknowledgement back at {when}."


def _ending(message: MessageView) -> str:
    """Who answered and whether it is over, or that nobody answered; empty while the alert is open."""
    answered = message.acknowledged_at
    closed_at = None if message.closed_at is None else clock_time(message.closed_at, message.created_at)
    lines = []
    if answered is not None:
        lines.append(f"✅ Acknowledged by {message.acknowledged_by} at {clock_time(answered, message.created_at)}.")
    if message.resolved_at is not None:
        lines.append(f"✔️ Resolved at {clock_time(message.resolved_at, message.created_at)}.")
    elif answered is not None and message.closed_at is not None and message.closed_at > answered:
        lines.append(f"⚪ Closed at {closed_at}.")
    if lines:
        return "\n".join(lines)
    if message.state is State.CLOSED and closed_at is not None:
        return f"⚪ Closed at {closed_at}; nobody acknowledged it."
    if message.state is State.CANCELLED:
        return "⚪ Cancelled."
    return ""
