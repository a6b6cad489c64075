"""Output of `messages show`: everything about one message."""

import json
from collections.abc import Iterator
from datetime import datetime

from notifybot.cli.output import Terminal, exact_time, full_time, one_line, sanitized, size_of
from notifybot.cli.tables import table
from notifybot.client import AttachmentInfo, Button, MessageInfo

LABEL_WIDTH = 14
Fact = tuple[str, str | None]


def detail_lines(message: MessageInfo, screen: Terminal, at: datetime) -> Iterator[str]:
    """Yield the lines, as of the time `at`."""
    yield f"{message.id}  {screen.paint(message.status)} {'alert' if message.is_alert else 'notice'}"
    for label, value in (*_contents(message), *_moments(message, at)):
        if value:
            yield f"  {label:<{LABEL_WIDTH}}{one_line(value)}"
    if message.text:
        yield ""
        yield from (f"  {line}".rstrip() for line in sanitized(message.text).split("\n"))
    for lines in (_files(message, screen), _deliveries(message, screen), _timeline(message, screen)):
        yield from lines


def _contents(message: MessageInfo) -> Iterator[Fact]:
    yield "to", ", ".join(message.recipients)
    yield "source", message.source
    yield "event", message.event
    yield "title", message.title
    yield "format", message.parse_mode
    yield "priority", message.priority if message.priority != "normal" else None
    yield "sound", "none" if message.is_silent else None
    yield "topic", str(message.thread_id) if message.thread_id else None
    yield "link preview", "shown" if message.has_link_preview else None
    for button in message.buttons:
        yield "button", _button(button)
    yield "data", json.dumps(message.data, ensure_ascii=False, default=dict) if message.data else None
    yield "dedup key", message.dedup_key
    yield "policy", _policy(message)
    yield "schedule", message.schedule_id


def _policy(message: MessageInfo) -> str | None:
    if message.policy is None or message.acknowledged_at is not None or message.closed_at is not None:
        return message.policy
    return f"{message.policy} ({'one step' if message.steps_left == 1 else f'{message.steps_left} steps'} left)"


def _button(button: Button) -> str:
    return f"{button.text}: {button.url}" if button.url else f"{button.text}: copies {button.copy}"


def _moments(message: MessageInfo, at: datetime) -> Iterator[Fact]:
    by_whom = f" by {message.acknowledged_by}" if message.acknowledged_by else ""
    times = "once" if message.repeats == 1 else f"{message.repeats} times"
    moments = (
        ("created", "", message.created_at, ""),
        ("sends" if message.status == "scheduled" else "scheduled for", "", message.send_at, ""),
        ("repeated", f"{times}, last ", message.repeated_at, ""),
        ("escalates", "", None if message.acknowledged_at else _if_ahead(message, message.escalate_at, at), ""),
        ("reminds", "", _if_ahead(message, message.remind_at, at), ""),
        ("closes", "", _if_ahead(message, message.close_at, at), ""),
        ("snoozed", "until ", _if_ahead(message, message.snoozed_until, at), f" by {message.snoozed_by}"),
        ("acknowledged", "", message.acknowledged_at, by_whom),
        ("resolved", "", message.resolved_at, ""),
        ("closed", "", message.closed_at, ""),
    )
    for label, before, when, after in moments:
        yield label, f"{before}{full_time(when, at)}{after}" if when else None


def _if_ahead(message: MessageInfo, deadline: datetime | None, at: datetime) -> datetime | None:
    """Return a deadline that can still come."""
    is_over = message.status in ("closed", "cancelled")
    return None if is_over or deadline is None or deadline <= at else deadline


def _files(message: MessageInfo, screen: Terminal) -> Iterator[str]:
    """Number the files for `messages file`."""
    if not message.attachments:
        return
    rows = [
        (str(number), each.name, each.kind, size_of(each.size), each.media_type or "", _location(each))
        for number, each in enumerate(message.attachments, start=1)
    ]
    yield ""
    yield from table(("FILE", "NAME", "KIND", "SIZE", "TYPE", "LOCATION"), rows, screen)


def _location(file: AttachmentInfo) -> str:
    return file.problem or ("stored" if file.href else file.url or "deleted")


def _deliveries(message: MessageInfo, screen: Terminal) -> Iterator[str]:
    if not message.deliveries:
        return
    rows = [
        (
            each.recipient,
            each.chat_id,
            each.purpose,
            each.status,
            str(each.attempts),
            each.last_error or (f"at {exact_time(each.shown_at)}" if each.shown_at else ""),
        )
        for each in message.deliveries
    ]
    yield ""
    yield from table(("RECIPIENT", "CHAT", "PURPOSE", "STATUS", "TRIES", "RESULT"), rows, screen)


def _timeline(message: MessageInfo, screen: Terminal) -> Iterator[str]:
    if not message.timeline:
        return
    rows = [(exact_time(each.at), each.event, each.actor, each.detail or "") for each in message.timeline]
    yield ""
    yield from table(("TIME", "EVENT", "WHO", "DETAIL"), rows, screen)
