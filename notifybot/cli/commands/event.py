"""`notifybot event`: reports an event, worded by a template."""

import argparse

from notifybot.cli.commands.send import (
    add_alert_options,
    add_client_id,
    add_data_option,
    add_time_options,
    alert_options,
    deadlines,
    is_for_later,
    recipients,
)
from notifybot.cli.connection import connect
from notifybot.cli.output import one_line, print_json, print_line
from notifybot.cli.parser import Commands, add_json
from notifybot.cli.spooling import send_spooled
from notifybot.client import Accepted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from notifybot.client.options import SendOptions


def run(arguments: argparse.Namespace) -> int:
    client, to = connect(arguments), recipients(arguments.to)
    send_spooled(client)
    options = alert_options(arguments) | {"title": arguments.title, "source": arguments.source}

    def report(times: "SendOptions") -> Accepted:
        return client.event(arguments.name, to=to, **(options | times))

    if is_for_later(arguments):
        from notifybot.cli.commands import send

        return send.run_later(client, arguments, report)
    _print_accepted(report({}), arguments)
    return 0


def _print_accepted(accepted: Accepted, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print_json(accepted.document)
    elif accepted.is_duplicate:
        print_line(f"already accepted, not sent again: {accepted.id} ({one_line(accepted.status)})")
    else:
        print_line(f"accepted: {accepted.id}{deadlines(accepted)}")


def add(commands: Commands) -> None:
    event = commands.add(
        "event",
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
        help="recipient, as for `send`; repeatable (default: you)",
    )
    add_data_option(event, "data for the template, a JSON object")
    event.add_argument("--title", metavar="T", help="replace the template's title")
    event.add_argument("--source", metavar="LABEL", help="where the event comes from (default: your account)")
    add_alert_options(event, can_resolve=False)
    add_time_options(event)
    add_client_id(event)
    add_json(event)
