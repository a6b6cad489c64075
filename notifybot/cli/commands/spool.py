"""`notifybot spool …`: messages that wait in the caller's own folder for the daemon."""

import argparse
from dataclasses import asdict
from datetime import UTC, datetime

from notifybot.cli.connection import connect
from notifybot.cli.output import now, print_json, print_line, short_time, size_of, terminal
from notifybot.cli.parser import Commands, UsageError, add_json
from notifybot.cli.spooling import own_spool, warn_of_refused
from notifybot.cli.tables import table
from notifybot.client import ClientError
from notifybot.client.spool import Spool, SpooledMessage


def run(arguments: argparse.Namespace) -> int:
    spool = own_spool()
    match arguments.command:
        case "spool list":
            _list(spool, arguments)
        case "spool flush":
            _flush(spool, arguments)
        case "spool drop":
            _drop(spool, arguments)
    return 0


def _list(spool: Spool, arguments: argparse.Namespace) -> None:
    messages = spool.messages()
    if arguments.json:
        print_json({"messages": [asdict(each) for each in messages]})
        return
    if not messages:
        print_line("the spool is empty")
        return
    for line in table(("ID", "STATUS", "KEPT", "SIZE", "FOR", "TEXT"), [_row(each) for each in messages], terminal()):
        print_line(line)


def _row(message: SpooledMessage) -> tuple[str, ...]:
    kept = short_time(datetime.fromtimestamp(message.kept_at, UTC), now())
    return (str(message.number), message.status, kept, size_of(message.size), message.daemon or "-", message.about)


def _flush(spool: Spool, arguments: argparse.Namespace) -> None:
    """Hand over everything, also what was refused before. Raises ClientError unless the spool is empty then."""
    done = connect(arguments).hand_over(spool, retry_refused=True)
    kept = len(spool.messages())
    warn_of_refused(done)
    if arguments.json:
        print_json({"accepted": done.accepted, "kept": kept})
    else:
        print_line(f"handed over: {done.accepted}, still in the spool: {kept}")
    if done.stopped_by is not None:
        raise done.stopped_by
    if kept:
        hint = "`notifybot spool` lists them. Those FOR another socket need --socket; others may be in use right now."
        raise ClientError(f"{kept} {'message is' if kept == 1 else 'messages are'} still in the spool.", hint=hint)


def _drop(spool: Spool, arguments: argparse.Namespace) -> None:
    if bool(arguments.numbers) == arguments.all:
        raise UsageError("Give ids or --all.", hint="`notifybot spool` lists the ids.")
    numbers = [each.number for each in spool.messages()] if arguments.all else arguments.numbers
    spool.drop(numbers)
    if arguments.json:
        print_json({"dropped": numbers})
    else:
        print_line(f"dropped: {len(numbers)}")


def add(commands: Commands) -> None:
    spool = commands.group("spool")
    add_json(spool.add("list", "list the messages in your spool"))
    add_json(spool.add("flush", "hand your spool over to the daemon now"))
    drop = spool.add("drop", "delete messages from your spool without sending them")
    drop.add_argument("numbers", nargs="*", type=int, metavar="ID", help="id from `notifybot spool`")
    drop.add_argument("--all", action="store_true", help="delete all of them")
    add_json(drop)
