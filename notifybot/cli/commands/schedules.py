"""`notifybot schedules …`: recurring messages."""

import argparse
from collections.abc import Iterator
from datetime import datetime, tzinfo

from notifybot.cli.connection import connect
from notifybot.cli.output import (
    full_date,
    full_time,
    now,
    one_line,
    print_json,
    print_line,
    sanitized,
    short_time,
    terminal,
)
from notifybot.cli.parser import Commands, UsageError, add_id, add_ids, add_json
from notifybot.cli.tables import short_ids, table
from notifybot.cli.times import print_times, read_repetition, zone_named
from notifybot.client.schedules import ScheduleInfo, Schedules

LABEL_WIDTH = 14


def run(arguments: argparse.Namespace) -> int:
    schedules = connect(arguments).schedules()
    match arguments.command:
        case "schedules list":
            _list(schedules, arguments)
        case "schedules show":
            _show(schedules.one(schedules.find(arguments.id)), arguments)
        case "schedules change":
            _change(schedules, arguments)
        case _:
            _change_state(schedules, arguments)
    return 0


def _list(schedules: Schedules, arguments: argparse.Namespace) -> None:
    found = schedules.everything()
    if arguments.json:
        print_json({"schedules": [each.document for each in found]})
        return
    if not found:
        print_line("no schedules")
        return
    at, ids = now(), short_ids([each.id for each in found])
    rows = [
        (ids[each.id], each.status, each.repeat, each.time_zone, _next(each, at), str(each.runs), _summary(each))
        for each in found
    ]
    for line in table(("ID", "STATUS", "REPEATS", "ZONE", "NEXT", "SENT", "TEXT"), rows, terminal()):
        print_line(line)


def _next(schedule: ScheduleInfo, at: datetime) -> str:
    """Format the next time in the schedule's own zone, which the table shows beside it."""
    return short_time(schedule.next_times[0], at, _zone_of(schedule)) if schedule.next_times else "-"


def _zone_of(schedule: ScheduleInfo) -> tzinfo | None:
    """Return the schedule's time zone; this machine's (None) if it is unknown here."""
    try:
        return zone_named(schedule.time_zone)
    except UsageError:
        return None


def _summary(schedule: ScheduleInfo) -> str:
    return "" if schedule.message is None else schedule.message.summary


def _show(schedule: ScheduleInfo, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print_json(schedule.document)
        return
    print_line(f"{schedule.id}  {terminal().paint(schedule.status)}")
    for name, value in _facts(schedule, now()):
        if value:
            print_line(f"  {name:<{LABEL_WIDTH}}{one_line(value)}")
    if schedule.message is not None and schedule.message.text:
        print_line("")
        for line in sanitized(schedule.message.text).split("\n"):
            print_line(f"  {line}".rstrip())
    if schedule.next_times:
        print_line("")
        print_times(schedule.next_times, _zone_of(schedule))


def _facts(schedule: ScheduleInfo, at: datetime) -> Iterator[tuple[str, str | None]]:
    yield "repeats", f"{schedule.repeat} ({schedule.time_zone})"
    yield "created", f"{full_time(schedule.created_at, at)} by {schedule.account}"
    yield "paused", None if schedule.paused_at is None else full_time(schedule.paused_at, at)
    yield "cancelled", None if schedule.ended_at is None else full_time(schedule.ended_at, at)
    last = "" if schedule.last_at is None else f", last {full_time(schedule.last_at, at)}"
    yield "sent", f"{_times(schedule.runs)}{last}"
    yield "missed", _times(schedule.missed) if schedule.missed else None
    if schedule.message is not None:
        yield "message", schedule.message.id
        yield "to", ", ".join(schedule.message.recipients)
        yield "title", schedule.message.title


def _times(count: int) -> str:
    return {0: "never", 1: "once"}.get(count, f"{count} times")


def _change_state(schedules: Schedules, arguments: argparse.Namespace) -> None:
    """Pause, resume or cancel one by one: if one is refused, those before it are done and printed."""
    verb = arguments.command.rpartition(" ")[2]
    changes = {"pause": schedules.pause, "resume": schedules.resume, "cancel": schedules.cancel}
    for prefix in arguments.ids:
        schedule = changes[verb](schedules.find(prefix))
        if arguments.json:
            print_json(schedule.document)
        else:
            print_line(f"{terminal().paint(schedule.status)}: {schedule.id}{_next_time(schedule)}")


def _next_time(schedule: ScheduleInfo) -> str:
    if schedule.status != "waiting" or not schedule.next_times:
        return ""
    return f", next {full_date(schedule.next_times[0], now(), _zone_of(schedule))}"


def _change(schedules: Schedules, arguments: argparse.Namespace) -> None:
    if arguments.every is None and arguments.time_zone is None:
        raise UsageError("Nothing to change.", hint="Give --every, --time-zone, or both.")
    every = None if arguments.every is None else read_repetition(arguments.every)
    zone = None if arguments.time_zone is None else zone_named(arguments.time_zone).key
    schedule = schedules.change(schedules.find(arguments.id), every=every, time_zone=zone)
    if arguments.json:
        print_json(schedule.document)
        return
    print_line(f"changed: {schedule.id} ({one_line(schedule.repeat)}, {one_line(schedule.time_zone)})")
    print_times(schedule.next_times, _zone_of(schedule))


def add(commands: Commands) -> None:
    schedules = commands.group("schedules")
    add_json(schedules.add("list", "list recurring messages, and when each is sent next"))
    add_json(add_id(schedules.add("show", "show everything about one schedule, with its next times")))
    add_json(add_ids(schedules.add("pause", "pause schedules; occurrences until they are resumed are skipped")))
    add_json(add_ids(schedules.add("resume", "resume paused schedules")))
    add_json(add_ids(schedules.add("cancel", "end schedules for good, and cancel the message that is next")))
    change = add_id(schedules.add("change", "change the rule of a schedule from now on"))
    change.add_argument("--every", metavar="HOW", help="as for `send`: '0 9 * * 1-5', @daily, 'mon 9:00', or 15m")
    change.add_argument("--time-zone", metavar="Z", help="the time zone (default: unchanged)")
    add_json(change)
