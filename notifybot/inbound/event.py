"""An event of another program, in the same values whatever its format."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from notifybot.model.enums import Priority

MAX_KEY = 128
MAX_TITLE = 256
MAX_LINK = 2048
MAX_LINK_TEXT = 64
MAX_BUTTONS = 4
MAX_LABELS = 12
MAX_LABEL = 200

PRIORITIES: Mapping[str, Priority] = {
    word: priority
    for priority, words in {
        Priority.CRITICAL: ("critical", "page", "emergency", "disaster", "fatal", "crit", "alert", "urgent", "max"),
        Priority.HIGH: ("high", "error", "major", "err", "failure"),
        Priority.NORMAL: ("warning", "warn", "average", "medium", "moderate", "minor", "normal", "default"),
        Priority.LOW: ("info", "information", "informational", "notice", "none", "low", "debug", "min", "success"),
    }.items()
    for word in words
}
"""Severities, as programs spell them."""
RESOLVED = frozenset({"resolved", "ok", "up", "recovered", "recovery", "closed", "normal", "solved", "inactive"})
"""Words for a problem that is over."""


@dataclass(frozen=True)
class Link:
    text: str
    url: str


@dataclass(frozen=True)
class Event:
    """What a program reports. `text` may be blank if there is a title.

    `key`: the sender's identity of the problem: a repeat counts up on its post, `is_resolved` closes it.
    `delivery_id`: the sender's id of this request, the same when it repeats it. `delay`: send it only then.
    """

    title: str
    text: str
    key: str | None = None
    is_resolved: bool = False
    priority: Priority | None = None
    links: tuple[Link, ...] = ()
    labels: Mapping[str, str] | None = None
    delivery_id: str | None = None
    delay: timedelta | None = None

    @property
    def buttons(self) -> tuple[Link, ...]:
        """Links that Telegram accepts as buttons: others, such as http://prometheus:9090, stand in the text."""
        return tuple(filter(_is_public, self.links))[:MAX_BUTTONS]

    @property
    def content(self) -> str:
        """The whole text: what happened, labels, and the links that cannot be buttons."""
        others = [f"{link.text}: {link.url}" for link in self.links if link not in self.buttons]
        lines = [self.text.strip(), labels_line(self.labels or {}), *others]
        return "\n".join(filter(None, lines)) or self.title


def priority_of(severity: str) -> Priority | None:
    """Return the priority of a severity; None for an unknown word, which leaves it to the route."""
    return PRIORITIES.get(severity.strip().lower())


def is_over(status: str) -> bool:
    return status.strip().lower() in RESOLVED


def labels_line(labels: Mapping[str, str]) -> str:
    """Write labels for people: `instance: db1 · job: node`."""
    shown = [f"{name}: {value[:MAX_LABEL]}" for name, value in sorted(labels.items())[:MAX_LABELS] if value]
    return " · ".join(shown) + (" …" if len(labels) > MAX_LABELS else "")


def short_key(key: str) -> str | None:
    """Return a key as a dedup_key: unchanged if it is short and printable, else its hash."""
    if not key.strip():
        return None
    if len(key) <= MAX_KEY and key.isprintable():
        return key
    return f"sha256:{hashlib.sha256(key.encode('utf-8', 'replace')).hexdigest()}"


def links_of(given: Mapping[str, str]) -> tuple[Link, ...]:
    """Make links of those URLs that are web addresses; senders leave some empty."""
    return tuple(Link(text.strip()[:MAX_LINK_TEXT] or "Open", url) for text, url in given.items() if _is_web(url))


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    is_plain = len(url) <= MAX_LINK and url.isprintable() and " " not in url and url.isascii()
    return parts.scheme in ("http", "https") and bool(host) and is_plain


def _is_public(link: Link) -> bool:
    """Tell if Telegram accepts the host: it refuses names without a dot, and then the whole keyboard."""
    host = urlsplit(link.url).hostname or ""
    return "." in host.strip(".") or ":" in host
