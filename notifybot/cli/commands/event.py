"""`notifybot event`: tells of an event, in the words of a template."""

import argparse

from notifybot.cli.commands.send import (
    add_alert_options,
    add_data_option,
    add_time_options,
    alert_options,
    deadlines,
    is_for_later,
    recipients,
)
from notifybot.cli.output import one_line, print_line, print_json
from notifybot.cli.parser import Commands, add_json
from notifybot.client import Accepted, Client

TYPE_CHECKING = False
if TYPE_CHECKING:
    from notifybot.client.options import SendOptions


def run(arguments: argparse.Namespace) -> int:
    client, to = Client(arguments.socket), recipients(arguments.to)
    options = alert_options(arguments) | {"title": arguments.title, "source": arguments.source}

    def tell(times: "SendOptions") -> Accepted:
        return client.event(arguments.name, to=to, **(options | times))

    if is_for_later(arguments):
        from notifybot.cli.commands import send

        return send.run_later(client, arguments, tell)
    _say(tell({}), arguments)
    return 0


def _say(accepted: Accepted, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print_json(accepted.document)
    elif accepted.is_duplicate:
        print_line(f"accepted before, not sent again: {accepted.id} ({one_line(accepted.status)})")
    else:
        print_line(f"accepted: {accepted.id}{deadlines(accepted)}")


def add(commands: Commands) -> None:
    event = commands.add(
        "event",
        "tell of an event, in the words of a template",
        epilog="Example: notifybot event post_success --to ops --data title='Weekly report' --data duration=12s",
    )
    event.add_argument(
        "name", metavar="NAME", help="post_success, post_failure, automation_executed, or a template's name"
    )
    event.add_argument(
        "--to",
        metavar="R",
        action="append",
        default=[],
        help="for whom, as of `send`; repeatable (default: you)",
    )
    add_data_option(event, "what the template is rendered with, an object")
    event.add_argument("--title", metavar="T", help="a title of its own, in place of the template's")
    event.add_argument("--source", metavar="LABEL", help="where it comes from (default: your account)")
    add_alert_options(event, can_resolve=False)
    add_time_options(event)
    event.add_argument("--client-id", metavar="ID", help="your own name for it: sent again, it is not doubled")
    add_json(event)
