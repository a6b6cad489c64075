"""What the command line is built of: parsers that speak as notifybot does, commands, and options that many take."""

import argparse

from notifybot.errors import NotifybotError

TYPE_CHECKING = False  # typing's own would cost every call of the client 3 ms
if TYPE_CHECKING:
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
