"""Every command and option, declared in one place. Builds the argparse tree and nothing else."""

import argparse
from collections.abc import Sequence

from notifybot import __version__
from notifybot.cli import values
from notifybot.errors import NotifybotError

TYPE_CHECKING = False  # typing's own would cost every call of the client 3 ms
if TYPE_CHECKING:
    from typing import NoReturn

PRIORITIES = ("low", "normal", "high", "critical")
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
    parser = build(only=_command_in(words))
    arguments, rest = parser.parse_known_args(words, argparse.Namespace(config=None, socket=None))
    if rest and not _is_late_text(arguments, rest):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    match arguments.command:
        case None:
            raise UsageError("No command is given.", hint="`notifybot --help` lists them.")
        case "messages" | "people":
            return parse([*words, "list"])
        case "db" | "config" | "token" as group:
            raise UsageError(f"`{group}` needs another word.", hint=f"`notifybot {group} --help` lists them.")
    return arguments


def _name_the_list(words: Sequence[str]) -> list[str]:
    """`messages --json` means `messages list --json`: argparse knows no command that may be left out."""
    at = _place_of_command(words)
    follows = words[at + 1] if at + 1 < len(words) and words[at] in ("messages", "people") else ""
    if follows.startswith("-") and not follows.startswith((*EVERYWHERE, "-h", "--help")):
        return [*words[: at + 1], "list", *words[at + 1 :]]
    return list(words)


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
    rooms = {"send": _add_send, "messages": _add_messages, "open": _add_messages}
    for add in (rooms[only],) if only in rooms else (_add_daemon, _add_send, _add_messages, _add_people, _add_upkeep):
        add(commands)
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
        "--port",
        type=values.port,
        default=None,
        help="where the chat page listens on 127.0.0.1 (default: any free port)",
    )
    demo.add_argument("--no-browser", action="store_true", help="print the page's address only")


def _add_send(commands: _Commands) -> None:
    send = commands.add(
        "send",
        "send a message",
        description="Send a message. It returns once the daemon has it on disk.",
        epilog="Example: df -h | notifybot send --to -1001234567890 --title 'Disk full' --alert",
    )
    send.add_argument(
        "text", nargs="*", metavar="TEXT", help="what to say; `-`, or neither text nor file, reads standard input"
    )
    send.add_argument(
        "--to",
        metavar="R",
        action="append",
        default=[],
        help="chat id, @channel, account, user_id, a name of the config, or subscribers; repeatable (default: you)",
    )
    send.add_argument("--title", metavar="T", help="shown bold above the text")
    send.add_argument("--source", metavar="LABEL", help="where it comes from (default: your account)")
    _add_files(send)
    _add_looks(send)
    _add_alerting(send)
    send.add_argument("--data", metavar="JSON", type=values.json_object, help="an object that is kept with the message")
    send.add_argument("--client-id", metavar="ID", help="your own name for this message: sent again, it is not doubled")
    send.add_argument(
        "--wait",
        metavar="SECONDS",
        nargs="?",
        type=values.wait,
        const=values.MAX_WAIT_S,
        help="wait until it is shown, at most 30 s",
    )
    _add_json(send)


def _add_files(send: Parser) -> None:
    files = send.add_argument_group("files", "uploaded under your account; several may be given")
    files.add_argument(
        "--photo",
        metavar="F",
        action="append",
        default=[],
        help="a picture: a file, `-` for standard input, or an https URL",
    )
    files.add_argument("--file", metavar="F", action="append", default=[], help="the same, shown as a file by its name")
    files.add_argument("--file-name", metavar="NAME", help="what to call it, where there is one file only")


def _add_looks(send: Parser) -> None:
    looks = send.add_argument_group("what it looks like")
    formats = looks.add_mutually_exclusive_group()
    for option, mode in (
        ("--html", "HTML"),
        ("--markdown", "Markdown"),
        ("--markdownv2", "MarkdownV2"),
        ("--commonmark", "CommonMark"),
    ):
        about = f"the text is {mode}" + ("" if mode == "CommonMark" else ", as Telegram defines it")
        formats.add_argument(option, dest="parse_mode", action="store_const", const=mode, help=about)
    looks.add_argument(
        "--button",
        metavar="TEXT=URL",
        dest="buttons",
        action="append",
        default=[],
        type=values.link_button,
        help="a button that opens a link; up to 4 buttons",
    )
    looks.add_argument(
        "--copy-button",
        metavar="TEXT=VALUE",
        dest="buttons",
        action="append",
        type=values.copy_button,
        help="a button that puts a value into the reader's clipboard",
    )
    looks.add_argument("--link-preview", action="store_true", help="show a preview of the first link")
    looks.add_argument("--thread", metavar="N", type=values.thread, help="the topic of a group, by its number")


def _add_alerting(send: Parser) -> None:
    telling = send.add_argument_group("how insistently")
    telling.add_argument("--alert", action="store_true", help="ask for an acknowledgement")
    telling.add_argument("--escalate-after", metavar="SPAN", help="alerts: 30s, 15m, 1h, 1d, or never")
    telling.add_argument("--close-after", metavar="SPAN", help="alerts: 30s, 15m, 1h, 1d, or never")
    telling.add_argument(
        "--priority", choices=PRIORITIES, metavar="P", help=f"one of {', '.join(PRIORITIES)} (default: normal)"
    )
    telling.add_argument("--silent", action="store_true", help="no sound at the reader's")
    telling.add_argument(
        "--dedup-key", metavar="K", help="what it is about: told again under it, it counts up instead of coming anew"
    )
    telling.add_argument("--resolve", action="store_true", help="say that what has this --dedup-key is over")


def _add_messages(commands: _Commands) -> None:
    messages = commands.group("messages", "look at messages and answer them")
    _add_filters(messages.add("list", "show the newest messages"))
    _add_json(_add_id(messages.add("show", "show all that is known of one message")))
    _add_edit(messages)
    _add_file(messages)
    _add_json(_add_ids(messages.add("ack", "acknowledge alerts")))
    _add_snooze(messages)
    _add_json(_add_ids(messages.add("close", "close alerts without acknowledging them")))
    _add_json(_add_ids(messages.add("cancel", "cancel messages that were not shown yet")))
    overview = commands.add("open", "show the alerts that wait for an answer")
    overview.add_argument("--limit", type=values.limit, default=50, metavar="N", help="at most so many (default: 50)")
    _add_json(overview)


def _add_snooze(messages: _Commands) -> None:
    snooze = messages.add(
        "snooze",
        "let alerts sleep for a while",
        description="Let alerts sleep for a while: they do not escalate, and their deadlines begin anew after it.",
        epilog="Example: notifybot messages snooze 0190c2f3 --until 'tomorrow 09:00'",
    )
    _add_ids(snooze)
    how_long = snooze.add_mutually_exclusive_group(required=True)
    how_long.add_argument("--for", dest="span", metavar="SPAN", help="for so long: 15m, 1h, 1d")
    how_long.add_argument(
        "--until",
        metavar="WHEN",
        type=values.moment_ahead,
        help="`18:30` (the next), `tomorrow 09:00` or `2026-01-31 18:30`, on this machine's clock",
    )
    _add_json(snooze)


def _add_edit(messages: _Commands) -> None:
    edit = messages.add(
        "edit", "change what a message says", description="Change what a message says, also where it stands in chats."
    )
    _add_id(edit)
    edit.add_argument("--title", metavar="T", help="the new title; an empty one takes it away")
    edit.add_argument(
        "text", nargs="*", metavar="TEXT", help="the new text; `-`, or neither text nor title, reads standard input"
    )
    _add_json(edit)


def _add_file(messages: _Commands) -> None:
    file = messages.add("file", "save a file of a message")
    _add_id(file)
    file.add_argument(
        "number", metavar="N", type=values.number_of_file, help="which one, as `messages show` numbers them"
    )
    file.add_argument(
        "-o", "--output", metavar="PATH", help="where to (default: its own name, here); `-` is standard output"
    )


def _add_people(commands: _Commands) -> None:
    from notifybot.cli.parser_people import add_people

    add_people(commands)


def _add_upkeep(commands: _Commands) -> None:
    _add_json(commands.add("health", "ask the daemon how it is"))
    _add_tokens(commands.group("token", "make, list and revoke the tokens of callers on TCP"))
    database = commands.group("db", "look after the database")
    database.add("upgrade", "bring the database's tables up to date; `run` does so by itself")
    config = commands.group("config", "look after the config file")
    config.add("check", "check the config file, and name everything that is wrong with it")
    init = config.add("init", "write a config file to start from")
    init.add_argument("path", nargs="?", default="config.yaml", metavar="PATH", help="default: ./config.yaml")


def _add_tokens(tokens: _Commands) -> None:
    create = tokens.add("create", "make a token, and print its secret once")
    create.add_argument("name", metavar="NAME", help="what to call it: its program's name, say")
    create.add_argument(
        "--scope",
        metavar="S",
        type=values.scopes,
        default=["send"],
        help=f"what it may: one or several of {','.join(values.SCOPES)} (default: send)",
    )
    create.add_argument(
        "--to", metavar="R", action="append", default=[], help="a recipient; it may send to no other. May be repeated"
    )
    create.add_argument("--account", metavar="A", help="as whom it calls (default: NAME)")
    create.add_argument("--expires", metavar="SPAN", help="how long it holds: 12h, 90d, or never (default: never)")
    _add_json(create)
    _add_json(tokens.add("list", "show all tokens, without their secrets"))
    revoke = tokens.add("revoke", "end tokens at once")
    revoke.add_argument("names", nargs="+", metavar="NAME", help="what it is called")
    _add_json(revoke)


def _add_filters(command: Parser) -> None:
    command.add_argument("--status", choices=STATES, metavar="STATE", help=f"one of {', '.join(STATES)}")
    command.add_argument("--source", metavar="LABEL", help="only those from there")
    command.add_argument(
        "--limit", type=values.limit, default=50, metavar="N", help="at most so many, up to 500 (default: 50)"
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


def _attach_wait(argv: Sequence[str]) -> list[str]:
    """Tie --wait to its number, so that in `--wait TEXT` the text stays a text."""
    tied = list(argv)
    end = tied.index("--") if "--" in tied else len(tied)
    for index in range(end):
        has_number = index + 1 < end and values.number(tied[index + 1]) is not None
        if tied[index] == "--wait" and not has_number:
            tied[index] = f"--wait={values.MAX_WAIT_S:g}"
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
