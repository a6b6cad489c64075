"""`notifybot send`: hands one message to the daemon."""

import argparse
import os
from collections import ChainMap
from collections.abc import Sequence

from notifybot.cli.material import files_of, text_of
from notifybot.cli.output import moment, now, one_line, say, say_json
from notifybot.cli.tree import UsageError
from notifybot.client import Accepted, Client, ClientError
from notifybot.results import Delivery

TYPE_CHECKING = False  # typing's own would cost every call of the client 3 ms
if TYPE_CHECKING:
    from notifybot.client_options import SendOptions

OF_ALERTS = ("escalate_after", "close_after", "policy", "remind_every")
OF_TIMES = ("at", "every", "time_zone")
OF_RESOLVE = frozenset({"to", "text", "dedup_key", "resolve", "client_id", "json", "command", "config", "socket"})


def run(arguments: argparse.Namespace) -> int:
    """Send, then say what became of it. A message that nobody could be shown is a failure, unless nobody wants it."""
    to = recipients(arguments.to)
    client = Client(arguments.socket)
    if arguments.resolve:
        return _say_resolved(_resolve(client, to, arguments), arguments)
    options = options_of(arguments)
    text = text_for(arguments)
    if is_for_later(arguments):
        from notifybot.cli import sending_later  # most messages go at once

        return sending_later.run(client, arguments, lambda times: client.send(text, to=to, **(options | times)))
    accepted = client.send(text, to=to, **options)
    undelivered = _undelivered(client, accepted)
    is_withheld = bool(undelivered) and all(each.status == "withdrawn" for each in undelivered)
    if arguments.json:
        say_json(accepted.document)
    elif is_withheld:
        say(f"withheld: {accepted.id}: {one_line(_reasons(undelivered))}{deadlines(accepted)}")
    else:
        say(_sentence(accepted, is_named=arguments.client_id is not None, is_awaited=arguments.wait is not None))
    if accepted.status == "failed" and not is_withheld:
        raise _not_shown(accepted, undelivered)
    return 0


def is_for_later(arguments: argparse.Namespace) -> bool:
    return any(getattr(arguments, name) is not None for name in OF_TIMES)


def _undelivered(client: Client, accepted: Accepted) -> tuple[Delivery, ...]:
    """The deliveries of a message that has failed; a call that did not wait was not told them."""
    if accepted.status != "failed":
        return ()
    return accepted.deliveries or client.message(accepted.id).deliveries


def text_for(arguments: argparse.Namespace) -> str | None:
    """The text; where a file or a template says it all, standard input is left alone."""
    return text_of(arguments.text, is_needed=not (arguments.photo or arguments.file or arguments.template))


def options_of(arguments: argparse.Namespace) -> "SendOptions":
    photos, files = files_of(arguments)
    return {
        "title": arguments.title,
        "source": arguments.source,
        "photos": photos,
        "files": files,
        "parse_mode": arguments.parse_mode,
        "buttons": arguments.buttons,
        "link_preview": arguments.link_preview,
        "thread_id": arguments.thread,
        "template": arguments.template,
        "wait_s": arguments.wait,
        **alerting_of(arguments),
    }


def alerting_of(arguments: argparse.Namespace) -> "SendOptions":
    """What `send` and `event` have in common. Raises UsageError for deadlines of a notice."""
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


def _resolve(client: Client, to: list[str], arguments: argparse.Namespace) -> Accepted | None:
    if not arguments.dedup_key:
        raise UsageError("--resolve needs --dedup-key.", hint="Name the key under which it was told.")
    others = [name for name, value in vars(arguments).items() if value and name not in OF_RESOLVE]
    if others:
        option = "A format" if others[0] == "parse_mode" else f"--{others[0].replace('_', '-').rstrip('s')}"
        raise UsageError(f"{option} does not go with --resolve.", hint="A resolve takes a text at most.")
    text = text_of(arguments.text, is_needed=False)
    return client.resolve(arguments.dedup_key, to=to, text=text, client_id=arguments.client_id)


def _say_resolved(resolved: Accepted | None, arguments: argparse.Namespace) -> int:
    """Nothing to resolve is no failure: a check that finds all well says so each time."""
    if arguments.json:
        say_json(None if resolved is None else resolved.document)
    elif resolved is None:
        say(f"nothing is open under {one_line(arguments.dedup_key)}")
    else:
        say(f"resolved: {resolved.id} ({resolved.status})")
    return 0


def recipients(to: list[str]) -> list[str]:
    """For whom it is; without a word about it, for whoever sends it."""
    if not all(to):
        raise UsageError("An empty recipient is given.", hint="A variable may be unset; without --to it goes to you.")
    return to or [_myself()]


def _myself() -> str:
    """My account, as the daemon names it."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid:{os.getuid()}"


def _is_alert(arguments: argparse.Namespace) -> bool:
    of_alerts = [f"--{name.replace('_', '-')}" for name in OF_ALERTS if getattr(arguments, name)]
    if of_alerts and not arguments.alert:
        raise UsageError("Only an alert has deadlines.", hint=f"Add --alert, or leave out {' and '.join(of_alerts)}.")
    return bool(arguments.alert)


def _sentence(accepted: Accepted, *, is_named: bool, is_awaited: bool) -> str:
    if accepted.is_duplicate and is_named:
        return f"accepted before, not sent again: {accepted.id} ({accepted.status})"
    if accepted.status == "initiated":
        return f"{'accepted, still on its way' if is_awaited else 'accepted'}: {accepted.id}{deadlines(accepted)}"
    return f"{accepted.status}: {accepted.id}{deadlines(accepted)}"


def deadlines(accepted: Accepted) -> str:
    """When an alert escalates and closes, in local time; nothing for a notice."""
    at = now()
    dates = (("escalates", accepted.escalate_at), ("closes", accepted.close_at))
    parts = [f"{verb} {moment(when, at)}" for verb, when in dates if when is not None]
    return f" ({', '.join(parts)})" if parts else ""


def _not_shown(accepted: Accepted, deliveries: Sequence[Delivery]) -> ClientError:
    return ClientError(
        f"The message {accepted.id} could not be shown: {_reasons(deliveries) or 'the daemon gave it up'}.",
        hint=f"It is kept: `notifybot messages show {accepted.id}` tells its story.",
    )


def _reasons(deliveries: Sequence[Delivery]) -> str:
    return "; ".join(sorted({each.last_error.removesuffix(".") for each in deliveries if each.last_error}))
