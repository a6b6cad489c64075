"""`--at` and `--every` of `notifybot send` and `event`: hands over for later, and says back what was understood."""

import argparse
import sys

from notifybot.cli.output import in_full, now, say, say_json, terminal
from notifybot.cli.send import deadlines
from notifybot.cli.timing import Timing, say_times, timing_of
from notifybot.cli.tree import UsageError
from notifybot.client import Accepted, Client

TYPE_CHECKING = False  # typing's own would cost every call of the client 3 ms
if TYPE_CHECKING:
    from collections.abc import Callable

    from notifybot.client_options import SendOptions

YES = ("y", "yes")


def run(client: Client, arguments: argparse.Namespace, hand_over: "Callable[[SendOptions], Accepted]") -> int:
    """Hand it over with its times. Raises UsageError where those of --every are shown, and not agreed to."""
    timing = timing_of(arguments)
    is_asked = timing.every is not None and not (arguments.yes or arguments.json) and _can_ask()
    if is_asked and not _is_agreed(client, timing):
        raise UsageError("Nothing is sent.", hint="Say --every, --at and --time-zone as you mean them.")
    accepted = hand_over({"at": timing.at, "every": timing.every, "time_zone": timing.time_zone})
    if arguments.json:
        say_json(accepted.document)
        return 0
    say(_sentence(accepted, timing))
    if not is_asked:
        say_times(accepted.next_times, timing.zone)
    return 0


def _can_ask() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and terminal().width is not None


def _is_agreed(client: Client, timing: Timing) -> bool:
    """Show the next times, and ask whether they are meant. Raises Refused where there are none."""
    assert timing.every is not None
    times = client.schedules().preview(timing.every, time_zone=timing.time_zone, begins_at=timing.at)
    say_times(times, timing.zone)
    print("Send it at these times? [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in YES


def _sentence(accepted: Accepted, timing: Timing) -> str:
    when = accepted.send_at or timing.at
    what = "accepted before, not sent again" if accepted.is_duplicate else accepted.status
    at = f" for {in_full(when, now(), timing.zone)}" if when and accepted.status == "scheduled" else ""
    again = f", again and again as schedule {accepted.schedule_id}" if accepted.schedule_id else ""
    return f"{what}: {accepted.id}{at}{again}{deadlines(accepted)}"
