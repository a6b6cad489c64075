"""Build buttons and parse their callback data.

Callback data has at most 64 bytes and is self-contained, so that buttons survive a restart. It contains unguessable
ids, so that a button from an older database matches nothing.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time, timedelta

from notifybot.model.ids import full, is_id, short
from notifybot.rendering.parts import Buttons, PostButton
from notifybot.times.spans import LONGEST, SHORTEST, Tomorrow, format_span

Snooze = timedelta | Tomorrow

_VERSION = re.compile(r"[0-9]{1,9}")
_SECONDS = re.compile(r"[1-9][0-9]{0,8}")
_TIME = re.compile(r"t([01][0-9]|2[0-3])([0-5][0-9])")
_TINY_ID = re.compile(r"[A-Za-z0-9_-]{22}")
_ON_CALL = re.compile(r"[a-z]{1,8}|[1-9][0-9]{0,8}")
_ROTATION = re.compile(r"([0-9a-f]{8})?")
_SETTING = re.compile(r"[a-z]{1,8}(:[A-Za-z0-9_+/:-]{0,32})?")


@dataclass(frozen=True)
class AcknowledgePress:
    """Acknowledge on a post: concerns the messages in this version of the post."""

    post_id: str
    version: int


@dataclass(frozen=True)
class SnoozePress:
    """Snooze on a post: concerns the same messages."""

    post_id: str
    version: int
    snooze: Snooze


@dataclass(frozen=True)
class ClosePress:
    """Close on a post with an acknowledged alert: concerns the same messages."""

    post_id: str
    version: int


@dataclass(frozen=True)
class UnacknowledgePress:
    """Take back on such a post: withdraws the acknowledgement."""

    post_id: str
    version: int


@dataclass(frozen=True)
class AcknowledgeMessagePress:
    """Acknowledge in a list of open alerts: concerns one message."""

    message_id: str


@dataclass(frozen=True)
class SettingPress:
    """A button in a person's settings, shown in this post. `value` may be empty."""

    post_id: str
    action: str
    value: str


@dataclass(frozen=True)
class OnCallPress:
    """A button of /oncall, shown in this post.

    `action` is a word, or the seconds of a take-over. `rotation` is a `rotation_key`, or empty.
    """

    post_id: str
    action: str
    rotation: str


_PRESSES: dict[str, type[AcknowledgePress | ClosePress | UnacknowledgePress]] = {
    "ack": AcknowledgePress,
    "clo": ClosePress,
    "una": UnacknowledgePress,
}
Press = (
    AcknowledgePress
    | SnoozePress
    | ClosePress
    | UnacknowledgePress
    | AcknowledgeMessagePress
    | SettingPress
    | OnCallPress
)


def acknowledge_button(post_id: str, version: int) -> PostButton:
    return PostButton("Acknowledge", callback_data=f"ack:{short(post_id)}:{version}", style="success")


def snooze_button(post_id: str, version: int, snooze: Snooze) -> PostButton:
    return PostButton(_snooze_label(snooze), callback_data=f"sno:{short(post_id)}:{version}:{_write_snooze(snooze)}")


def close_button(post_id: str, version: int) -> PostButton:
    return PostButton("Close", callback_data=f"clo:{short(post_id)}:{version}", style="success")


def unacknowledge_button(post_id: str, version: int) -> PostButton:
    return PostButton("Take back", callback_data=f"una:{short(post_id)}:{version}")


def open_alert_button(message_id: str, label: str) -> PostButton:
    return PostButton(label, callback_data=f"one:{short(message_id)}")


def setting_button(post_id: str, label: str, action: str, value: str = "") -> PostButton:
    return PostButton(label, callback_data=f"set:{_tiny(post_id)}:{action}:{value}".rstrip(":"))


def on_call_button(post_id: str, label: str, action: str, rotation: str = "") -> PostButton:
    key = rotation_key(rotation) if rotation else ""
    return PostButton(label, callback_data=f"onc:{_tiny(post_id)}:{action}:{key}")


def rotation_key(rotation: str) -> str:
    """Return a short key for a rotation, whose name may be too long for callback data."""
    return hashlib.sha256(rotation.encode()).hexdigest()[:8]


def read_callback_data(data: str) -> Press | None:
    """Parse callback data; None for data that no button of ours has."""
    match data.split(":", 3):
        case ["ack" | "clo" | "una" as verb, post, version] if is_id(full(post)) and _VERSION.fullmatch(version):
            return _PRESSES[verb](full(post), int(version))
        case ["sno", post, version, value] if is_id(full(post)) and _VERSION.fullmatch(version):
            snooze = _read_snooze(value)
            return None if snooze is None else SnoozePress(full(post), int(version), snooze)
        case ["one", message] if is_id(full(message)):
            return AcknowledgeMessagePress(full(message))
        case ["set", post, *rest] if _SETTING.fullmatch(":".join(rest)):
            post_id = _untiny(post)
            return None if post_id is None else SettingPress(post_id, rest[0], rest[1] if len(rest) > 1 else "")
        case ["onc", post, action, key] if _ON_CALL.fullmatch(action) and _ROTATION.fullmatch(key):
            post_id = _untiny(post)
            return None if post_id is None else OnCallPress(post_id, action, key)
    return None


def _snooze_label(snooze: Snooze) -> str:
    if isinstance(snooze, Tomorrow):
        return f"Until tomorrow {snooze.at:%H:%M}"
    return f"Snooze {_spaced(format_span(snooze))}"


def _spaced(span: str) -> str:
    """Write `1h30m` as `1 h 30 m`, and minutes alone as `15 min`."""
    words = re.sub(r"([0-9]+)([a-z])", r"\1 \2 ", span).strip()
    return f"{words}in" if re.fullmatch(r"[0-9]+ m", words) else words


def _write_snooze(snooze: Snooze) -> str:
    return f"t{snooze.at:%H%M}" if isinstance(snooze, Tomorrow) else str(int(snooze.total_seconds()))


def _read_snooze(value: str) -> Snooze | None:
    if found := _TIME.fullmatch(value):
        return Tomorrow(time(int(found[1]), int(found[2])))
    if not _SECONDS.fullmatch(value) or not SHORTEST <= timedelta(seconds=int(value)) <= LONGEST:
        return None
    return timedelta(seconds=int(value))


def _tiny(uuid: str) -> str:
    """Return the id in 22 characters: `short` would leave too little room for a time zone."""
    return base64.urlsafe_b64encode(bytes.fromhex(short(uuid))).decode().rstrip("=")


def _untiny(text: str) -> str | None:
    if not _TINY_ID.fullmatch(text):
        return None
    try:
        uuid = full(base64.urlsafe_b64decode(f"{text}==").hex())
    except binascii.Error:
        return None
    return uuid if is_id(uuid) and _tiny(uuid) == text else None


BUTTONS_PER_ROW = 2


def button_rows(buttons: Sequence[PostButton], per_row: int = BUTTONS_PER_ROW) -> Buttons:
    return tuple(tuple(buttons[start : start + per_row]) for start in range(0, len(buttons), per_row))
