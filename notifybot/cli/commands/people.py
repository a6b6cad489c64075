"""`notifybot people …`: the people you can send to, managed by admins."""

import argparse
from datetime import datetime

from notifybot.cli.connection import connect
from notifybot.cli.output import full_time, now, one_line, print_json, print_line, short_time, terminal
from notifybot.cli.parser import Commands, Parser, add_json
from notifybot.cli.tables import table
from notifybot.client.people import People, PersonInfo


def run(arguments: argparse.Namespace) -> int:
    people = connect(arguments).people()
    match arguments.command:
        case "people list":
            _list(people, arguments)
        case "people show":
            _show(people.find(arguments.who), arguments)
        case "people rename":
            _print_done(people.rename(arguments.who, arguments.name), "renamed", arguments)
        case "people remove":
            _print_done(people.remove(arguments.who), "removed", arguments)
    return 0


def _list(people: People, arguments: argparse.Namespace) -> None:
    found = people.everybody()
    if arguments.json:
        print_json({"people": [person.document for person in found]})
        return
    if not found:
        print_line("no people yet; everyone who sends /start to the bot is listed")
        return
    rows = [
        (
            person.user_id,
            person.account or "-",
            person.chat_id,
            short_time(person.created_at, now()),
            _notices(person),
            person.chat_name,
        )
        for person in found
    ]
    for line in table(("USER ID", "ACCOUNT", "CHAT", "SINCE", "NOTICES", "NAME"), rows, terminal()):
        print_line(line)


def _notices(person: PersonInfo) -> str:
    if person.unreachable is not None:
        return "unreachable"
    if not person.is_enabled:
        return "off"
    return "muted" if person.muted_until is not None and person.muted_until > now() else "on"


def _show(person: PersonInfo, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print_json(person.document)
        return
    print_line(f"{person.user_id}  {one_line(person.chat_name)}")
    for name, value in _lines(person, now()):
        if value is not None:
            print_line(f"  {name:<13}{one_line(value)}")


def _lines(person: PersonInfo, at: datetime) -> list[tuple[str, str | None]]:
    linked = None if person.linked_at is None else f"{full_time(person.linked_at, at)} by {person.linked_by}"
    muted = person.muted_until if person.muted_until is not None and person.muted_until > at else None
    return [
        ("chat", person.chat_id),
        ("subscribed", full_time(person.created_at, at)),
        ("account", person.account),
        ("linked", linked),
        ("notices", "on" if person.is_enabled else "off"),
        ("muted", None if muted is None else f"until {full_time(muted, at)}"),
        ("zone", person.time_zone),
        ("summary", person.summary_time),
        ("quiet hours", person.quiet_hours),
        ("unreachable", person.unreachable),
    ]


def _print_done(person: PersonInfo, verb: str, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print_json(person.document)
    else:
        print_line(f"{verb}: {person.user_id} ({one_line(person.chat_name)})")


def _add_who(command: Parser) -> Parser:
    command.add_argument("who", metavar="WHO", help="account, user_id or chat id")
    return command


def add(commands: Commands) -> None:
    people = commands.group("people")
    add_json(people.add("list", "list the people you can send to"))
    add_json(_add_who(people.add("show", "show everything about one person")))
    rename = _add_who(people.add("rename", "set the name under which a person is listed"))
    rename.add_argument("name", metavar="NAME", help="display name; kept even if their Telegram name changes")
    add_json(rename)
    add_json(_add_who(people.add("remove", "remove a person, who is notified; messages sent to them stay")))
