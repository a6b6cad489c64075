"""`notifybot send`: hands one message to the daemon."""

import argparse
import os
from collections.abc import Sequence

from notifybot.cli.material import files_of, text_of
from notifybot.cli.output import moment, now, one_line, say, say_json
from notifybot.cli.tree import UsageError
from notifybot.client import Accepted, Client, ClientError
from notifybot.results import Delivery

OF_RESOLVE = frozenset({"to", "text", "dedup_key", "resolve", "client_id", "json", "command", "config", "socket"})


def run(arguments: argparse.Namespace) -> int:
    """Send, then say what became of it. A message that nobody could be shown is a failure, unless nobody wants it."""
    to = _recipients(arguments.to)
    client = Client(arguments.socket)
    if arguments.resolve:
        return _say_resolved(_resolve(client, to, arguments), arguments)
    accepted = _send(client, to, arguments)
    undelivered = _undelivered(client, accepted)
    is_withheld = bool(undelivered) and all(each.status == "withdrawn" for each in undelivered)
    if arguments.json:
        say_json(accepted.document)
    elif is_withheld:
        say(f"withheld: {accepted.id}: {one_line(_reasons(undelivered))}{_deadlines(accepted)}")
    else:
        say(_sentence(accepted, is_named=arguments.client_id is not None, is_awaited=arguments.wait is not None))
    if accepted.status == "failed" and not is_withheld:
        raise _not_shown(accepted, undelivered)
    return 0


def _undelivered(client: Client, accepted: Accepted) -> tuple[Delivery, ...]:
    """The deliveries of a message that has failed; a call that did not wait was not told them."""
    if accepted.status != "failed":
        return ()
    return accepted.deliveries or client.message(accepted.id).deliveries


def _send(client: Client, to: list[str], arguments: argparse.Namespace) -> Accepted:
    photos, files = files_of(arguments)
    return client.send(
        text_of(arguments.text, is_needed=not photos and not files),
        to=to,
        title=arguments.title,
        source=arguments.source,
        photos=photos,
        files=files,
        parse_mode=arguments.parse_mode,
        buttons=arguments.buttons,
        link_preview=arguments.link_preview,
        priority=arguments.priority,
        silent=arguments.silent,
        thread_id=arguments.thread,
        alert=_is_alert(arguments),
        escalate_after=arguments.escalate_after,
        close_after=arguments.close_after,
        dedup_key=arguments.dedup_key,
        data=arguments.data,
        client_id=arguments.client_id,
        wait_s=arguments.wait,
    )


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


def _recipients(to: list[str]) -> list[str]:
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
    if not arguments.alert and (arguments.escalate_after or arguments.close_after):
        raise UsageError(
            "Only an alert has deadlines.", hint="Add --alert, or leave out --escalate-after and --close-after."
        )
    return bool(arguments.alert)


def _sentence(accepted: Accepted, *, is_named: bool, is_awaited: bool) -> str:
    if accepted.is_duplicate and is_named:
        return f"accepted before, not sent again: {accepted.id} ({accepted.status})"
    if accepted.status == "initiated":
        return f"{'accepted, still on its way' if is_awaited else 'accepted'}: {accepted.id}{_deadlines(accepted)}"
    return f"{accepted.status}: {accepted.id}{_deadlines(accepted)}"


def _deadlines(accepted: Accepted) -> str:
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
