"""`notifybot health`: the daemon's status and warnings."""

import argparse
from datetime import timedelta

from notifybot.cli.connection import connect
from notifybot.cli.output import one_line, print_json, print_line, span, terminal
from notifybot.cli.parser import Commands, add_json
from notifybot.client import ClientError, Health

ALIVE = ("ok", "degraded")


def run(arguments: argparse.Namespace) -> int:
    """Print the daemon's health. `down` is a failure, `degraded` is not."""
    health = connect(arguments).health()
    if arguments.json:
        print_json(health.document)
    else:
        _print_health(health)
    if health.status not in ALIVE:
        raise ClientError("The daemon is down.", hint="Its log has the reason: `journalctl -u notifybot`.")
    return 0


def _print_health(health: Health) -> None:
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
    add_json(commands.add("health"))
