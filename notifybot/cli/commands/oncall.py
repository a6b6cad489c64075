"""`notifybot oncall …`: who is on call, and overrides."""

import argparse
from collections.abc import Iterator
from datetime import datetime

from notifybot.cli.connection import connect
from notifybot.cli.output import (
    full_date,
    full_time,
    now,
    one_line,
    print_json,
    print_line,
    short_time,
    terminal,
    unknown_name,
)
from notifybot.cli.parser import Commands, Parser, UsageError, add_ids, add_json
from notifybot.cli.tables import short_ids, table
from notifybot.cli.times import future_moment
from notifybot.client.oncall import OnCall, OverrideInfo, RotationInfo, ShiftInfo

LABEL_WIDTH = 14
HANDOVER = ("handover", "hand-over")
REASONS = {
    "turn": "their shift",
    "override": "an override",
    "otherwise": "outside the rotation's hours",
}


def run(arguments: argparse.Namespace) -> int:
    on_call = connect(arguments).on_call()
    match arguments.command:
        case "oncall show" if arguments.rotation is None:
            _list(on_call.everybody(), arguments)
        case "oncall show":
            _show(_find(on_call.everybody(), arguments.rotation), arguments)
        case "oncall override":
            _override(on_call, arguments)
        case "oncall cancel":
            _cancel(on_call, arguments)
    return 0


def _list(rotations: tuple[RotationInfo, ...], arguments: argparse.Namespace) -> None:
    if arguments.json:
        print_json({"rotations": [each.document for each in rotations]})
        return
    if not rotations:
        print_line("no rotations; add them to the config under `rotations`")
        return
    at = now()
    rows = [
        (
            each.name,
            _names(each.now),
            "-" if each.now.until is None else short_time(each.now.until, at),
            _names(each.after[0]) if each.after else "-",
        )
        for each in rotations
    ]
    for line in table(("ROTATION", "ON CALL", "UNTIL", "THEN"), rows, terminal()):
        print_line(line)


def _names(shift: ShiftInfo) -> str:
    return ", ".join(shift.names) or "nobody"


def _find(rotations: tuple[RotationInfo, ...], name: str) -> RotationInfo:
    found = {each.name: each for each in rotations}
    if name not in found:
        raise unknown_name("rotation", name, found)
    return found[name]


def _show(rotation: RotationInfo, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print_json(rotation.document)
        return
    print_line(f"{one_line(rotation.name)}  {one_line(_names(rotation.now))}")
    for name, value in _facts(rotation, now()):
        if value:
            print_line(f"  {name:<{LABEL_WIDTH}}{one_line(value)}")
    for lines in (_after(rotation), _overrides(rotation)):
        for line in lines:
            print_line(line)


def _facts(rotation: RotationInfo, at: datetime) -> Iterator[tuple[str, str | None]]:
    shift = rotation.now
    yield "reason", REASONS.get(shift.reason, shift.reason)
    yield "since", full_time(shift.begins, at)
    yield "until", None if shift.until is None else full_time(shift.until, at)
    yield "handover", None if rotation.handover_at is None else full_time(rotation.handover_at, at)
    yield "time zone", rotation.time_zone


def _after(rotation: RotationInfo) -> Iterator[str]:
    at = now()
    rows = [
        (short_time(each.begins, at), "-" if each.until is None else short_time(each.until, at), _names(each))
        for each in rotation.after
    ]
    if rows:
        yield ""
        yield from table(("FROM", "UNTIL", "THEN"), rows, terminal())


def _overrides(rotation: RotationInfo) -> Iterator[str]:
    at, ids = now(), short_ids([each.id for each in rotation.overrides])
    rows = [
        (ids[each.id], short_time(each.begins, at), short_time(each.until, at), each.created_by, each.name)
        for each in rotation.overrides
    ]
    if rows:
        yield ""
        yield from table(("ID", "FROM", "UNTIL", "BY", "ON CALL"), rows, terminal())


def _override(on_call: OnCall, arguments: argparse.Namespace) -> None:
    begins = None if arguments.begins is None else future_moment(arguments.begins)
    until = None if arguments.until is None else _end(on_call, arguments.rotation, arguments.until)
    made = on_call.override(arguments.rotation, arguments.member, span=arguments.span, until=until, begins=begins)
    if arguments.json:
        print_json(made.document)
    else:
        print_line(f"{_sentence(made, now())}: {made.id}")


def _end(on_call: OnCall, rotation: str, text: str) -> datetime:
    """Parse the end of an override; `handover` is the rotation's next one."""
    if text not in HANDOVER:
        return future_moment(text)
    handover_at = _find(on_call.everybody(), rotation).handover_at
    if handover_at is None:
        raise UsageError(f"{rotation} has no handover ahead.", hint="Give a time, or a span with --for.")
    return handover_at


def _sentence(made: OverrideInfo, at: datetime) -> str:
    """Say until when someone is on call: their own shift can follow the override, or have no end in sight."""
    begins = f" from {full_date(made.begins, at)}" if made.begins > at else ""
    until = made.on_call_until if "on_call_until" in made.document else made.until
    ends = f"until {full_date(until, at)}" if until else "with no end in sight"
    own = "" if until == made.until else f"; the override ends {full_date(made.until, at)}"
    return one_line(f"{made.name} is on call in {made.rotation}{begins} {ends}{own}")


def _cancel(on_call: OnCall, arguments: argparse.Namespace) -> None:
    for prefix in arguments.ids:
        ended = on_call.cancel(on_call.find(prefix))
        if arguments.json:
            print_json(ended.document)
        else:
            print_line(f"ended: {ended.id} ({one_line(f'{ended.name} in {ended.rotation}')})")


def add(commands: Commands) -> None:
    on_call = commands.group("oncall")
    show = on_call.add("show", "show who is on call, and until when")
    show.add_argument("rotation", nargs="?", metavar="ROTATION", help="show the details of one (default: list all)")
    add_json(show)
    override = on_call.add(
        "override",
        "put someone else on call for a while",
        epilog="Example: notifybot oncall override ops bob --for 2h",
    )
    override.add_argument("rotation", metavar="ROTATION", help="name of the rotation")
    override.add_argument("member", metavar="MEMBER", help="who takes over: a person, chat, or name from the config")
    override.add_argument("--from", dest="begins", metavar="WHEN", help="the start (default: now)")
    _add_end(override)
    add_json(override)
    add_json(add_ids(on_call.add("cancel", "end overrides early")))


def _add_end(override: Parser) -> None:
    how_long = override.add_mutually_exclusive_group(required=True)
    how_long.add_argument("--for", dest="span", metavar="SPAN", help="how long: 2h, 1d")
    how_long.add_argument(
        "--until", metavar="WHEN", help="until when: 18:30, 'tomorrow 9:00', 'mon 9:00', or handover for the next one"
    )
