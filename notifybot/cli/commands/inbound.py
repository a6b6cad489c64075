"""`notifybot inbound`: routes for other programs' formats, and what they refused."""

import argparse
from collections.abc import Iterator

from notifybot.cli.connection import connect
from notifybot.cli.output import now, one_line, print_json, print_line, short_time, terminal, unknown_name
from notifybot.cli.parser import Commands, add_json
from notifybot.cli.tables import table
from notifybot.client.inbound import InboundRefusal, InboundRoute

HEADINGS = ("NAME", "FORMAT", "TO", "SECRET", "REFUSED", "LAST REFUSAL")


def run(arguments: argparse.Namespace) -> int:
    routes = connect(arguments).inbound_routes()
    if arguments.name is not None:
        known = {each.name: each for each in routes}
        if arguments.name not in known:
            raise unknown_name("inbound route", arguments.name, known)
        routes = (known[arguments.name],)
    if arguments.json:
        print_json({"routes": [each.document for each in routes]})
    elif arguments.name is not None:
        for line in _refusals(routes[0]):
            print_line(line)
    else:
        _list(routes)
    return 0


def _list(routes: tuple[InboundRoute, ...]) -> None:
    if not routes:
        print_line("no inbound routes")
        return
    for line in table(HEADINGS, [_row(each) for each in routes], terminal()):
        print_line(line)


def _row(route: InboundRoute) -> tuple[str, ...]:
    newest = next(iter(route.refusals), None)
    last = "-" if newest is None else f"{short_time(newest.at, now())}  {one_line(newest.reason)}"
    secret = "yes" if route.has_secret else "no"
    return route.name, route.format, ", ".join(route.to), secret, str(len(route.refusals)), last


def _refusals(route: InboundRoute) -> Iterator[str]:
    if not route.refusals:
        yield "no refused requests since the daemon started"
    for refusal in route.refusals:
        yield from _refusal(refusal)


def _refusal(refusal: InboundRefusal) -> Iterator[str]:
    yield f"{short_time(refusal.at, now())}  {refusal.status}  {one_line(refusal.reason)}"
    if refusal.body:
        yield f"  {one_line(refusal.body)}"
    if refusal.body and len(refusal.body.encode()) < refusal.size:
        yield f"  (the beginning of {refusal.size} bytes)"


def add(commands: Commands) -> None:
    parser = commands.add("inbound")
    parser.add_argument("name", metavar="NAME", nargs="?", help="show the last requests that this route refused")
    add_json(parser)
