"""The words of `notifybot send`."""

from notifybot.cli import values
from notifybot.cli.tree import Commands, Parser, add_json

PRIORITIES = ("low", "normal", "high", "critical")


def add_send(commands: Commands) -> None:
    send = commands.add(
        "send",
        "send a message",
        description="Send a message. It returns once the daemon has it on disk.",
        epilog="Example: df -h | notifybot send --to -1001234567890 --title 'Disk full' --alert",
    )
    _add_message(send)
    _add_files(send)
    _add_looks(send)
    add_alerting(send, can_resolve=True)
    add_when(send)
    send.add_argument("--client-id", metavar="ID", help="your own name for this message: sent again, it is not doubled")
    send.add_argument(
        "--wait",
        metavar="SECONDS",
        nargs="?",
        type=values.wait,
        const=values.MAX_WAIT_S,
        help="wait until it is shown, at most 30 s",
    )
    add_json(send)


def _add_message(send: Parser) -> None:
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
    send.add_argument("--template", metavar="NAME", help="what it says: a template, rendered with the --data")
    add_data(send, "an object that is kept with the message")


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


def add_alerting(command: Parser, *, can_resolve: bool) -> None:
    telling = command.add_argument_group("how insistently")
    telling.add_argument("--alert", action="store_true", help="ask for an acknowledgement")
    telling.add_argument("--escalate-after", metavar="SPAN", help="alerts: 30s, 15m, 1h, 1d, or never")
    telling.add_argument("--close-after", metavar="SPAN", help="alerts: 30s, 15m, 1h, 1d, or never")
    telling.add_argument(
        "--policy",
        metavar="NAME",
        type=values.policy,
        help="alerts: by which policy of the config it escalates, or one of its own as JSON",
    )
    telling.add_argument("--remind-every", metavar="SPAN", help="alerts: how often to say that it is still open")
    telling.add_argument(
        "--priority", choices=PRIORITIES, metavar="P", help=f"one of {', '.join(PRIORITIES)} (default: normal)"
    )
    telling.add_argument("--silent", action="store_true", help="no sound at the reader's")
    telling.add_argument(
        "--dedup-key", metavar="K", help="what it is about: told again under it, it counts up instead of coming anew"
    )
    if can_resolve:
        telling.add_argument("--resolve", action="store_true", help="say that what has this --dedup-key is over")


def add_when(command: Parser) -> None:
    times = command.add_argument_group("when", "now, unless it is said otherwise")
    times.add_argument("--at", metavar="WHEN", help="18:30, 'tomorrow 9:00', 'mon 9:00', +2h, or '2026-01-31 18:30'")
    times.add_argument("--every", metavar="HOW", help="again and again: '0 9 * * 1-5', @daily, 'mon 9:00', or 15m")
    times.add_argument("--time-zone", metavar="Z", help="in which both are meant (default: this machine's)")
    times.add_argument("--yes", action="store_true", help="do not ask whether the times of --every are meant")


def add_data(command: Parser, about: str) -> None:
    command.add_argument(
        "--data",
        metavar="JSON",
        type=values.data,
        action="append",
        default=[],
        help=f"{about}; or one KEY=VALUE of it, repeatable",
    )
