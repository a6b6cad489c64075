"""Read a command line: parsers that speak as notifybot does, the commands, and options that many take."""

import argparse
from collections.abc import Callable, Sequence
from importlib import import_module

from notifybot import __version__
from notifybot.cli import arguments
from notifybot.errors import NotifybotError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import NoReturn

EVERYWHERE = ("--config", "--socket")
"""Options that stand before or after a command."""


class UsageError(NotifybotError):
    """The command line itself is wrong."""

    title = "Wrong usage"


class Parser(argparse.ArgumentParser):
    """argparse that takes no abbreviations and raises UsageError instead of printing its own kind of error."""

    def error(self, message: str) -> "NoReturn":
        raise UsageError(
            f"{message[0].upper()}{message[1:]}.",
            hint=_suggestion(message) or f"`{self.prog} --help` shows what it takes.",
        )


class Commands:
    """The commands below one parser, each of which takes the options of every command too."""

    def __init__(self, parser: Parser, anywhere: Parser, *, words: str) -> None:
        self._below = parser.add_subparsers(metavar="COMMAND", title="commands", parser_class=Parser)
        self._anywhere = anywhere
        self._words = words

    def add(self, name: str, says: str, *, description: str | None = None, epilog: str | None = None) -> Parser:
        command = self._below.add_parser(
            name,
            help=says,
            description=description or f"{says[0].upper()}{says[1:]}.",
            epilog=epilog,
            parents=[self._anywhere],
            allow_abbrev=False,
        )
        command.set_defaults(command=f"{self._words} {name}".strip())
        return command

    def group(self, name: str, says: str) -> "Commands":
        """A command that is followed by another word."""
        command = self.add(name, says)
        return Commands(command, self._anywhere, words=name)


def options_of_every_command() -> Parser:
    """Without defaults, so that a command does not undo what was said before it: `parse` sets them."""
    options = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    options.add_argument("--config", metavar="FILE", help="the daemon's config file, for the commands that read it")
    options.add_argument(
        "--socket", metavar="PATH", help="the daemon's socket (default: $NOTIFYBOT_SOCKET, then the usual places)"
    )
    return options


def add_id(command: Parser) -> Parser:
    command.add_argument("id", metavar="ID", help="its id, or as much of its beginning as no other has")
    return command


def add_ids(command: Parser) -> Parser:
    command.add_argument("ids", nargs="+", metavar="ID", help="an id, or as much of its beginning as no other has")
    return command


def add_json(command: Parser) -> None:
    command.add_argument("--json", action="store_true", help="print the daemon's answer as JSON")


def _suggestion(message: str) -> str | None:
    """The command that was probably meant, where argparse says that a word is none of its choices."""
    _, is_choice, rest = message.partition("invalid choice: '")
    if not is_choice:
        return None
    import difflib

    word, _, choices = rest.partition("'")
    near = difflib.get_close_matches(word, choices.replace("'", " ").replace(",", " ").strip(" ()").split(), n=1)
    return f"Did you mean `{near[0]}`?" if near else None


DEFAULT_SUBCOMMAND = {"messages": "list", "people": "list", "schedules": "list", "oncall": "show", "jobs": "list"}
"""What these commands do where the word after them is left out."""


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Read a command line. Raises UsageError; SystemExit after --help and --version."""
    words = _insert_default_subcommand(_attach_wait(argv))
    parser = build(only=_command_in(words))
    parsed, rest = parser.parse_known_args(words, argparse.Namespace(config=None, socket=None))
    if rest and not _is_late_text(parsed, rest):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    match parsed.command:
        case None:
            raise UsageError("No command is given.", hint="`notifybot --help` lists them.")
        case group if group in DEFAULT_SUBCOMMAND:
            return parse([*words, DEFAULT_SUBCOMMAND[group]])
        case "db" | "config" | "token" as group:
            raise UsageError(f"`{group}` needs another word.", hint=f"`notifybot {group} --help` lists them.")
    return parsed


def _insert_default_subcommand(words: Sequence[str]) -> list[str]:
    """`messages --json` means `messages list --json`: argparse knows no command that may be left out."""
    at = _place_of_command(words)
    left_out = DEFAULT_SUBCOMMAND.get(words[at]) if at < len(words) else None
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


def _is_late_text(parsed: argparse.Namespace, rest: Sequence[str]) -> bool:
    """Take what follows the options in `messages edit ID --title T TEXT`: argparse before 3.13 leaves it over."""
    words = list(rest[: rest.index("--")]) if "--" in rest else list(rest)
    if parsed.command != "messages edit" or parsed.text or any(w.startswith("-") and w != "-" for w in words):
        return False
    parsed.text = words + list(rest[len(words) + 1 :])
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
    for add in _adders(only):
        add(commands)
    return parser


def _adders(only: str | None) -> list[Callable[[Commands], None]]:
    """Import the module of the command that is asked for, or all of them for `--help`."""
    modules = [COMMAND_MODULES[only]] if only in COMMAND_MODULES else dict.fromkeys(COMMAND_MODULES.values())
    return [command_module(name).add for name in modules]


def command_module(name: str) -> "ModuleType":
    """Import a module of cli/commands/. Each has `add(commands)`, its options, and `run(arguments)`."""
    return import_module(f"notifybot.cli.commands.{name}")


def _attach_wait(argv: Sequence[str]) -> list[str]:
    """Tie --wait to its number, so that in `--wait TEXT` the text stays a text."""
    tied = list(argv)
    end = tied.index("--") if "--" in tied else len(tied)
    for index in range(end):
        has_number = index + 1 < end and arguments.number(tied[index + 1]) is not None
        if tied[index] == "--wait" and not has_number:
            tied[index] = f"--wait={arguments.MAX_WAIT_S:g}"
    return tied


COMMAND_MODULES = {
    **dict.fromkeys(("run", "demo", "db"), "daemon"),
    "send": "send",
    **dict.fromkeys(("messages", "open"), "messages"),
    "event": "event",
    "schedules": "schedules",
    "oncall": "oncall",
    "jobs": "jobs",
    **dict.fromkeys(("link", "verify", "unlink", "status", "test"), "account"),
    "people": "people",
    "import": "import_people",
    "health": "health",
    "token": "tokens",
    "config": "config",
}
"""The module of cli/commands/ that adds and runs a command, by its first word, in the order of `--help`."""
