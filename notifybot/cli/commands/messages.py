"""`notifybot messages …` and `notifybot open`: shows messages, acts on them, saves their files."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from notifybot.cli import arguments
from notifybot.cli.connection import connect
from notifybot.cli.output import now, one_line, print_json, print_line, short_time, size_of, span, terminal, time_until
from notifybot.cli.parser import Commands, Parser, UsageError, add_id, add_ids, add_json
from notifybot.cli.stdin import text_of
from notifybot.cli.tables import short_ids, table
from notifybot.client import AttachmentInfo, Client, ClientError, MessageInfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO


def run(arguments: argparse.Namespace) -> int:
    client = connect(arguments)
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
        print_json(page.document)
    else:
        _print_table(page.messages, none="no messages")


def _open(client: Client, arguments: argparse.Namespace) -> None:
    alerts = client.open_alerts(limit=arguments.limit)
    if arguments.json:
        print_json({"messages": [alert.document for alert in alerts]})
    else:
        _print_table(alerts, none="no open alerts")


def _show(client: Client, arguments: argparse.Namespace) -> None:
    message = client.message(client.find(arguments.id))
    if arguments.json:
        print_json(message.document)
        return
    from notifybot.cli.message_details import detail_lines

    for line in detail_lines(message, terminal(), now()):
        print_line(line)


def _save(client: Client, arguments: argparse.Namespace) -> None:
    save_file(client, client.message(client.find(arguments.id)), arguments.number, arguments.output)


def _edit(client: Client, arguments: argparse.Namespace) -> None:
    text = text_of(arguments.text, is_needed=arguments.title is None)
    message = client.edit(client.find(arguments.id), text, title=arguments.title)
    if arguments.json:
        print_json(message.document)
    else:
        print_line(f"edited: {message.id} ({message.status})")


def _snooze(client: Client, arguments: argparse.Namespace) -> None:
    until = None if arguments.until is None else _future_moment(arguments.until)
    for prefix in arguments.ids:
        message = client.snooze(client.find(prefix), span=arguments.span, until=until)
        if arguments.json:
            print_json(message.document)
        elif message.snoozed_until is not None:
            print_line(f"snoozed until {short_time(message.snoozed_until, now())}: {message.id}")


def _future_moment(text: str) -> datetime:
    from notifybot.cli.times import future_moment

    return future_moment(text)


def _change(client: Client, arguments: argparse.Namespace, change: Callable[[str], MessageInfo]) -> None:
    """Change the messages one by one: if one is refused, those before it are done and printed."""
    for prefix in arguments.ids:
        message = change(client.find(prefix))
        if arguments.json:
            print_json(message.document)
        else:
            print_line(f"{terminal().paint(message.status)}: {message.id}{_by_whom(message)}")


def _by_whom(message: MessageInfo) -> str:
    if message.acknowledged_by is None or message.acknowledged_at is None:
        return ""
    return f" (acknowledged by {one_line(message.acknowledged_by)} at {short_time(message.acknowledged_at, now())})"


def _print_table(messages: Sequence[MessageInfo], *, none: str) -> None:
    if not messages:
        print_line(none)
        return
    at, ids = now(), short_ids([message.id for message in messages])
    rows = [
        (
            ids[message.id],
            short_time(message.created_at, at),
            _age(message, at),
            message.status,
            "alert" if message.is_alert else "notice",
            message.source,
            message.summary,
        )
        for message in messages
    ]
    for line in table(("ID", "CREATED", "AGE", "STATUS", "KIND", "SOURCE", "TEXT"), rows, terminal()):
        print_line(line)


def _age(message: MessageInfo, at: datetime) -> str:
    """Return the age of a message, or the time until a scheduled one is sent."""
    if message.status == "scheduled" and message.send_at is not None:
        return time_until(message.send_at, at)
    return span(at - message.created_at)


STDOUT = "-"


def save_file(client: Client, message: MessageInfo, number: int, output: str | None) -> None:
    """Save file `number` of the message to `output`, else under its own name here, if that is free."""
    attachment = _attachment(message, number)
    if output == STDOUT:
        _to_stdout(client, attachment)
        return
    target = _target(attachment, number, output)
    try:
        with _open_target(target.resolve()) as file:
            client.download(attachment, file)
    except OSError as error:
        raise ClientError(f"Cannot write {target}: {error.strerror}.", hint="Name another path with -o.") from error
    print_line(f"saved: {one_line(str(target))}{f' ({size_of(attachment.size)})' if attachment.size else ''}")


def _attachment(message: MessageInfo, number: int) -> AttachmentInfo:
    count = len(message.attachments)
    if number <= count:
        return message.attachments[number - 1]
    has = "no file" if count == 0 else "one file" if count == 1 else f"{count} files"
    raise UsageError(f"This message has {has}.", hint="`notifybot messages show` numbers them.")


def _to_stdout(client: Client, attachment: AttachmentInfo) -> None:
    if sys.stdout.isatty():
        raise UsageError("A file is not written to a terminal.", hint="Name a path with -o, or use a pipe.")
    client.download(attachment, sys.stdout.buffer)


def _target(attachment: AttachmentInfo, number: int, output: str | None) -> "Path":
    """Choose the path. Only a path that was named in full is overwritten."""
    from pathlib import Path  # the other commands do not need it

    if output is not None and not Path(output).is_dir():
        return Path(output)
    # The sender chose the name: it must not contain folders, be hidden, or control a terminal.
    name = one_line(attachment.name).rpartition("/")[2].lstrip(".") or f"file-{number}"
    target = Path(output or "") / name
    if target.exists():
        raise UsageError(f"{target} already exists.", hint="Name another path with -o.")
    return target


@contextmanager
def _open_target(target: "Path") -> Iterator["IO[bytes]"]:
    """Open a file that gets its name once it is complete; devices and pipes are opened as they are.

    `target` must not be a link.
    """
    if target.exists() and not target.is_file():
        with target.open("wb") as device:
            yield device
        return
    part = target.with_name(f".{os.urandom(4).hex()}.part")
    try:
        with part.open("xb") as file:
            yield file
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def add(commands: Commands) -> None:
    messages = commands.group("messages")
    _add_filters(messages.add("list", "list the newest messages"))
    add_json(add_id(messages.add("show", "show everything about one message")))
    _add_edit(messages)
    _add_file(messages)
    add_json(add_ids(messages.add("ack", "acknowledge alerts")))
    add_json(add_ids(messages.add("unack", "take back the acknowledgement of alerts")))
    _add_snooze(messages)
    add_json(add_ids(messages.add("close", "close alerts without acknowledging them")))
    add_json(add_ids(messages.add("cancel", "cancel messages that have not been posted yet")))
    add_json(add_ids(messages.add("retry", "retry messages that have failed")))
    overview = commands.add("open")
    _add_limit(overview)
    add_json(overview)


def _add_filters(command: Parser) -> None:
    states = arguments.STATES
    command.add_argument(
        "--status", choices=states, metavar="STATE", help=f"only messages in this state: {', '.join(states)}"
    )
    command.add_argument("--source", metavar="LABEL", help="only messages from this source")
    _add_limit(command)
    add_json(command)


def _add_limit(command: Parser) -> None:
    command.add_argument(
        "--limit", type=arguments.limit, default=50, metavar="N", help="at most this many, up to 500 (default: 50)"
    )


def _add_edit(messages: Commands) -> None:
    edit = messages.add(
        "edit", "change the text of a message", description="Change the text of a message and its posts."
    )
    add_id(edit)
    edit.add_argument("--title", metavar="T", help="the new title; an empty one removes it")
    edit.add_argument(
        "text", nargs="*", metavar="TEXT", help="the new text; `-`, or no text and no title, reads standard input"
    )
    add_json(edit)


def _add_file(messages: Commands) -> None:
    file = messages.add("file", "save a file of a message")
    add_id(file)
    file.add_argument("number", metavar="N", type=arguments.file_number, help="number of the file in `messages show`")
    file.add_argument(
        "-o",
        "--output",
        metavar="PATH",
        help="the target (default: here, under its own name); `-` is standard output",
    )


def _add_snooze(messages: Commands) -> None:
    snooze = messages.add(
        "snooze",
        "snooze alerts",
        description="Snooze alerts: they neither escalate nor close until they wake, then both deadlines start over.",
        epilog="Example: notifybot messages snooze 0190c2f3 --until 'tomorrow 09:00'",
    )
    add_ids(snooze)
    how_long = snooze.add_mutually_exclusive_group(required=True)
    how_long.add_argument("--for", dest="span", metavar="SPAN", help="how long: 15m, 1h, 1d")
    how_long.add_argument(
        "--until",
        metavar="WHEN",
        help="until when: 18:30, 'tomorrow 9:00', 'mon 9:00' or '2026-01-31 18:30', in local time",
    )
    add_json(snooze)
