"""The command line: reads the words, runs one command, and turns whatever happens into two lines and an exit code.

Client commands import the standard library only; a command's module is imported when it is asked for.
"""

import argparse
import sys
from collections.abc import Sequence

from notifybot.cli.output import escape_unencodable_output, flush, one_line, print_error
from notifybot.cli.parser import COMMAND_MODULES, command_module, parse
from notifybot.client.errors import ClientError, Refused
from notifybot.errors import NotifybotError, StartRefused

DONE, DAEMONS_FAULT, CALLERS_FAULT, INTERRUPTED = 0, 1, 2, 130
NO_HINT = "Nothing was changed."


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (default: this process's) and return its exit code.

    0 done, 1 the daemon's or the network's fault, 2 the caller's, 130 after Ctrl-C.
    """
    try:
        escape_unencodable_output()
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
    code: int = command_module(COMMAND_MODULES[words.split()[0]]).run(arguments)
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
    print_error(detail, error.hint or NO_HINT)


def _exit_code(error: NotifybotError) -> int:
    match error:
        case ClientError():
            return CALLERS_FAULT if error.is_callers_fault else DAEMONS_FAULT
        case StartRefused():
            return CALLERS_FAULT
    return CALLERS_FAULT if error.code < 500 else DAEMONS_FAULT
