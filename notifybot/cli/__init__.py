"""The command line: parses the words, runs one command, and turns errors into two lines and an exit code.

Client commands import only the standard library. A command's module is imported when that command is run.
"""

import argparse
import sys
from collections.abc import Sequence

from notifybot.cli.output import escape_unencodable_output, flush, one_line, print_error
from notifybot.cli.parser import UsageError, command_module, parse
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
        return CALLERS_FAULT if error.is_callers_fault else DAEMONS_FAULT
    except BrokenPipeError:  # the reader has left, as `head` does; the command itself is done
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
    try:
        code: int = command_module(words.split()[0]).run(arguments)
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("notifybot."):
            raise
        raise UsageError(
            f"`notifybot {words}` is not in the light client.",
            hint="Run it where the whole of notifybot is installed: docs/install.md.",
        ) from error
    return code


def _explain(error: NotifybotError) -> None:
    """Print the error and its hint. Several problems, as in a config file, come before them, one per line."""
    detail, problems = error.detail, error.detail.splitlines()
    if isinstance(error, StartRefused) and len(problems) > 1:
        for problem in problems:
            print(one_line(problem), file=sys.stderr)
        detail = f"{error.title}: {len(problems)} problems."
    print_error("; ".join([detail, *_field_errors(error)]), error.hint or NO_HINT)


def _field_errors(error: NotifybotError) -> list[str]:
    from notifybot.client.errors import Refused  # `--help` does without the client

    if not isinstance(error, Refused):
        return []
    found = (f"{field}: {problem}" if field else problem for field, problem in error.errors)
    return [each for each in found if each not in error.detail]
