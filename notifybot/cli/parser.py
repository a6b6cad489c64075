"""Parser of the command line: the commands, and the options that many of them share."""

import argparse
import re
from collections.abc import Mapping, Sequence
from importlib import import_module

from notifybot import __version__
from notifybot.cli import arguments
from notifybot.errors import NotifybotError, did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import NoReturn

COMMANDS: Mapping[str, tuple[str, str]] = {
    "run": ("daemon", "run the daemon in the foreground"),
    "demo": ("daemon", "try notifybot without Telegram: a daemon, a local stand-in for Telegram, and a chat page"),
    "db": ("daemon", "manage the database"),
    "send": ("send", "send a message"),
    "messages": ("messages", "show messages and act on them"),
    "open": ("messages", "list open alerts"),
    "event": ("event", "report an event, worded by a template"),
    "spool": ("spool", "show what waits in your spool, hand it over, or drop it"),
    "schedules": ("schedules", "manage recurring messages"),
    "oncall": ("oncall", "show who is on call, and override it"),
    "jobs": ("jobs", "show the daemon's timed jobs, and run one now"),
    "link": ("account", "link your account to a Telegram chat, by a deep link or QR code"),
    "verify": ("account", "link your account with the code from the bot"),
    "unlink": ("account", "unlink your account from its chat"),
    "status": ("account", "show your account's link and preferences"),
    "test": ("account", "send a test message to your chat"),
    "people": ("people", "manage people"),
    "import": ("import_people", "import people from another program"),
    "health": ("health", "show the daemon's health"),
    "token": ("tokens", "manage API tokens for callers on TCP"),
    "config": ("config", "check the config file, or create one"),
}
"""Commands by their first word, in the order of `--help`: the module of cli/commands/, and the summary.

The summaries stand here so that `--help` imports no command.
"""
DEFAULT_SUBCOMMAND = {
    "messages": "list",
    "people": "list",
    "schedules": "list",
    "oncall": "show",
    "jobs": "list",
    "spool": "list",
}
"""Second word of a command if it is left out."""
_NUMBER = re.compile(r"-[0-9]+(\.[0-9]*)?")
GLOBAL_OPTIONS = ("--config", "--socket")
"""Options that work before or after a command."""


class UsageError(NotifybotError):
    """The command line is wrong."""

    title = "Wrong usage"


class Parser(argparse.ArgumentParser):
    """An argparse parser that takes no abbreviations, and raises UsageError instead of printing errors."""

    def error(self, message: str) -> "NoReturn":
        raise UsageError(
            f"{message[0].upper()}{message[1:]}.",
            hint=_suggestion(message) or f"`{self.prog} --help` shows the usage.",
        )


class Commands:
    """The commands below one parser; each also takes the global options."""

    def __init__(self, parser: Parser, global_options: Parser, *, words: str) -> None:
        self._below = parser.add_subparsers(metavar="COMMAND", title="commands", parser_class=Parser)
        self._global_options = global_options
        self._words = words

    def add(
        self, name: str, summary: str | None = None, *, description: str | None = None, epilog: str | None = None
    ) -> Parser:
        """Add a command. `summary` defaults to the one in COMMANDS, `description` to the summary."""
        summary = summary or COMMANDS[name][1]
        command = self._below.add_parser(
            name,
            help=summary,
            description=description or f"{summary[0].upper()}{summary[1:]}.",
            epilog=epilog,
            parents=[self._global_options],
            allow_abbrev=False,
        )
        command.set_defaults(command=f"{self._words} {name}".strip())
        return command

    def group(self, name: str) -> "Commands":
        """Add a command that takes a second word."""
        return Commands(self.add(name), self._global_options, words=name)


def add_id(command: Parser) -> Parser:
    command.add_argument("id", metavar="ID", help="id or unique prefix")
    return command


def add_ids(command: Parser) -> Parser:
    command.add_argument("ids", nargs="+", metavar="ID", help="id or unique prefix")
    return command


def add_json(command: Parser) -> None:
    command.add_argument("--json", action="store_true", help="print the daemon's response as JSON")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parse a command line. Raises UsageError; SystemExit after --help and --version."""
    words = _insert_default_subcommand(_attach_ids(_attach_wait(argv)))
    parser = build(_command_in(words))
    parsed, rest = parser.parse_known_args(words, argparse.Namespace(config=None, socket=None))
    if rest and not _is_late_text(parsed, rest):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    match parsed.command:
        case None:
            raise UsageError("No command is given.", hint="`notifybot --help` lists the commands.")
        case group if group in DEFAULT_SUBCOMMAND:
            return parse([*words, DEFAULT_SUBCOMMAND[group]])
        case "db" | "config" | "token" as group:
            raise UsageError(f"`{group}` needs a second word.", hint=f"`notifybot {group} --help` lists them.")
    return parsed


def build(command: str | None = None) -> Parser:
    """Build the parser for one command; for None or an unknown word, the list of commands without their options.

    `command` in its result is the words of the command, such as `messages ack`.
    """
    global_options = _global_options()
    parser = Parser(
        prog="notifybot",
        description="Notifies the right people in Telegram, and escalates until someone acknowledges.",
        epilog="`notifybot COMMAND --help` explains a command.",
        parents=[global_options],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"notifybot {__version__}")
    parser.set_defaults(command=None)
    commands = Commands(parser, global_options, words="")
    if command is not None and command in COMMANDS:
        command_module(command).add(commands)
    else:
        for name in COMMANDS:
            commands.add(name)
    return parser


def command_module(command: str) -> "ModuleType":
    """Import the module of a command. Each has `add(commands)` and `run(arguments)`."""
    return import_module(f"notifybot.cli.commands.{COMMANDS[command][0]}")


def _global_options() -> Parser:
    """Options without defaults (`parse` sets them), so that a command does not reset what came before it."""
    options = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    options.add_argument("--config", metavar="FILE", help="the daemon's config file, for commands that read it")
    options.add_argument(
        "--socket", metavar="PATH", help="the daemon's socket (default: $NOTIFYBOT_SOCKET, then the usual paths)"
    )
    return options


def _suggestion(message: str) -> str | None:
    """Suggest the nearest command if argparse says that a word is none of its choices."""
    _, is_choice, rest = message.partition("invalid choice: '")
    if not is_choice:
        return None
    word, _, choices = rest.partition("'")
    near = did_you_mean(word, choices.replace("'", " ").replace(",", " ").strip(" ()").split())
    return f"Did you mean `{near}`?" if near else None


def _insert_default_subcommand(words: Sequence[str]) -> list[str]:
    """Turn `messages --json` into `messages list --json`: argparse has no optional commands."""
    at = _command_index(words)
    default = DEFAULT_SUBCOMMAND.get(words[at]) if at < len(words) else None
    following = words[at + 1] if at + 1 < len(words) else ""
    is_option = following.startswith("-") and not following.startswith((*GLOBAL_OPTIONS, "-h", "--help"))
    return [*words[: at + 1], default, *words[at + 1 :]] if default and is_option else list(words)


def _command_in(words: Sequence[str]) -> str | None:
    at = _command_index(words)
    return words[at] if at < len(words) else None


def _command_index(words: Sequence[str]) -> int:
    """Find the command, after the options that may come before it."""
    at = 0
    while at < len(words) and (words[at] == "--" or words[at].startswith(GLOBAL_OPTIONS)):
        at += 1 if "=" in words[at] or words[at] == "--" else 2
    return at


def _is_late_text(parsed: argparse.Namespace, rest: Sequence[str]) -> bool:
    """Take the text after the options in `messages edit ID --title T TEXT`: argparse before 3.13 leaves it over."""
    words = list(rest[: rest.index("--")]) if "--" in rest else list(rest)
    if parsed.command != "messages edit" or parsed.text or any(w.startswith("-") and w != "-" for w in words):
        return False
    parsed.text = words + list(rest[len(words) + 1 :])
    return True


def _attach_ids(words: Sequence[str]) -> list[str]:
    """Tie `-1001234:42` to the option before it: argparse takes a word with a minus for an option, unless a number."""
    tied: list[str] = []
    for word in words:
        is_id = word.startswith("-") and word[1:2].isdecimal() and not _NUMBER.fullmatch(word)
        if is_id and tied and tied[-1].startswith("--") and "=" not in tied[-1] and tied[-1] != "--":
            tied[-1] += f"={word}"
        else:
            tied.append(word)
    return tied


def _attach_wait(argv: Sequence[str]) -> list[str]:
    """Attach --wait to its number, so that the text in `--wait TEXT` stays the text."""
    attached = list(argv)
    end = attached.index("--") if "--" in attached else len(attached)
    for index in range(end):
        has_number = index + 1 < end and arguments.number(attached[index + 1]) is not None
        if attached[index] == "--wait" and not has_number:
            attached[index] = f"--wait={arguments.MAX_WAIT_S:g}"
    return attached
