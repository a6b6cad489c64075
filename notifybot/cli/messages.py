"""`notifybot messages …` and `notifybot open`: look at messages and answer them."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from notifybot.cli.output import (
    Terminal,
    exact,
    harmless,
    moment,
    moment_in_full,
    now,
    one_line,
    say,
    say_json,
    short_ids,
    span,
    table,
    terminal,
)
from notifybot.client import Client, Message

LABEL_WIDTH = 14


def run(arguments: argparse.Namespace) -> int:
    client = Client(arguments.socket)
    match arguments.command:
        case "messages list":
            _list(client, arguments)
        case "messages show":
            _show(client, arguments)
        case "messages ack":
            _change(client, arguments, client.acknowledge)
        case "messages close":
            _change(client, arguments, client.close)
        case "messages cancel":
            _change(client, arguments, client.cancel)
        case "open":
            _open(client, arguments)
    return 0


def _list(client: Client, arguments: argparse.Namespace) -> None:
    page = client.messages(status=arguments.status, source=arguments.source, limit=arguments.limit)
    if arguments.json:
        say_json(page.document)
    else:
        _say_table(page.messages, none="no messages")


def _open(client: Client, arguments: argparse.Namespace) -> None:
    alerts = client.open_alerts(limit=arguments.limit)
    if arguments.json:
        say_json({"messages": [alert.document for alert in alerts]})
    else:
        _say_table(alerts, none="no open alerts")


def _show(client: Client, arguments: argparse.Namespace) -> None:
    message = client.message(client.find(arguments.id))
    if arguments.json:
        say_json(message.document)
        return
    screen = terminal()
    for line in (*_facts(message, screen, now()), *_deliveries(message, screen), *_timeline(message, screen)):
        say(line)


def _change(client: Client, arguments: argparse.Namespace, change: Callable[[str], Message]) -> None:
    """Change one message after the other, so that a refusal leaves those before it done and said."""
    for prefix in arguments.ids:
        message = change(client.find(prefix))
        if arguments.json:
            say_json(message.document)
        else:
            say(f"{terminal().paint(message.status)}: {message.id}{_by_whom(message)}")


def _by_whom(message: Message) -> str:
    if message.acknowledged_by is None or message.acknowledged_at is None:
        return ""
    return f" (acknowledged by {one_line(message.acknowledged_by)} at {moment(message.acknowledged_at, now())})"


def _say_table(messages: Sequence[Message], *, none: str) -> None:
    if not messages:
        say(none)
        return
    at, ids = now(), short_ids([message.id for message in messages])
    rows = [
        (
            ids[message.id],
            moment(message.created_at, at),
            span(at - message.created_at),
            message.status,
            "alert" if message.is_alert else "notice",
            message.source,
            _summary(message),
        )
        for message in messages
    ]
    for line in table(("ID", "CREATED", "AGE", "STATUS", "KIND", "SOURCE", "TEXT"), rows, terminal()):
        say(line)


def _summary(message: Message) -> str:
    return f"{message.title}: {message.content}" if message.title else message.content


def _facts(message: Message, screen: Terminal, at: datetime) -> Iterator[str]:
    yield f"{message.id}  {screen.paint(message.status)} {'alert' if message.is_alert else 'notice'}"
    by_whom = f" by {message.acknowledged_by}" if message.acknowledged_by else ""
    moments = (
        ("created", message.created_at, ""),
        ("escalates", _if_ahead(message, message.escalate_at, at), ""),
        ("closes", _if_ahead(message, message.close_at, at), ""),
        ("acknowledged", message.acknowledged_at, by_whom),
        ("closed", message.closed_at, ""),
    )
    facts = [("to", ", ".join(message.recipients)), ("source", message.source), ("title", message.title or "")]
    facts += [(label, moment_in_full(when, at) + more) for label, when, more in moments if when is not None]
    for label, value in facts:
        if value:
            yield f"  {label:<{LABEL_WIDTH}}{one_line(value)}"
    yield ""
    for line in harmless(message.content).split("\n"):
        yield f"  {line}".rstrip()


def _if_ahead(message: Message, deadline: datetime | None, at: datetime) -> datetime | None:
    """A deadline that can still come."""
    is_over = message.status in ("closed", "cancelled") or message.acknowledged_at is not None
    return None if is_over or deadline is None or deadline <= at else deadline


def _deliveries(message: Message, screen: Terminal) -> Iterator[str]:
    if not message.deliveries:
        return
    rows = [
        (
            each.recipient,
            each.chat_id,
            each.purpose,
            each.status,
            str(each.attempts),
            each.last_error or (f"at {exact(each.shown_at)}" if each.shown_at else ""),
        )
        for each in message.deliveries
    ]
    yield ""
    yield from table(("RECIPIENT", "CHAT", "PURPOSE", "STATUS", "TRIES", "RESULT"), rows, screen)


def _timeline(message: Message, screen: Terminal) -> Iterator[str]:
    if not message.timeline:
        return
    rows = [(exact(each.at), each.event, each.actor, each.detail or "") for each in message.timeline]
    yield ""
    yield from table(("TIME", "EVENT", "WHO", "DETAIL"), rows, screen)
