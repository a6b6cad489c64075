"""The command line: reads the words, runs one command, and turns whatever happens into two lines and an exit code.

Client commands import the standard library only; a command's module is imported when it is asked for.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from notifybot.cli.output import complain, flush, one_line, write_whatever_the_encoding
from notifybot.cli.parser import parse
from notifybot.client_errors import ClientError, Refused
from notifybot.errors import NotifybotError, StartRefused

DONE, OURS, CALLERS, INTERRUPTED = 0, 1, 2, 130
ROOMS = {
    **dict.fromkeys(("run", "demo", "db"), "daemon"),
    **dict.fromkeys(("link", "verify", "unlink", "status", "test"), "account"),
    "config": "config",
    "event": "event",
    "health": "health",
    "import": "importing",
    "jobs": "jobs",
    "messages": "messages",
    "oncall": "on_call",
    "open": "messages",
    "people": "people",
    "schedules": "schedules",
    "send": "send",
    "token": "tokens",
}
"""Which module runs a command, by its first word."""
NO_HINT = "Nothing was changed."


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (default: this process's) and return its exit code.

    0 done, 1 the daemon's or the network's fault, 2 the caller's, 130 after Ctrl-C.
    """
    try:
        write_whatever_the_encoding()
        code = _command(sys.argv[1:] if argv is None else argv)
        flush()
    except NotifybotError as error:
        _explain(error)
        return _exit_code(error)
    except BrokenPipeError:  # the reader has left, as `head` does; what was asked is done
        return DONE
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _command(argv: Sequence[str]) -> int:
    try:
        arguments = parse(argv)
    except SystemExit:  # argparse, after --help and --version
        return DONE
    return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    words: str = arguments.command
    room = import_module(f"notifybot.cli.{ROOMS[words.split()[0]]}")
    code: int = room.run(arguments)
    return code


def _explain(error: NotifybotError) -> None:
    """End in two lines. Several problems, as a config file may have, come before them, a line each."""
    detail, problems = error.detail, error.detail.splitlines()
    if isinstance(error, StartRefused) and len(problems) > 1:
        for problem in problems:
            print(one_line(problem), file=sys.stderr)
        detail = f"{error.title}: {len(problems)} problems."
    if isinstance(error, Refused):
        found = (f"{place}: {what}" if place else what for place, what in error.errors)
        detail = "; ".join([detail, *(each for each in found if each not in detail)])
    complain(detail, error.hint or NO_HINT)


def _exit_code(error: NotifybotError) -> int:
    match error:
        case ClientError():
            return CALLERS if error.is_callers_fault else OURS
        case StartRefused():
            return CALLERS
    return CALLERS if error.code < 500 else OURS
