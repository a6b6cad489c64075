"""Formats of push services, so that their clients can send to notifybot: ntfy, Gotify, and Apprise's JSON.

https://docs.ntfy.sh/publish/ · https://gotify.net/docs/pushmsg · https://appriseit.com/services/json/
"""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta

from notifybot.inbound.event import Event, Link, links_of, priority_of
from notifybot.inbound.received import Fields, Received, as_text
from notifybot.model.enums import Priority
from notifybot.times.spans import parse_span

MAX_TAGS = 20
TRIGGERED = "triggered"
"""ntfy's text of a message without one."""
NAMES: Mapping[str, tuple[str, ...]] = {
    "message": ("message", "m"),
    "title": ("title", "t"),
    "priority": ("priority", "prio", "p"),
    "tags": ("tags", "tag", "ta"),
    "click": ("click",),
    "attach": ("attach", "a"),
    "actions": ("actions", "action"),
    "delay": ("delay", "at", "in"),
}
"""ntfy's names of a field, as a header (also with X- before it) or query parameter."""
PRIORITIES = {"1": Priority.LOW, "2": Priority.LOW, "3": Priority.NORMAL, "4": Priority.HIGH, "5": Priority.CRITICAL}
EMOJI = {
    "warning": "⚠️",
    "rotating_light": "🚨",
    "skull": "💀",
    "fire": "🔥",
    "no_entry": "⛔",
    "x": "❌",
    "bug": "🐛",
    "white_check_mark": "✅",
    "heavy_check_mark": "✔️",
    "tada": "🎉",
    "+1": "👍",
    "-1": "👎",
    "rocket": "🚀",
    "loudspeaker": "📢",
    "mailbox": "📫",
    "computer": "💻",
    "floppy_disk": "💾",
    "lock": "🔒",
    "package": "📦",
    "bell": "🔔",
    "clock": "🕐",
    "hourglass": "⌛",
    "calendar": "📅",
    "car": "🚗",
    "house": "🏠",
    "zap": "⚡",
}
"""The tags that ntfy's documentation uses; other tags stand under the text."""
_DELAY = re.compile(r"([0-9]{1,6}) ?(s|sec|secs|m|min|mins|h|hour|hours|d|day|days)")
GOTIFY_HIGH, GOTIFY_NORMAL = 8, 4


def read_ntfy(received: Received) -> Event:
    """Read a message in the body with fields in headers and query, or a JSON object with a topic."""
    if received.has_topic:
        return _ntfy(received.fields(), None)
    given = {name: _given(received, names) for name, names in NAMES.items()}
    text = as_text(received.text) or given["message"]
    return _ntfy(Fields({**given, "message": text, "tags": given["tags"].split(",")}), given["actions"])


def read_gotify(received: Received) -> Event:
    fields = received.form() or received.fields()
    click = fields.section("extras").section("client::notification").section("click")
    return Event(
        title=fields.text("title"),
        text=fields.needed("message"),
        priority=_gotify_priority(fields.text("priority")),
        links=links_of({"Open": click.text("url")}),
    )


def read_apprise(received: Received) -> Event:
    document = received.fields()
    names = [name for each in document.items("attachments") if (name := each.text("filename"))]
    return Event(
        title=document.text("title"),
        text=document.text("message") if document.text("title") else document.needed("message"),
        priority=priority_of(document.text("type")),
        labels={"not shown": ", ".join(names)} if names else {},
    )


def _ntfy(fields: Fields, actions: str | None) -> Event:
    tags = _tags(fields)
    emoji = "".join(EMOJI[tag] for tag in tags if tag in EMOJI)
    text, title = fields.text("message").strip() or TRIGGERED, fields.text("title")
    priority = fields.text("priority")
    return Event(
        title=f"{emoji} {title}".strip() if title else "",
        text=text if title else f"{emoji} {text}".strip(),
        priority=PRIORITIES.get(priority) or priority_of(priority),
        links=(
            *links_of({"Open": fields.text("click"), "Attachment": fields.text("attach")}),
            *(_action_links(fields.items("actions")) if actions is None else _short_actions(actions)),
        ),
        labels={"tags": ", ".join(tag for tag in tags if tag not in EMOJI)},
        delay=_delay(fields),
    )


def _given(received: Received, names: Sequence[str]) -> str:
    """Return a field from the headers, else from the query; names of both ignore case."""
    query = {name.lower(): value for name, value in received.query.items()}
    spelled = [spelling for name in names for spelling in (f"x-{name}", name)]
    found = (source[name] for source in (received.headers, query) for name in spelled if name in source)
    return as_text(next(found, ""))


def _tags(fields: Fields) -> list[str]:
    value = fields.values.get("tags")
    if value is None:
        return []
    if not isinstance(value, list):
        raise fields.refuse("tags", "this must be a list")
    return [tag.strip() for tag in map(as_text, value[:MAX_TAGS]) if tag.strip()]


def _action_links(actions: Sequence[Fields]) -> tuple[Link, ...]:
    """Return the links among the actions; the others run on a phone with ntfy's app."""
    return links_of(
        {each.text("label") or "Open": each.text("url") for each in actions if each.text("action") == "view"}
    )


def _short_actions(actions: str) -> tuple[Link, ...]:
    """Read `view, Open portal, https://…; http, …`."""
    parts = ([part.strip() for part in action.split(",")] for action in actions.split(";"))
    return links_of({each[1]: each[2] for each in parts if len(each) > 2 and each[0] == "view"})


def _delay(fields: Fields) -> timedelta | None:
    delay = fields.text("delay").strip().lower()
    if not delay:
        return None
    if (found := _DELAY.fullmatch(delay)) is None:
        raise fields.refuse("delay", "this must be a span like 30m or 2 hours")
    return parse_span(f"{int(found[1])}{found[2][0]}")


def _gotify_priority(priority: str) -> Priority | None:
    if not priority.isascii() or not priority.isdecimal() or len(priority) > 3:
        return None
    number = int(priority)
    return Priority.HIGH if number >= GOTIFY_HIGH else Priority.NORMAL if number >= GOTIFY_NORMAL else Priority.LOW
