"""Options of Client.send, and the request fields made from them. Standard library only."""

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from notifybot.client.errors import Refused
from notifybot.client.record import record
from notifybot.client.results import Button

TYPE_CHECKING = False  # importing typing takes 3 ms
if TYPE_CHECKING:
    from datetime import datetime
    from typing import IO, TypedDict

    class SendOptions(TypedDict, total=False):
        """Keyword arguments of Client.send."""

        title: str | None
        source: str | None
        photos: "Attachable | Iterable[Attachable]"
        files: "Attachable | Iterable[Attachable]"
        parse_mode: str | None
        buttons: Sequence[Button]
        link_preview: bool
        priority: str | None
        silent: bool
        thread_id: int | None
        alert: bool
        escalate_after: "Span | None"
        close_after: "Span | None"
        policy: str | Mapping[str, object] | None
        remind_every: "Span | None"
        at: datetime | None
        every: str | None
        time_zone: str | None
        template: str | None
        dedup_key: str | None
        data: Mapping[str, object] | None
        client_id: str | None
        wait_s: float | None


Span = timedelta | int | str
"""A timedelta, seconds, or text such as `15m`; 0 and `never` disable the deadline."""

MAX_BUTTONS = 4
PASSED_THROUGH = (
    *("title", "source", "parse_mode", "priority", "thread_id", "dedup_key", "data"),
    *("policy", "time_zone", "template"),
)
"""Options passed on as fields of the same name."""
OPTIONS = {
    *(*PASSED_THROUGH, "photos", "files", "buttons", "link_preview", "silent", "alert", "client_id", "wait_s"),
    *("escalate_after", "close_after", "remind_every", "at", "every"),
}


@record()
class File:
    """A file to send. `source`: a path, a URL, bytes, or an open binary file; `name`: the name to show."""

    source: "str | os.PathLike[str] | bytes | IO[bytes]"
    name: str | None = None


Attachable = File | str | os.PathLike[str]
"""A file to send; a path or a URL is enough."""


def request_fields(options: "SendOptions") -> dict[str, object]:
    """Turn options into request fields, except the files; makes a `client_id` unless given.

    Raises TypeError for an unknown option, Refused for an invalid value.
    """
    for unknown in options.keys() - OPTIONS:
        raise TypeError(f"send() got an unexpected keyword argument {unknown!r}")
    return {
        **{name: options.get(name) for name in PASSED_THROUGH},
        "buttons": buttons_of(options.get("buttons", ())),
        "link_preview": options.get("link_preview") or None,
        "silent": options.get("silent") or None,
        "acknowledge": options.get("alert", False),
        "escalate_after": whole_seconds(options.get("escalate_after")),
        "close_after": whole_seconds(options.get("close_after")),
        "remind_every": whole_seconds(options.get("remind_every")),
        "send_at": rfc3339(options.get("at")),
        "repeat": options.get("every"),
        "client_id": options.get("client_id") or os.urandom(16).hex(),
    }


def recipient_fields(to: str | Iterable[str]) -> dict[str, object]:
    """Return `channel_id` for a single chat, `to` for anything else. Raises Refused if there is no recipient."""
    recipients = recipients_of(to)
    if len(recipients) == 1 and _is_chat(recipients[0]):
        return {"channel_id": recipients[0]}
    return {"to": recipients}


def recipients_of(to: str | Iterable[str]) -> list[str]:
    """List the recipients without duplicates. Raises Refused if there is none."""
    recipients = [to] if isinstance(to, str) else list(dict.fromkeys(to))
    if not recipients or not all(recipients):
        raise Refused("No recipient is given.", hint="Give a chat, a person, or a name from the config.")
    return recipients


def _is_chat(to: str) -> bool:
    return to.startswith("@") or (to.isascii() and to.removeprefix("-").partition(":")[0].isdecimal())


def whole_seconds(span: Span | None) -> int | str | None:
    """Convert a span to whole seconds, rounded up; text stays."""
    if isinstance(span, timedelta):
        return -(-span // timedelta(seconds=1))
    return span


def rfc3339(moment: "datetime | None") -> str | None:
    """Format a time. Raises Refused without a time zone, as the daemon's may differ."""
    if moment is not None and moment.utcoffset() is None:
        raise Refused(f"{moment} has no time zone.", hint="Give an aware datetime, such as `moment.astimezone()`.")
    return None if moment is None else moment.isoformat()


def buttons_of(buttons: Sequence[Button]) -> list[dict[str, object]] | None:
    """Encode the buttons. Raises Refused for too many, or for one that has no action, or two."""
    if len(buttons) > MAX_BUTTONS:
        raise Refused(f"A message can have at most {MAX_BUTTONS} buttons, not {len(buttons)}.", hint="Leave some out.")
    for button in buttons:
        if (button.url is None) == (button.copy is None):
            raise Refused(f"The button `{button.text}` needs a URL or a text to copy.", hint="Give it one of the two.")
    return [without_none({"text": each.text, "url": each.url, "copy": each.copy}) for each in buttons] or None


def without_none(fields: Mapping[str, object]) -> dict[str, object]:
    """Drop the fields that have no value."""
    return {name: value for name, value in fields.items() if value is not None}
