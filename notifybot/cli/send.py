"""`notifybot send`: hands one message to the daemon."""

import argparse
import sys

from notifybot.cli.output import moment, now, say, say_json
from notifybot.cli.parser import UsageError
from notifybot.client import Accepted, Client, ClientError

NO_RECIPIENT_HINT = (
    "--to takes a chat id such as -1001234567890, @channel or a user_id: /start makes the bot show yours."
)


def run(arguments: argparse.Namespace) -> int:
    """Send, then say what became of it. With --wait a message that nobody could be shown is a failure."""
    accepted = Client(arguments.socket).send(
        _text(arguments.text),
        to=_recipient(arguments.to),
        title=arguments.title,
        source=arguments.source,
        alert=_is_alert(arguments),
        escalate_after=arguments.escalate_after,
        close_after=arguments.close_after,
        client_id=arguments.client_id,
        wait_s=arguments.wait,
    )
    if arguments.json:
        say_json(accepted.document)
    else:
        say(_sentence(accepted, is_named=arguments.client_id is not None, is_awaited=arguments.wait is not None))
    if accepted.status == "failed":
        raise _not_shown(accepted)
    return 0


def _recipient(to: str | None) -> str:
    if not to:
        raise UsageError("No recipient is given.", hint=NO_RECIPIENT_HINT)
    return to


def _is_alert(arguments: argparse.Namespace) -> bool:
    if not arguments.alert and (arguments.escalate_after or arguments.close_after):
        raise UsageError(
            "Only an alert has deadlines.", hint="Add --alert, or leave out --escalate-after and --close-after."
        )
    return bool(arguments.alert)


def _text(words: list[str]) -> str:
    """The text as given, else standard input. Bytes that are no UTF-8 become replacement characters."""
    if words and words != ["-"]:
        return " ".join(words).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if sys.stdin is None or (not words and sys.stdin.isatty()):
        raise UsageError(
            "No text is given.", hint="Write it after the options, or pipe it in: `date | notifybot send --to R`."
        )
    text = sys.stdin.buffer.read().decode("utf-8", "replace").rstrip("\n")
    if not text.strip():
        raise UsageError("Standard input is empty.", hint="Write the text after the options, or pipe it in.")
    return text


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


def _not_shown(accepted: Accepted) -> ClientError:
    reasons = {each.last_error for each in accepted.deliveries if each.last_error}
    return ClientError(
        f"The message {accepted.id} could not be shown: {'; '.join(sorted(reasons)) or 'the daemon gave it up'}.",
        hint=f"It is kept: `notifybot messages show {accepted.id}` tells its story.",
    )
