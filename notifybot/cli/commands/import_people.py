"""`notifybot import`: imports people from another program."""

import argparse
from collections import Counter

from notifybot.cli.connection import connect
from notifybot.cli.import_sources import ImportData, read_source
from notifybot.cli.output import one_line, print_json, print_line, terminal
from notifybot.cli.parser import Commands, add_json
from notifybot.cli.tables import table
from notifybot.client import ClientError
from notifybot.client.people import ImportResult


class PartialImport(ClientError):
    """Some records were refused; the rest were imported."""

    is_callers_fault = True


def run(arguments: argparse.Namespace) -> int:
    """Read every source before anything changes, then import."""
    sources = [read_source(source) for source in arguments.sources]
    found = ImportData(
        tuple(person for source in sources for person in source.people),
        tuple(code for source in sources for code in source.codes),
    )
    entries = connect(arguments).people().take_over(found.people, found.codes, is_dry_run=arguments.dry_run)
    if arguments.json:
        print_json({"dry_run": arguments.dry_run, "entries": [entry.document for entry in entries]})
    else:
        _print_results(entries, is_dry_run=arguments.dry_run)
    refused = sum(entry.fate == "refused" for entry in entries)
    if refused:
        raise PartialImport(f"{refused} of {len(entries)} cannot be imported.", hint="The table above has the reasons.")
    return 0


def _print_results(entries: tuple[ImportResult, ...], *, is_dry_run: bool) -> None:
    shown = [entry for entry in entries if is_dry_run or entry.fate == "refused"]
    rows = [(entry.fate, entry.what, entry.reason or "") for entry in shown]
    for line in table(("RESULT", "PERSON", "REASON"), rows, terminal()) if rows else ():
        print_line(line)
    counts = Counter(entry.fate for entry in entries)
    summary = ", ".join(f"{counts[fate]} {fate}" for fate in ("added", "linked", "unchanged", "refused"))
    print_line(one_line(f"{'dry run, nothing was changed: ' if is_dry_run else ''}{summary}"))


def add(commands: Commands) -> None:
    command = commands.add("import")
    command.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="a JSON file, a SQLite file, or a postgresql:// URL with a table subscribed_users",
    )
    command.add_argument("--dry-run", action="store_true", help="show what would happen, and change nothing")
    add_json(command)
