"""`notifybot import`: takes over the people of another program."""

import argparse
from collections import Counter

from notifybot.cli.import_sources import ImportData, read
from notifybot.cli.output import one_line, print_line, print_json, terminal
from notifybot.cli.parser import Commands, add_json
from notifybot.cli.tables import table
from notifybot.client import Client, ClientError
from notifybot.client.people import ImportResult


class PartialImport(ClientError):
    """Some could not be taken over; the rest was."""

    is_callers_fault = True


def run(arguments: argparse.Namespace) -> int:
    """Read every source first: what cannot be read leaves everything as it is."""
    sources = [read(source) for source in arguments.sources]
    found = ImportData(
        tuple(person for source in sources for person in source.people),
        tuple(code for source in sources for code in source.codes),
    )
    entries = Client(arguments.socket).people().take_over(found.people, found.codes, is_rehearsal=arguments.dry_run)
    if arguments.json:
        print_json({"dry_run": arguments.dry_run, "entries": [entry.document for entry in entries]})
    else:
        _say(entries, is_rehearsal=arguments.dry_run)
    refused = sum(entry.fate == "refused" for entry in entries)
    if refused:
        raise PartialImport(f"{refused} of {len(entries)} cannot be taken over.", hint="Each line above says why.")
    return 0


def _say(entries: tuple[ImportResult, ...], *, is_rehearsal: bool) -> None:
    shown = [entry for entry in entries if is_rehearsal or entry.fate == "refused"]
    rows = [(entry.fate, entry.what, entry.reason or "") for entry in shown]
    for line in table(("FATE", "WHO", "WHY"), rows, terminal()) if rows else ():
        print_line(line)
    counts = Counter(entry.fate for entry in entries)
    summary = ", ".join(f"{counts[fate]} {fate}" for fate in ("added", "linked", "unchanged", "refused"))
    print_line(one_line(f"{'dry run, nothing is changed: ' if is_rehearsal else ''}{summary}"))


def add(commands: Commands) -> None:
    taking = commands.add("import", "take over the people of another program")
    taking.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="a JSON file, a SQLite file, or a postgresql:// URL with a table subscribed_users",
    )
    taking.add_argument("--dry-run", action="store_true", help="only say what would become of everybody")
    add_json(taking)
