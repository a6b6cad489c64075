"""`notifybot link`, `verify`, `unlink`, `status` and `test`: my account and its chat in Telegram."""

import argparse
import time
from datetime import datetime

from notifybot.cli.output import short_time, full_time, now, one_line, print_line, print_json, terminal
from notifybot.cli.parser import Commands, Parser, add_json
from notifybot.client import Client, ClientError
from notifybot.client.account import Account, AccountStatus, DeepLink
from notifybot.client.errors import Refused

LOOK_EVERY_S = 2.0
DARK_ON_LIGHT = "\x1b[30;107m{}\x1b[0m"


def run(arguments: argparse.Namespace) -> int:
    account = Client(arguments.socket).account(arguments.user)
    match arguments.command:
        case "link":
            _link(account, arguments)
        case "verify":
            _verify(account, arguments)
        case "unlink":
            state = account.unlink()
            _say(arguments, state.document, "unlinked: the chat stays subscribed")
        case "status":
            _status(account.status(), arguments)
        case "test":
            _say(arguments, account.send_test(), "shown: the test message stands in the chat")
    return 0


def _say(arguments: argparse.Namespace, document: object, line: str) -> None:
    if arguments.json:
        print_json(document)
    else:
        print_line(line)


def _link(account: Account, arguments: argparse.Namespace) -> None:
    """Show a deep link; on a terminal also as a QR code, and wait until it is used."""
    screen = terminal()
    link = account.link(with_qr=screen.has_colour and not arguments.json)
    if arguments.json:
        print_json(link.document)
        return
    if screen.width is None:  # in a pipe goes the link alone
        print_line(link.url)
        return
    print_line(f"Open this in Telegram and press Start, before {short_time(link.expires_at, now())}; it works once:\n")
    print_line(f"  {one_line(link.url)}\n")
    for line in link.qr:
        if len(line) + 2 <= screen.width:
            print_line(f"  {DARK_ON_LIGHT.format(one_line_of_code(line))}")
    if not arguments.no_wait:
        print_line("\nWaiting until it is used; Ctrl-C ends the waiting, not the link.")
        _wait(account, link)


def one_line_of_code(line: str) -> str:
    """Only what a QR code is made of: what comes from outside must not drive the terminal."""
    return "".join(character if character in "▀▄█" else " " for character in line)


def _wait(account: Account, link: DeepLink) -> None:
    try:
        while not account.verify_link(link.token).is_linked:
            time.sleep(LOOK_EVERY_S)  # noqa: TID251 - a blocking client has nothing else to do
    except Refused as error:
        raise ClientError("The link was not used in time.", hint="`notifybot link` makes a new one.") from error
    print_line(f"linked: {_whose(account.status())}")


def _whose(status: AccountStatus) -> str:
    return f"to the chat of {one_line(status.chat_name or 'somebody')}"


def _verify(account: Account, arguments: argparse.Namespace) -> None:
    state = account.verify("".join(arguments.code))
    _say(arguments, state.document, "linked: the bot has said so in the chat")


def _status(status: AccountStatus, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print_json(status.document)
    elif not status.is_linked:
        print_line("not linked; `notifybot link` links your account to a chat in Telegram")
    else:
        for name, value in _lines(status, now()):
            print_line(f"{name:<11}{one_line(value)}")


def _lines(status: AccountStatus, at: datetime) -> list[tuple[str, str]]:
    since = "" if status.linked_at is None else f", since {full_time(status.linked_at, at)}"
    return [
        ("linked", f"{_whose(status)}{since}"),
        ("notices", "on" if status.is_enabled else "off"),
        ("summary", f"at {status.summary_time} ({status.time_zone})"),
        ("reachable", "yes" if status.is_reachable else "no: the last message could not be shown"),
    ]


def _add_account(command: Parser) -> Parser:
    command.add_argument("--user", metavar="ACCOUNT", help="for admins: another account than mine")
    add_json(command)
    return command


def add(commands: Commands) -> None:
    link = _add_account(commands.add("link", "link my account to a chat in Telegram: shows a deep link, and a QR code"))
    link.add_argument("--no-wait", action="store_true", help="do not wait, on a terminal, until the link is used")
    verify = _add_account(commands.add("verify", "link my account by the code that the bot gave me"))
    verify.add_argument("code", nargs="+", metavar="CODE", help="the six digits that /start shows")
    _add_account(commands.add("unlink", "take my account from its chat"))
    _add_account(commands.add("status", "show how my account is linked"))
    _add_account(commands.add("test", "show a test message in my chat"))
