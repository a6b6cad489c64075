"""The words of the commands that run the daemon and look after it."""

from notifybot.cli import values
from notifybot.cli.tree import Commands, add_json


def add_daemon(commands: Commands) -> None:
    commands.add("run", "run the daemon in the foreground")
    demo = commands.add("demo", "try it without Telegram: a daemon, a local stand-in for Telegram, and a chat page")
    demo.add_argument(
        "--port",
        type=values.port,
        default=None,
        help="where the chat page listens on 127.0.0.1 (default: any free port)",
    )
    demo.add_argument("--no-browser", action="store_true", help="print the page's address only")


def add_upkeep(commands: Commands) -> None:
    add_json(commands.add("health", "ask the daemon how it is"))
    _add_tokens(commands.group("token", "make, list and revoke the tokens of callers on TCP"))
    database = commands.group("db", "look after the database")
    database.add("upgrade", "bring the database's tables up to date; `run` does so by itself")
    config = commands.group("config", "look after the config file")
    config.add("check", "check the config file, and name everything that is wrong with it")
    init = config.add("init", "write a config file to start from")
    init.add_argument("path", nargs="?", default="config.yaml", metavar="PATH", help="default: ./config.yaml")


def _add_tokens(tokens: Commands) -> None:
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
    add_json(create)
    add_json(tokens.add("list", "show all tokens, without their secrets"))
    revoke = tokens.add("revoke", "end tokens at once")
    revoke.add_argument("names", nargs="+", metavar="NAME", help="what it is called")
    add_json(revoke)
