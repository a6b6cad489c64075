"""Reads a command line: which command it names, and what its words and options are."""

import argparse
from collections.abc import Callable, Sequence

from notifybot import __version__
from notifybot.cli import values
from notifybot.cli.tree import EVERYWHERE, Commands, Parser, UsageError, options_of_every_command

WITHOUT_A_WORD = {"messages": "list", "people": "list", "schedules": "list", "oncall": "show", "jobs": "list"}
"""What these commands do where the word after them is left out."""


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Read a command line. Raises UsageError; SystemExit after --help and --version."""
    words = _name_what_is_left_out(_attach_wait(argv))
    parser = build(only=_command_in(words))
    arguments, rest = parser.parse_known_args(words, argparse.Namespace(config=None, socket=None))
    if rest and not _is_late_text(arguments, rest):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    match arguments.command:
        case None:
            raise UsageError("No command is given.", hint="`notifybot --help` lists them.")
        case group if group in WITHOUT_A_WORD:
            return parse([*words, WITHOUT_A_WORD[group]])
        case "db" | "config" | "token" as group:
            raise UsageError(f"`{group}` needs another word.", hint=f"`notifybot {group} --help` lists them.")
    return arguments


def _name_what_is_left_out(words: Sequence[str]) -> list[str]:
    """`messages --json` means `messages list --json`: argparse knows no command that may be left out."""
    at = _place_of_command(words)
    left_out = WITHOUT_A_WORD.get(words[at]) if at < len(words) else None
    follows = words[at + 1] if at + 1 < len(words) else ""
    is_option = follows.startswith("-") and not follows.startswith((*EVERYWHERE, "-h", "--help"))
    return [*words[: at + 1], left_out, *words[at + 1 :]] if left_out and is_option else list(words)


def _command_in(words: Sequence[str]) -> str | None:
    at = _place_of_command(words)
    return words[at] if at < len(words) else None


def _place_of_command(words: Sequence[str]) -> int:
    """Where the command stands: behind the options that may stand before it."""
    at = 0
    while at < len(words) and words[at].startswith(EVERYWHERE):
        at += 1 if "=" in words[at] else 2
    return at


def _is_late_text(arguments: argparse.Namespace, rest: Sequence[str]) -> bool:
    """Take what follows the options in `messages edit ID --title T TEXT`: argparse before 3.13 leaves it over."""
    words = list(rest[: rest.index("--")]) if "--" in rest else list(rest)
    if arguments.command != "messages edit" or arguments.text or any(w.startswith("-") and w != "-" for w in words):
        return False
    arguments.text = words + list(rest[len(words) + 1 :])
    return True


def build(only: str | None = None) -> Parser:
    """The tree, whole unless it is known that `only` this command is asked for: the rest is half of what it costs.

    `command` in its result is the words of the command, such as `messages ack`.
    """
    anywhere = options_of_every_command()
    parser = Parser(
        prog="notifybot",
        description="Tells the right people in Telegram, and insists until somebody answers.",
        epilog="`notifybot COMMAND --help` explains a command.",
        parents=[anywhere],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"notifybot {__version__}")
    parser.set_defaults(command=None)
    commands = Commands(parser, anywhere, words="")
    for add in _rooms(only):
        add(commands)
    return parser


def _rooms(only: str | None) -> tuple[Callable[[Commands], None], ...]:
    """What adds the command that is asked for, or all: those that scripts use most are read without the others."""
    match only:
        case "send":
            from notifybot.cli.parser_send import add_send

            return (add_send,)
        case "messages" | "open":
            from notifybot.cli.parser_messages import add_messages

            return (add_messages,)
    from notifybot.cli.parser_messages import add_messages
    from notifybot.cli.parser_people import add_people
    from notifybot.cli.parser_send import add_send
    from notifybot.cli.parser_times import add_times
    from notifybot.cli.parser_upkeep import add_daemon, add_upkeep

    return (add_daemon, add_send, add_messages, add_times, add_people, add_upkeep)


def _attach_wait(argv: Sequence[str]) -> list[str]:
    """Tie --wait to its number, so that in `--wait TEXT` the text stays a text."""
    tied = list(argv)
    end = tied.index("--") if "--" in tied else len(tied)
    for index in range(end):
        has_number = index + 1 < end and values.number(tied[index + 1]) is not None
        if tied[index] == "--wait" and not has_number:
            tied[index] = f"--wait={values.MAX_WAIT_S:g}"
    return tied
