"""The words of the commands about accounts and people."""

from notifybot.cli.tree import Commands, Parser, add_json


def add_people(commands: Commands) -> None:
    link = _add_account(commands.add("link", "link my account to a chat in Telegram: shows a deep link, and a QR code"))
    link.add_argument("--no-wait", action="store_true", help="do not wait, on a terminal, until the link is used")
    verify = _add_account(commands.add("verify", "link my account by the code that the bot gave me"))
    verify.add_argument("code", nargs="+", metavar="CODE", help="the six digits that /start shows")
    _add_account(commands.add("unlink", "take my account from its chat"))
    _add_account(commands.add("status", "show how my account is linked"))
    _add_account(commands.add("test", "show a test message in my chat"))
    people = commands.group("people", "look after the people who can be sent to")
    add_json(people.add("list", "show everybody"))
    add_json(_add_who(people.add("show", "show all that is known of one person")))
    rename = _add_who(people.add("rename", "give somebody the name by which they are listed"))
    rename.add_argument("name", metavar="NAME", help="it stays, whatever they are called in Telegram")
    add_json(rename)
    add_json(_add_who(people.add("remove", "forget somebody, who is told; their messages stay")))
    _add_import(commands)


def _add_account(command: Parser) -> Parser:
    command.add_argument("--user", metavar="ACCOUNT", help="for admins: another account than mine")
    add_json(command)
    return command


def _add_who(command: Parser) -> Parser:
    command.add_argument("who", metavar="WHO", help="their account, user_id or chat id")
    return command


def _add_import(commands: Commands) -> None:
    taking = commands.add("import", "take over the people of another program")
    taking.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="a JSON file, a SQLite file, or a postgresql:// URL with a table subscribed_users",
    )
    taking.add_argument("--dry-run", action="store_true", help="only say what would become of everybody")
    add_json(taking)
