"""Every command and option, declared in one place. Builds the argparse tree and nothing else."""

import argparse
from collections.abc import Sequence

from notifybot import __version__
from notifybot.errors import NotifybotError

TYPE_CHECKING = False  # typing's own would cost every call of the client 3 ms
if TYPE_CHECKING:
    from typing import NoReturn

MAX_WAIT_S = 30.0
"""The daemon waits no longer for one request."""
STATES = ("scheduled", "initiated", "sent", "escalated", "acknowledged", "closed", "failed", "cancelled")


class UsageError(NotifybotError):
    """The command line itself is wrong."""

    title = "Wrong usage"


EVERYWHERE = ("--config", "--socket")
"""Options that stand before or after a command."""


class Parser(argparse.ArgumentParser):
    """argparse that takes no abbreviations and raises UsageError instead of printing its own kind of error."""

    def error(self, message: str) -> "NoReturn":
        raise UsageError(
            f"{message[0].upper()}{message[1:]}.",
            hint=_suggestion(message) or f"`{self.prog} --help` shows what it takes.",
        )


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Read a command line. Raises UsageError; SystemExit after --help and --version."""
    words = _name_the_list(_attach_wait(argv))
    arguments = build().parse_args(words, argparse.Namespace(config=None, socket=None))
    match arguments.command:
        case None:
            raise UsageError("No command is given.", hint="`notifybot --help` lists them.")
        case "messages":
            return parse([*words, "list"])
        case "db" | "config" as group:
            raise UsageError(f"`{group}` needs another word.", hint=f"`notifybot {group} --help` lists them.")
    return arguments


def _name_the_list(words: Sequence[str]) -> list[str]:
    """`messages --json` means `messages list --json`: argparse knows no command that may be left out."""
    at = 0
    while at < len(words) and words[at].startswith(EVERYWHERE):
        at += 1 if "=" in words[at] else 2
    follows = words[at + 1] if words[at : at + 1] == ["messages"] and at + 1 < len(words) else ""
    if follows.startswith("-") and not follows.startswith((*EVERYWHERE, "-h", "--help")):
        return [*words[: at + 1], "list", *words[at + 1 :]]
    return list(words)


def build() -> Parser:
    """The whole tree. `command` in its result is the words of the command, such as `messages ack`."""
    anywhere = _options_of_every_command()
    parser = Parser(
        prog="notifybot",
        description="Tells the right people in Telegram, and insists until somebody answers.",
        epilog="`notifybot COMMAND --help` explains a command.",
        parents=[anywhere],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"notifybot {__version__}")
    parser.set_defaults(command=None)
    commands = _Commands(parser, anywhere, words="")
    _add_daemon(commands)
    _add_send(commands)
    _add_messages(commands)
    _add_upkeep(commands)
    return parser


class _Commands:
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

    def group(self, name: str, says: str) -> "_Commands":
        """A command that is followed by another word."""
        command = self.add(name, says)
        return _Commands(command, self._anywhere, words=name)


def _options_of_every_command() -> Parser:
    """Without defaults, so that a command does not undo what was said before it: `parse` sets them."""
    options = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    options.add_argument("--config", metavar="FILE", help="the daemon's config file, for the commands that read it")
    options.add_argument(
        "--socket", metavar="PATH", help="the daemon's socket (default: $NOTIFYBOT_SOCKET, then the usual places)"
    )
    return options


def _add_daemon(commands: _Commands) -> None:
    commands.add("run", "run the daemon in the foreground")
    demo = commands.add("demo", "try it without Telegram: a daemon, a local stand-in for Telegram, and a chat page")
    demo.add_argument(
        "--port", type=_port, default=None, help="where the chat page listens on 127.0.0.1 (default: any free port)"
    )
    demo.add_argument("--no-browser", action="store_true", help="print the page's address only")


def _add_send(commands: _Commands) -> None:
    send = commands.add(
        "send",
        "send a message",
        description="Send a message. It returns once the daemon has it on disk.",
        epilog="Example: df -h | notifybot send --to -1001234567890 --title 'Disk full' --alert",
    )
    send.add_argument("text", nargs="*", metavar="TEXT", help="what to say; `-`, or nothing, reads standard input")
    send.add_argument("--to", metavar="R", help="chat id, @channel, or a person's account or user_id")
    send.add_argument("--title", metavar="T", help="shown bold above the text")
    send.add_argument("--source", metavar="LABEL", help="where it comes from (default: your account)")
    send.add_argument("--alert", action="store_true", help="ask for an acknowledgement")
    send.add_argument("--escalate-after", metavar="SPAN", help="alerts: 30s, 15m, 1h, 1d, or never")
    send.add_argument("--close-after", metavar="SPAN", help="alerts: 30s, 15m, 1h, 1d, or never")
    send.add_argument("--client-id", metavar="ID", help="your own name for this message: sent again, it is not doubled")
    send.add_argument(
        "--wait",
        metavar="SECONDS",
        nargs="?",
        type=_wait,
        const=MAX_WAIT_S,
        help="wait until it is shown, at most 30 s",
    )
    _add_json(send)


def _add_messages(commands: _Commands) -> None:
    messages = commands.group("messages", "look at messages and answer them")
    _add_filters(messages.add("list", "show the newest messages"))
    _add_json(_add_id(messages.add("show", "show all that is known of one message")))
    _add_json(_add_ids(messages.add("ack", "acknowledge alerts")))
    _add_json(_add_ids(messages.add("close", "close alerts without acknowledging them")))
    _add_json(_add_ids(messages.add("cancel", "cancel messages that were not shown yet")))
    overview = commands.add("open", "show the alerts that wait for an answer")
    overview.add_argument("--limit", type=_limit, default=50, metavar="N", help="at most so many (default: 50)")
    _add_json(overview)


def _add_upkeep(commands: _Commands) -> None:
    _add_json(commands.add("health", "ask the daemon how it is"))
    database = commands.group("db", "look after the database")
    database.add("upgrade", "bring the database's tables up to date; `run` does so by itself")
    config = commands.group("config", "look after the config file")
    config.add("check", "check the config file, and name everything that is wrong with it")
    init = config.add("init", "write a config file to start from")
    init.add_argument("path", nargs="?", default="config.yaml", metavar="PATH", help="default: ./config.yaml")


def _add_filters(command: Parser) -> None:
    command.add_argument("--status", choices=STATES, metavar="STATE", help=f"one of {', '.join(STATES)}")
    command.add_argument("--source", metavar="LABEL", help="only those from there")
    command.add_argument(
        "--limit", type=_limit, default=50, metavar="N", help="at most so many, up to 500 (default: 50)"
    )
    _add_json(command)


def _add_id(command: Parser) -> Parser:
    command.add_argument("id", metavar="ID", help="its id, or as much of its beginning as no other has")
    return command


def _add_ids(command: Parser) -> Parser:
    command.add_argument("ids", nargs="+", metavar="ID", help="an id, or as much of its beginning as no other has")
    return command


def _add_json(command: Parser) -> None:
    command.add_argument("--json", action="store_true", help="print the daemon's answer as JSON")


def _port(text: str) -> int:
    return _whole(text, most=65_535, least=0)


def _limit(text: str) -> int:
    return _whole(text, most=500, least=1)


def _whole(text: str, *, most: int, least: int) -> int:
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise argparse.ArgumentTypeError(f"`{text}` is no whole number from {least} to {most}")
    return int(text)


def _wait(text: str) -> float:
    seconds = _number(text)
    if seconds is None or not 0 <= seconds <= MAX_WAIT_S:
        raise argparse.ArgumentTypeError(f"`{text}` is no number of seconds from 0 to {MAX_WAIT_S:g}")
    return seconds


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _attach_wait(argv: Sequence[str]) -> list[str]:
    """Tie --wait to its number, so that in `--wait TEXT` the text stays a text."""
    tied = list(argv)
    end = tied.index("--") if "--" in tied else len(tied)
    for index in range(end):
        has_number = index + 1 < end and _number(tied[index + 1]) is not None
        if tied[index] == "--wait" and not has_number:
            tied[index] = f"--wait={MAX_WAIT_S:g}"
    return tied


def _suggestion(message: str) -> str | None:
    """The command that was probably meant, where argparse says that a word is none of its choices."""
    _, is_choice, rest = message.partition("invalid choice: '")
    if not is_choice:
        return None
    import difflib

    word, _, choices = rest.partition("'")
    near = difflib.get_close_matches(word, choices.replace("'", " ").replace(",", " ").strip(" ()").split(), n=1)
    return f"Did you mean `{near[0]}`?" if near else None
