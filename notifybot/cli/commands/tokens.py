"""`notifybot token …`: API tokens for callers on TCP."""

import argparse

from notifybot.cli import arguments
from notifybot.cli.connection import connect
from notifybot.cli.output import exact_time, now, one_line, print_json, print_line, short_time, terminal
from notifybot.cli.parser import Commands, add_json
from notifybot.cli.tables import table
from notifybot.client import Client, Token


def run(arguments: argparse.Namespace) -> int:
    client = connect(arguments)
    match arguments.command:
        case "token create":
            _create(client, arguments)
        case "token list":
            _list(client, arguments)
        case "token revoke":
            _revoke(client, arguments)
    return 0


def _create(client: Client, arguments: argparse.Namespace) -> None:
    token = client.create_token(
        arguments.name,
        scopes=arguments.scope,
        to=arguments.to or None,
        account=arguments.account,
        expires=arguments.expires,
    )
    if arguments.json:
        print_json(token.document)
        return
    print_line(token.secret or "")
    if terminal().width is None:  # in a pipe, only the secret
        return
    until = f"until {exact_time(token.expires_at)}" if token.expires_at else "until it is revoked"
    scopes, account = ", ".join(token.scopes), one_line(token.account)
    print_line(f"  This is shown only once. Valid {until}; scopes: {scopes}; account: {account}.")


def _list(client: Client, arguments: argparse.Namespace) -> None:
    tokens = client.tokens()
    if arguments.json:
        print_json({"tokens": [token.document for token in tokens]})
        return
    if not tokens:
        print_line("no tokens")
        return
    at = now()
    rows = [
        (
            token.name,
            token.status(at),
            token.account,
            ",".join(token.scopes),
            "-" if token.last_used_at is None else short_time(token.last_used_at, at),
            "never" if token.expires_at is None else short_time(token.expires_at, at),
            "socket.allow" if token.recipients is None else ", ".join(token.recipients),
        )
        for token in tokens
    ]
    for line in table(("NAME", "STATUS", "ACCOUNT", "SCOPES", "LAST USED", "EXPIRES", "TO"), rows, terminal()):
        print_line(line)


def _revoke(client: Client, arguments: argparse.Namespace) -> None:
    for name in arguments.names:
        token: Token = client.revoke_token(name)
        if arguments.json:
            print_json(token.document)
        else:
            print_line(f"revoked: {one_line(token.name)}")


def add(commands: Commands) -> None:
    tokens = commands.group("token")
    create = tokens.add("create", "create a token, and print its secret once")
    create.add_argument("name", metavar="NAME", help="name of the token, such as its program's")
    create.add_argument(
        "--scope",
        metavar="S",
        type=arguments.scopes,
        default=["send"],
        help=f"what it allows: one or more of {','.join(arguments.SCOPES)} (default: send)",
    )
    create.add_argument(
        "--to",
        metavar="R",
        action="append",
        default=[],
        help="allow only this recipient (self: its account); repeatable (default: all)",
    )
    create.add_argument("--account", metavar="A", help="account it acts as (default: NAME)")
    create.add_argument("--expires", metavar="SPAN", help="how long it is valid: 12h, 90d, or never (default: never)")
    add_json(create)
    add_json(tokens.add("list", "list all tokens, without their secrets"))
    revoke = tokens.add("revoke", "revoke tokens at once")
    revoke.add_argument("names", nargs="+", metavar="NAME", help="name of the token")
    add_json(revoke)
