"""`notifybot health`: how the daemon is, and what it warns of."""

import argparse
from datetime import timedelta

from notifybot.cli.output import one_line, print_line, print_json, span, terminal
from notifybot.cli.parser import Commands, add_json
from notifybot.client import Client, ClientError, Health

ALIVE = ("ok", "degraded")


def run(arguments: argparse.Namespace) -> int:
    """Show the daemon's health. A daemon that can accept nothing is a failure; a degraded one still works."""
    health = Client(arguments.socket).health()
    if arguments.json:
        print_json(health.document)
    else:
        _say(health)
    if health.status not in ALIVE:
        raise ClientError("The daemon cannot work now.", hint="Its log says why: `journalctl -u notifybot`.")
    return 0


def _say(health: Health) -> None:
    waiting = str(health.waiting)
    if health.waiting:
        waiting += f", the oldest for {span(timedelta(seconds=health.oldest_waiting_s))}"
    parts = (("telegram", health.telegram), ("database", health.database), ("jobs", health.jobs), ("waiting", waiting))
    print_line(terminal().paint(health.status, one_line(health.status)))
    for name, state in parts:
        print_line(f"  {name:<10}{one_line(state)}")
    for warning in health.warnings:
        print_line(f"  warning: {one_line(warning)}")


def add(commands: Commands) -> None:
    add_json(commands.add("health", "ask the daemon how it is"))
