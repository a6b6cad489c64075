"""`notifybot link`, `verify`, `unlink`, `status` and `test`: your account and its Telegram chat."""

import argparse
import time
from datetime import datetime

from notifybot.cli.connection import connect
from notifybot.cli.output import full_time, now, one_line, print_json, print_line, short_time, terminal
from notifybot.cli.parser import Commands, Parser, add_json
from notifybot.client import ClientError
from notifybot.client.account import Account, AccountStatus, DeepLink
from notifybot.client.errors import Refused

POLL_INTERVAL_S = 2.0
DARK_ON_LIGHT = "\x1b[30;107m{}\x1b[0m"


def run(arguments: argparse.Namespace) -> int:
    account = connect(arguments).account(arguments.user)
    match arguments.command:
        case "link":
            _link(account, arguments)
        case "verify":
            _verify(account, arguments)
        case "unlink":
            _print_done(arguments, account.unlink().document, "unlinked: the chat stays subscribed")
        case "status":
            _status(account.status(), arguments)
        case "test":
            _print_done(arguments, account.send_test(), "sent: the test message is in the chat")
    return 0


def _print_done(arguments: argparse.Namespace, document: object, line: str) -> None:
    if arguments.json:
        print_json(document)
    else:
        print_line(line)


def _link(account: Account, arguments: argparse.Namespace) -> None:
    """Print a deep link; on a terminal also its QR code, and wait until the link is used."""
    screen = terminal()
    link = account.link(with_qr=screen.has_colour and not arguments.json)
    if arguments.json:
        print_json(link.document)
        return
    if screen.width is None:  # in a pipe, only the link
        print_line(link.url)
        return
    expires = short_time(link.expires_at, now())
    print_line(f"Open this link in Telegram and press Start, before {expires}. It works once:\n")
    print_line(f"  {one_line(link.url)}\n")
    for line in link.qr:
        if len(line) + 2 <= screen.width:
            print_line(f"  {DARK_ON_LIGHT.format(_qr_line(line))}")
    if not arguments.no_wait:
        print_line("\nWaiting until the link is used. Ctrl-C stops waiting; the link stays valid.")
        _wait(account, link)


def _qr_line(line: str) -> str:
    """Keep only the characters of a QR code: text from outside must not control the terminal."""
    return "".join(character if character in "▀▄█" else " " for character in line)


def _wait(account: Account, link: DeepLink) -> None:
    try:
        while not account.verify_link(link.token).is_linked:
            time.sleep(POLL_INTERVAL_S)  # noqa: TID251 - a blocking client has nothing else to do
    except Refused as error:
        raise ClientError("The link has expired.", hint="`notifybot link` creates a new one.") from error
    print_line(f"linked: {_chat_of(account.status())}")


def _chat_of(status: AccountStatus) -> str:
    return f"to the chat of {one_line(status.chat_name or 'someone')}"


def _verify(account: Account, arguments: argparse.Namespace) -> None:
    status = account.verify("".join(arguments.code))
    _print_done(arguments, status.document, "linked: the bot confirmed it in the chat")


def _status(status: AccountStatus, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print_json(status.document)
    elif not status.is_linked:
        print_line("not linked; `notifybot link` links your account to a Telegram chat")
    else:
        for name, value in _lines(status, now()):
            print_line(f"{name:<11}{one_line(value)}")


def _lines(status: AccountStatus, at: datetime) -> list[tuple[str, str]]:
    since = "" if status.linked_at is None else f", since {full_time(status.linked_at, at)}"
    return [
        ("linked", f"{_chat_of(status)}{since}"),
        ("notices", "on" if status.is_enabled else "off"),
        ("summary", f"at {status.summary_time} ({status.time_zone})"),
        ("reachable", "yes" if status.is_reachable else "no: the last message could not be delivered"),
    ]


def _add_account(command: Parser) -> Parser:
    command.add_argument("--user", metavar="ACCOUNT", help="for admins: another account than yours")
    add_json(command)
    return command


def add(commands: Commands) -> None:
    link = _add_account(commands.add("link"))
    link.add_argument("--no-wait", action="store_true", help="do not wait until the link is used")
    verify = _add_account(commands.add("verify"))
    verify.add_argument("code", nargs="+", metavar="CODE", help="the six digits from /start")
    for name in ("unlink", "status", "test"):
        _add_account(commands.add(name))
