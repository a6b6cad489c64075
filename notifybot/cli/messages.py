"""`notifybot messages …` and `notifybot open`: look at messages and answer them."""

import argparse
from collections.abc import Callable, Sequence
from datetime import datetime

from notifybot.cli.material import text_of
from notifybot.cli.output import moment, now, one_line, say, say_json, short_ids, span, table, terminal, time_to
from notifybot.client import Client, Message


def run(arguments: argparse.Namespace) -> int:
    client = Client(arguments.socket)
    match arguments.command:
        case "messages list":
            _list(client, arguments)
        case "messages show":
            _show(client, arguments)
        case "messages file":
            _save(client, arguments)
        case "messages edit":
            _edit(client, arguments)
        case "messages ack":
            _change(client, arguments, client.acknowledge)
        case "messages snooze":
            _snooze(client, arguments)
        case "messages close":
            _change(client, arguments, client.close)
        case "messages cancel":
            _change(client, arguments, client.cancel)
        case "messages unack":
            _change(client, arguments, client.unacknowledge)
        case "messages retry":
            _change(client, arguments, client.retry)
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
    from notifybot.cli.story import story

    for line in story(message, terminal(), now()):
        say(line)


def _save(client: Client, arguments: argparse.Namespace) -> None:
    from notifybot.cli.saving import save

    save(client, client.message(client.find(arguments.id)), arguments.number, arguments.output)


def _edit(client: Client, arguments: argparse.Namespace) -> None:
    text = text_of(arguments.text, is_needed=arguments.title is None)
    message = client.edit(client.find(arguments.id), text, title=arguments.title)
    if arguments.json:
        say_json(message.document)
    else:
        say(f"edited: {message.id} ({message.status})")


def _snooze(client: Client, arguments: argparse.Namespace) -> None:
    until = None if arguments.until is None else _moment_ahead(arguments.until)
    for prefix in arguments.ids:
        message = client.snooze(client.find(prefix), span=arguments.span, until=until)
        if arguments.json:
            say_json(message.document)
        elif message.snoozed_until is not None:
            say(f"snoozed until {moment(message.snoozed_until, now())}: {message.id}")


def _moment_ahead(text: str) -> datetime:
    from notifybot.cli.timing import moment_ahead

    return moment_ahead(text)


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
            _age(message, at),
            message.status,
            "alert" if message.is_alert else "notice",
            message.source,
            message.summary,
        )
        for message in messages
    ]
    for line in table(("ID", "CREATED", "AGE", "STATUS", "KIND", "SOURCE", "TEXT"), rows, terminal()):
        say(line)


def _age(message: Message, at: datetime) -> str:
    """How old it is, or when it goes out."""
    if message.status == "scheduled" and message.send_at is not None:
        return time_to(message.send_at, at)
    return span(at - message.created_at)
