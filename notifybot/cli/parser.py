"""Parser of the command line: the commands, and the options that many of them share."""

import argparse
import re
from collections.abc import Mapping, Sequence
from importlib import import_module

from notifybot import __version__
from notifybot.cli import arguments
from notifybot.cli.output import output_width
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
    "inbound": ("inbound", "list inbound routes, and the requests that they refused"),
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
_NUMBER = r"-[0-9]+(\.[0-9]*)?"
GLOBAL_OPTIONS = ("--config", "--socket", "--url", "--token-file")
"""Options that work before or after a command."""
DEFAULT_WIDTH, HELP_MARGIN = 80, 2
"""Columns of the help, as argparse has them."""


class UsageError(NotifybotError):
    """The command line is wrong."""

    title = "Wrong usage"


class Help(argparse.HelpFormatter):
    """Help as wide as the terminal.

    argparse makes one for each option; without a width, it imports shutil to measure, and with it all archive formats.
    """

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=(output_width() or DEFAULT_WIDTH) - HELP_MARGIN)


class Parser(argparse.ArgumentParser):
    """An argparse parser that takes no abbreviations, and raises UsageError instead of printing errors."""

    def error(self, message: str) -> "NoReturn":
        raise UsageError(
            f"{message[0].upper()}{message[1:]}.",
            hint=_suggestion(message) or f"`{self.prog} --help` shows the usage.",
        )


class Commands:
    """The commands below one parser; each also takes the global options."""

    def __init__(self, parser: Parser, *, words: str) -> None:
        self._below = parser.add_subparsers(metavar="COMMAND", title="commands", parser_class=Parser)
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
            allow_abbrev=False,
            formatter_class=Help,
        )
        _add_global_options(command)
        command.set_defaults(command=f"{self._words} {name}".strip())
        return command

    def group(self, name: str) -> "Commands":
        """Add a command that takes a second word."""
        return Commands(self.add(name), words=name)


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
    parsed, rest = parser.parse_known_args(
        words, argparse.Namespace(config=None, socket=None, url=None, token_file=None)
    )
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
    parser = Parser(
        prog="notifybot",
        description="Notifies the right people in Telegram, and escalates until someone acknowledges.",
        epilog="`notifybot COMMAND --help` explains a command.",
        allow_abbrev=False,
        formatter_class=Help,
    )
    _add_global_options(parser)
    parser.add_argument("--version", action="version", version=f"notifybot {__version__}")
    parser.set_defaults(command=None)
    commands = Commands(parser, words="")
    if command is not None and command in COMMANDS:
        command_module(command).add(commands)
    else:
        for name in COMMANDS:
            commands.add(name)
    return parser


def command_module(command: str) -> "ModuleType":
    """Import the module of a command. Each has `add(commands)` and `run(arguments)`."""
    return import_module(f"notifybot.cli.commands.{COMMANDS[command][0]}")


def _add_global_options(parser: Parser) -> None:
    """Add them without defaults (`parse` sets those), so that a command does not reset what came before it."""
    unset = argparse.SUPPRESS
    about = "the daemon's config file, for commands that read it"
    parser.add_argument("--config", metavar="FILE", default=unset, help=about)
    about = "the daemon's socket (default: $NOTIFYBOT_SOCKET, then the usual paths)"
    parser.add_argument("--socket", metavar="PATH", default=unset, help=about)
    about = "a daemon on another machine (default: $NOTIFYBOT_URL)"
    parser.add_argument("--url", metavar="URL", default=unset, help=about)
    about = "a file with its API token (default: $NOTIFYBOT_TOKEN)"
    parser.add_argument("--token-file", metavar="FILE", default=unset, help=about)


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
        is_id = word.startswith("-") and word[1:2].isdecimal() and not re.fullmatch(_NUMBER, word)
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
