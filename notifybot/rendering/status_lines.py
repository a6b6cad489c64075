"""Status lines below a message: its origin, late, repeated, escalated, snoozed, reopened, ended."""

import re
from datetime import timedelta

from notifybot.model.states import State
from notifybot.rendering.views import MessageView, is_open
from notifybot.times.display import clock_time, shorten

MAX_NAME_LENGTH = 60
LATE_AFTER = timedelta(minutes=2)
"""A message shown longer than this after its acceptance is marked late."""


def status_lines(message: MessageView) -> str:
    lines = [_late(message), _repeated(message), _escalated(message), _snoozed(message), _reopened(message)]
    lines += [_ending(message), _origin(message)]
    return "\n".join(line for line in lines if line)


def _origin(message: MessageView) -> str:
    """Name the source and host of an alert, where they add to its text. The caller's account alone does not."""
    if not message.is_alert:
        return ""
    given = ("" if message.source == message.account else message.source, message.host or "")
    shown = [shorten(" ".join(name.split()), MAX_NAME_LENGTH) for name in given]
    known = f"{message.title or ''}\n{message.content}"
    new = [name for name in shown if name and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", known, re.I) is None]
    return f"from {'@'.join(dict.fromkeys(new))}" if new else ""


def _late(message: MessageView) -> str:
    """Show the start time of a reminder or timely escalation; otherwise mark a delayed message as late."""
    if message.shown_at - message.created_at < LATE_AFTER:
        return ""
    meant = message.escalated_at if message.is_escalation else message.created_at
    is_in_time = meant is not None and message.shown_at - meant < LATE_AFTER
    how = "Started at" if message.is_reminder or is_in_time else "Late: sent at"
    return f"🕓 {how} {clock_time(message.created_at, message.shown_at)}."


def _repeated(message: MessageView) -> str:
    if not message.repeats or message.repeated_at is None:
        return ""
    return f"🔁 {message.repeats + 1} times, last at {clock_time(message.repeated_at, message.created_at)}."


def _escalated(message: MessageView) -> str:
    """Show the escalation in posts that existed before it."""
    if message.escalated_at is None or (message.is_escalation and message.escalated_at <= message.shown_at):
        return ""
    how = "Escalated again" if message.is_escalation else "Escalated"
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
    """Show the acknowledgement and the end; empty while the alert is open."""
    acknowledged_at = message.acknowledged_at
    closed_at = None if message.closed_at is None else clock_time(message.closed_at, message.created_at)
    lines = []
    if acknowledged_at is not None:
        lines.append(
            f"✅ Acknowledged by {message.acknowledged_by} at {clock_time(acknowledged_at, message.created_at)}."
        )
    if message.resolved_at is not None:
        lines.append(f"✔️ Resolved at {clock_time(message.resolved_at, message.created_at)}.")
    elif acknowledged_at is not None and message.closed_at is not None and message.closed_at > acknowledged_at:
        lines.append(f"⚪ Closed at {closed_at}.")
    if lines:
        return "\n".join(lines)
    if message.state is State.CLOSED and closed_at is not None:
        return f"⚪ Closed at {closed_at}; nobody acknowledged it."
    if message.state is State.CANCELLED:
        return "⚪ Cancelled."
    return ""
