"""The words of `notifybot messages …` and `notifybot open`."""

from notifybot.cli import values
from notifybot.cli.tree import Commands, Parser, add_id, add_ids, add_json

STATES = ("scheduled", "initiated", "sent", "escalated", "acknowledged", "closed", "failed", "cancelled")


def add_messages(commands: Commands) -> None:
    messages = commands.group("messages", "look at messages and answer them")
    _add_filters(messages.add("list", "show the newest messages"))
    add_json(add_id(messages.add("show", "show all that is known of one message")))
    _add_edit(messages)
    _add_file(messages)
    add_json(add_ids(messages.add("ack", "acknowledge alerts")))
    add_json(add_ids(messages.add("unack", "take the answer to alerts back")))
    _add_snooze(messages)
    add_json(add_ids(messages.add("close", "close alerts without acknowledging them")))
    add_json(add_ids(messages.add("cancel", "cancel messages that were not shown yet")))
    add_json(add_ids(messages.add("retry", "try again to show messages that were given up")))
    overview = commands.add("open", "show the alerts that wait for an answer")
    overview.add_argument("--limit", type=values.limit, default=50, metavar="N", help="at most so many (default: 50)")
    add_json(overview)


def _add_filters(command: Parser) -> None:
    command.add_argument("--status", choices=STATES, metavar="STATE", help=f"one of {', '.join(STATES)}")
    command.add_argument("--source", metavar="LABEL", help="only those from there")
    command.add_argument(
        "--limit", type=values.limit, default=50, metavar="N", help="at most so many, up to 500 (default: 50)"
    )
    add_json(command)


def _add_edit(messages: Commands) -> None:
    edit = messages.add(
        "edit", "change what a message says", description="Change what a message says, also where it stands in chats."
    )
    add_id(edit)
    edit.add_argument("--title", metavar="T", help="the new title; an empty one takes it away")
    edit.add_argument(
        "text", nargs="*", metavar="TEXT", help="the new text; `-`, or neither text nor title, reads standard input"
    )
    add_json(edit)


def _add_file(messages: Commands) -> None:
    file = messages.add("file", "save a file of a message")
    add_id(file)
    file.add_argument(
        "number", metavar="N", type=values.number_of_file, help="which one, as `messages show` numbers them"
    )
    file.add_argument(
        "-o", "--output", metavar="PATH", help="where to (default: its own name, here); `-` is standard output"
    )


def _add_snooze(messages: Commands) -> None:
    snooze = messages.add(
        "snooze",
        "let alerts sleep for a while",
        description="Let alerts sleep for a while: they do not escalate, and their deadlines begin anew after it.",
        epilog="Example: notifybot messages snooze 0190c2f3 --until 'tomorrow 09:00'",
    )
    add_ids(snooze)
    how_long = snooze.add_mutually_exclusive_group(required=True)
    how_long.add_argument("--for", dest="span", metavar="SPAN", help="for so long: 15m, 1h, 1d")
    how_long.add_argument(
        "--until",
        metavar="WHEN",
        help="18:30, 'tomorrow 9:00', 'mon 9:00' or '2026-01-31 18:30', on this machine's clock",
    )
    add_json(snooze)
