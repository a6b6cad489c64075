"""`notifybot event`: tells of an event, in the words of a template."""

import argparse

from notifybot.cli.output import one_line, say, say_json
from notifybot.cli.send import alerting_of, deadlines, is_for_later, recipients
from notifybot.client import Accepted, Client

TYPE_CHECKING = False  # typing's own would cost every call of the client 3 ms
if TYPE_CHECKING:
    from notifybot.client_options import SendOptions


def run(arguments: argparse.Namespace) -> int:
    client, to = Client(arguments.socket), recipients(arguments.to)
    options = alerting_of(arguments) | {"title": arguments.title, "source": arguments.source}

    def tell(times: "SendOptions") -> Accepted:
        return client.event(arguments.name, to=to, **(options | times))

    if is_for_later(arguments):
        from notifybot.cli import sending_later

        return sending_later.run(client, arguments, tell)
    _say(tell({}), arguments)
    return 0


def _say(accepted: Accepted, arguments: argparse.Namespace) -> None:
    if arguments.json:
        say_json(accepted.document)
    elif accepted.is_duplicate:
        say(f"accepted before, not sent again: {accepted.id} ({one_line(accepted.status)})")
    else:
        say(f"accepted: {accepted.id}{deadlines(accepted)}")
