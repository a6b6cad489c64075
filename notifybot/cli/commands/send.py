"""`notifybot send`: sends a message, now, later or repeatedly."""

import argparse
import os
import sys
from collections import ChainMap
from collections.abc import Sequence

from notifybot.cli import arguments
from notifybot.cli.connection import connect
from notifybot.cli.output import full_date, now, one_line, print_json, print_line, print_warnings, short_time, terminal
from notifybot.cli.parser import Commands, Parser, UsageError, add_json
from notifybot.cli.stdin import STDIN, files_of, looks_like_columns, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from notifybot.cli.times import TimeOptions
    from notifybot.client import Accepted, Client, ClientError
    from notifybot.client.options import SendOptions
    from notifybot.client.results import DeliveryInfo

ALERT_OPTIONS = ("escalate_after", "close_after", "policy", "remind_every")
PLAIN, MONO = "plain", "Mono"
TIME_OPTIONS = ("at", "every", "time_zone")
RESOLVE_OPTIONS = frozenset(
    {
        "to",
        "text",
        "dedup_key",
        "resolve",
        "client_id",
        "json",
        "command",
        "config",
        "socket",
        "url",
        "token_file",
        "spool",
    }
)


def run(arguments: argparse.Namespace) -> int:
    """Send and print the outcome. A failed message is an error, unless its readers have muted notifications."""
    from notifybot.cli.spooling import own_spool, print_spooled, send_spooled
    from notifybot.client.errors import Spooled  # `--help` does not need it

    to = recipients(arguments.to)
    client = connect(arguments, spool=own_spool() if arguments.spool else None)
    send_spooled(client)
    try:
        return _send(client, to, arguments)
    except Spooled as error:
        return print_spooled(error, is_json=arguments.json)


def _send(client: "Client", to: list[str], arguments: argparse.Namespace) -> int:
    if arguments.resolve:
        return _print_resolved(_resolve(client, to, arguments), arguments)
    options = send_options(arguments)
    text = text_for(arguments)
    options["parse_mode"] = _parse_mode(arguments, text)
    if is_for_later(arguments):
        return run_later(client, arguments, lambda times: client.send(text, to=to, **(options | times)))
    accepted = client.send(text, to=to, **options)
    print_warnings(accepted.warnings)
    undelivered = _undelivered(client, accepted)
    is_withheld = bool(undelivered) and all(each.status == "withdrawn" for each in undelivered)
    if arguments.json:
        print_json(accepted.document)
    elif is_withheld:
        print_line(f"withheld: {accepted.id}: {one_line(_reasons(undelivered))}{deadlines(accepted)}")
    else:
        print_line(_sentence(accepted, is_named=arguments.client_id is not None, is_awaited=arguments.wait is not None))
    if accepted.status == "failed" and not is_withheld:
        raise _delivery_error(accepted, undelivered)
    return 0


def is_for_later(arguments: argparse.Namespace) -> bool:
    return any(getattr(arguments, name) is not None for name in TIME_OPTIONS)


def _undelivered(client: "Client", accepted: "Accepted") -> "tuple[DeliveryInfo, ...]":
    """Return the deliveries of a failed message; a response without --wait does not have them."""
    if accepted.status != "failed":
        return ()
    return accepted.deliveries or client.message(accepted.id).deliveries


def text_for(arguments: argparse.Namespace) -> str | None:
    """Return the text; with a file or a template, standard input is not read."""
    return text_of(arguments.text, is_needed=not (arguments.photo or arguments.file or arguments.template))


def _parse_mode(arguments: argparse.Namespace, text: str | None) -> str | None:
    """Return the format; columns from a pipe are monospaced, unless a format is given."""
    is_piped = text is not None and arguments.text in ([], [STDIN])
    if arguments.parse_mode is None and is_piped and looks_like_columns(text or ""):
        return MONO
    mode: str | None = arguments.parse_mode
    return None if mode == PLAIN else mode


def send_options(arguments: argparse.Namespace) -> "SendOptions":
    photos, files = files_of(arguments)
    return {
        "title": arguments.title,
        "source": arguments.source,
        "photos": photos,
        "files": files,
        "buttons": arguments.buttons,
        "link_preview": arguments.link_preview,
        "thread_id": arguments.thread,
        "template": arguments.template,
        "wait_s": arguments.wait,
        **alert_options(arguments),
    }


def alert_options(arguments: argparse.Namespace) -> "SendOptions":
    """Options that `send` and `event` share. Raises UsageError for alert options on a notice."""
    return {
        "alert": _is_alert(arguments),
        "escalate_after": arguments.escalate_after,
        "close_after": arguments.close_after,
        "policy": arguments.policy,
        "remind_every": arguments.remind_every,
        "priority": arguments.priority,
        "silent": arguments.silent,
        "dedup_key": arguments.dedup_key,
        "data": dict(ChainMap(*reversed(arguments.data))) or None,
        "client_id": arguments.client_id,
    }


def _resolve(client: "Client", to: list[str], arguments: argparse.Namespace) -> "Accepted | None":
    if not arguments.dedup_key:
        raise UsageError("--resolve needs --dedup-key.", hint="Give the key under which the message was sent.")
    others = [name for name, value in vars(arguments).items() if value and name not in RESOLVE_OPTIONS]
    if others:
        option = "A format" if others[0] == "parse_mode" else f"--{others[0].replace('_', '-').rstrip('s')}"
        raise UsageError(f"{option} does not go with --resolve.", hint="--resolve takes only a text.")
    text = text_of(arguments.text, is_needed=False)
    return client.resolve(arguments.dedup_key, to=to, text=text, client_id=arguments.client_id)


def _print_resolved(resolved: "Accepted | None", arguments: argparse.Namespace) -> int:
    """Print the outcome. Nothing to resolve is no failure: a check may resolve each time it finds all well."""
    if arguments.json:
        print_json(None if resolved is None else resolved.document)
    elif resolved is None:
        print_line(f"nothing is open under {one_line(arguments.dedup_key)}")
    else:
        print_line(f"resolved: {resolved.id} ({resolved.status})")
    return 0


def recipients(to: list[str]) -> list[str]:
    """Return the recipients; the default is the caller."""
    if not all(to):
        raise UsageError("An empty recipient is given.", hint="Is a variable unset? Without --to, it goes to you.")
    return to or [_own_account()]


def _own_account() -> str:
    """Return the caller's account, as the daemon names it."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid:{os.getuid()}"


def _is_alert(arguments: argparse.Namespace) -> bool:
    of_alerts = [f"--{name.replace('_', '-')}" for name in ALERT_OPTIONS if getattr(arguments, name)]
    if of_alerts and not arguments.alert:
        raise UsageError("Only an alert has deadlines.", hint=f"Add --alert, or remove {' and '.join(of_alerts)}.")
    return bool(arguments.alert)


def _sentence(accepted: "Accepted", *, is_named: bool, is_awaited: bool) -> str:
    if accepted.is_duplicate and is_named:
        return f"already accepted, not sent again: {accepted.id} ({accepted.status})"
    if accepted.status == "initiated":
        return f"{'accepted, still on its way' if is_awaited else 'accepted'}: {accepted.id}{deadlines(accepted)}"
    return f"{accepted.status}: {accepted.id}{deadlines(accepted)}"


def deadlines(accepted: "Accepted") -> str:
    """Format when an alert escalates and closes, in local time; empty for a notice."""
    at = now()
    dates = (("escalates", accepted.escalate_at), ("closes", accepted.close_at))
    parts = [f"{verb} {short_time(when, at)}" for verb, when in dates if when is not None]
    return f" ({', '.join(parts)})" if parts else ""


def _delivery_error(accepted: "Accepted", deliveries: "Sequence[DeliveryInfo]") -> "ClientError":
    from notifybot.client import ClientError

    return ClientError(
        f"The message {accepted.id} could not be delivered: {_reasons(deliveries) or 'the daemon gave up'}.",
        hint=f"It is stored: `notifybot messages show {accepted.id}` has the details.",
    )


def _reasons(deliveries: "Sequence[DeliveryInfo]") -> str:
    return "; ".join(sorted({each.last_error.removesuffix(".") for each in deliveries if each.last_error}))


YES = ("y", "yes")


def run_later(client: "Client", arguments: argparse.Namespace, send: "Callable[[SendOptions], Accepted]") -> int:
    """Send with the given times. Raises UsageError if the user rejects the times of --every."""
    from notifybot.cli.times import print_times, time_options_of  # importing zoneinfo takes a while

    timing = time_options_of(arguments)
    is_asked = timing.every is not None and not (arguments.yes or arguments.json) and _can_ask()
    if is_asked and not _is_confirmed(client, timing):
        raise UsageError("Nothing was sent.", hint="Adjust --every, --at or --time-zone.")
    accepted = send({"at": timing.at, "every": timing.every, "time_zone": timing.time_zone})
    print_warnings(accepted.warnings)
    if arguments.json:
        print_json(accepted.document)
        return 0
    print_line(_later_sentence(accepted, timing))
    if not is_asked:
        print_times(accepted.next_times, timing.zone)
    return 0


def _can_ask() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and terminal().width is not None


def _is_confirmed(client: "Client", timing: "TimeOptions") -> bool:
    """Print the next times and ask for confirmation. Raises Refused if there are none."""
    from notifybot.cli.times import print_times

    assert timing.every is not None
    times = client.schedules().preview(timing.every, time_zone=timing.time_zone, begins_at=timing.at)
    print_times(times, timing.zone)
    print("Send it at these times? [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in YES


def _later_sentence(accepted: "Accepted", timing: "TimeOptions") -> str:
    when = accepted.send_at or timing.at
    what = "already accepted, not sent again" if accepted.is_duplicate else accepted.status
    at = f" for {full_date(when, now(), timing.zone)}" if when and accepted.status == "scheduled" else ""
    again = f", repeated by schedule {accepted.schedule_id}" if accepted.schedule_id else ""
    return f"{what}: {accepted.id}{at}{again}{deadlines(accepted)}"


def add(commands: Commands) -> None:
    send = commands.add(
        "send",
        description="Send a message. Returns once the daemon has it on disk.",
        epilog="Example: df -h | notifybot send --to -1001234567890 --title 'Disk full' --alert",
    )
    _add_message(send)
    _add_files(send)
    _add_format(send)
    add_alert_options(send, can_resolve=True)
    add_time_options(send)
    add_client_id(send)
    send.add_argument(
        "--spool", action="store_true", help="while the daemon is away, keep the message in your spool, and succeed"
    )
    send.add_argument(
        "--wait",
        metavar="SECONDS",
        nargs="?",
        type=arguments.wait,
        const=arguments.MAX_WAIT_S,
        help="wait up to 30 s for the message to be posted or to fail",
    )
    add_json(send)


def _add_message(send: Parser) -> None:
    send.add_argument(
        "text", nargs="*", metavar="TEXT", help="the text; `-`, or no text and no file, reads standard input"
    )
    send.add_argument(
        "--to",
        metavar="R",
        action="append",
        default=[],
        help="chat id, @channel, account, user_id, name from the config, or subscribers; repeatable (default: you)",
    )
    send.add_argument("--title", metavar="T", help="title, shown in bold above the text")
    send.add_argument("--source", metavar="LABEL", help="where the message comes from (default: your account)")
    send.add_argument("--template", metavar="NAME", help="render the text from this template and --data")
    add_data_option(send, "JSON object to store with the message")


def _add_files(send: Parser) -> None:
    files = send.add_argument_group("files", "Read under your account. Repeatable, up to 20 in total.")
    files.add_argument(
        "--photo",
        metavar="F",
        action="append",
        default=[],
        help="attach a picture: a path, `-` for standard input, or a URL",
    )
    files.add_argument("--file", metavar="F", action="append", default=[], help="attach a file, shown under its name")
    files.add_argument("--file-name", metavar="NAME", help="name to give the file, if there is only one")


def _add_format(send: Parser) -> None:
    group = send.add_argument_group("format")
    formats = group.add_mutually_exclusive_group()
    for mode in ("HTML", "Markdown", "MarkdownV2", "CommonMark"):
        about = f"the text is {mode}" + ("" if mode == "CommonMark" else ", as Telegram defines it")
        formats.add_argument(f"--{mode.lower()}", dest="parse_mode", action="store_const", const=mode, help=about)
    about = "the text is shown in monospace, as it is; the default for columns from a pipe"
    formats.add_argument("--mono", dest="parse_mode", action="store_const", const=MONO, help=about)
    about = "the text is plain, even if it is columns from a pipe"
    formats.add_argument("--plain", dest="parse_mode", action="store_const", const=PLAIN, help=about)
    group.add_argument(
        "--button",
        metavar="TEXT=URL",
        dest="buttons",
        action="append",
        default=[],
        type=arguments.link_button,
        help="add a button that opens a link; up to 4 buttons",
    )
    group.add_argument(
        "--copy-button",
        metavar="TEXT=VALUE",
        dest="buttons",
        action="append",
        type=arguments.copy_button,
        help="add a button that copies a value to the reader's clipboard",
    )
    group.add_argument("--link-preview", action="store_true", help="show a preview of the first link")
    group.add_argument("--thread", metavar="N", type=arguments.thread, help="number of a group's topic")


def add_alert_options(command: Parser, *, can_resolve: bool) -> None:
    alerts = command.add_argument_group("alerts and repeats")
    alerts.add_argument("--alert", action="store_true", help="ask for an acknowledgement, and escalate without one")
    alerts.add_argument("--escalate-after", metavar="SPAN", help="when to escalate: 30s, 15m, 1h, 1d, or never")
    alerts.add_argument("--close-after", metavar="SPAN", help="when to close: 30s, 15m, 1h, 1d, or never")
    alerts.add_argument(
        "--policy",
        metavar="NAME",
        type=arguments.policy,
        help="escalation policy from the config, or a policy as JSON",
    )
    alerts.add_argument("--remind-every", metavar="SPAN", help="how often to remind people while it is open")
    priorities = arguments.PRIORITIES
    alerts.add_argument(
        "--priority", choices=priorities, metavar="P", help=f"{', '.join(priorities)} (default: normal)"
    )
    alerts.add_argument("--silent", action="store_true", help="deliver without a sound")
    alerts.add_argument(
        "--dedup-key", metavar="K", help="what the message is about: while it is open, repeats count up on it"
    )
    if can_resolve:
        alerts.add_argument("--resolve", action="store_true", help="resolve the message with this --dedup-key")


def add_time_options(command: Parser) -> None:
    times = command.add_argument_group("time", "Default: now.")
    times.add_argument(
        "--at", metavar="WHEN", help="later: 18:30, 'tomorrow 9:00', 'mon 9:00', +2h, or '2026-01-31 18:30'"
    )
    times.add_argument("--every", metavar="HOW", help="repeatedly: '0 9 * * 1-5', @daily, 'mon 9:00', or 15m")
    times.add_argument("--time-zone", metavar="Z", help="time zone of --at and --every (default: this machine's)")
    times.add_argument("--yes", action="store_true", help="do not ask to confirm the times of --every")


def add_client_id(command: Parser) -> None:
    command.add_argument(
        "--client-id", metavar="ID", help="your own id for it; a retry under the same id is not sent twice"
    )


def add_data_option(command: Parser, about: str) -> None:
    command.add_argument(
        "--data",
        metavar="JSON",
        type=arguments.data,
        action="append",
        default=[],
        help=f"{about}; or one KEY=VALUE pair, repeatable",
    )
