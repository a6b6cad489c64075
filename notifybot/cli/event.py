"""`notifybot event`: tells of an event, in the words of a template."""

import argparse

from notifybot.cli.output import one_line, say, say_json
from notifybot.cli.send import alerting_of, deadlines, recipients
from notifybot.client import Client


def run(arguments: argparse.Namespace) -> int:
    options = alerting_of(arguments) | {"title": arguments.title, "source": arguments.source}
    accepted = Client(arguments.socket).event(arguments.name, to=recipients(arguments.to), **options)
    if arguments.json:
        say_json(accepted.document)
    elif accepted.is_duplicate:
        say(f"accepted before, not sent again: {accepted.id} ({one_line(accepted.status)})")
    else:
        say(f"accepted: {accepted.id}{deadlines(accepted)}")
    return 0
