"""Screens of /oncall: all rotations, or one of them, each with its buttons."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from notifybot.oncall.status import RotationStatus
from notifybot.rendering.buttons import on_call_button
from notifybot.rendering.parts import Buttons, Entity, Part, PostButton
from notifybot.rendering.split import utf16_len
from notifybot.rotations.rotation import Reason, Shift
from notifybot.times.display import shorten
from notifybot.times.zones import zone_of

NO_ROTATION = Part("No rotation is configured. Rotations are defined in the config, under rotations.")
TAKE_OVER = (("Take over for 1 h", "3600"), ("Take over for 8 h", "28800"))
UNTIL_THE_HANDOVER = "Take over until the handover"
MAX_ROTATIONS = 20
"""Rotations that fit into one message, with their names and members shortened."""
MAX_SHIFTS = 4
MAX_LABEL_LENGTH = 30
MAX_NAME_LENGTH = 60


@dataclass(frozen=True)
class OnCallScreen:
    """All rotations as of `now`, and the post that shows them."""

    statuses: Sequence[RotationStatus]
    post_id: str
    now: datetime

    def button(self, label: str, word: str, rotation: str = "") -> PostButton:
        return on_call_button(self.post_id, label, word, rotation)


def overview(screen: OnCallScreen) -> Part:
    """List all rotations; a single one gets its own page."""
    if not screen.statuses:
        return NO_ROTATION
    if len(screen.statuses) == 1:
        return page(screen, screen.statuses[0])
    is_one_zone = len({each.rotation.zone for each in screen.statuses}) == 1
    shown, more = screen.statuses[:MAX_ROTATIONS], len(screen.statuses) - MAX_ROTATIONS
    lines = [_line(each, zone="" if is_one_zone else f" ({each.rotation.zone})") for each in shown]
    lines += [f"and {more} more; `notifybot oncall` lists all"] if more > 0 else []
    buttons = [screen.button(shorten(each.name, MAX_LABEL_LENGTH), "see", each.name) for each in shown]
    rows = tuple(tuple(buttons[at : at + 2]) for at in range(0, len(buttons), 2))
    return _part("Who is on call", "\n".join(lines) + (_zone_note(screen.statuses[0]) if is_one_zone else ""), rows)


def page(screen: OnCallScreen, status: RotationStatus) -> Part:
    """Show one rotation: who is on call, and who is next."""
    lines = [f"{_who(status, status.current)}{_until(status, status.current)}"]
    lines += [f"then {_who(status, each)}{_until(status, each)}" for each in status.shifts[1:MAX_SHIFTS]]
    usage = f"/oncall override {status.name} NAME 2h"
    text = "\n".join(lines) + f"\n\n{usage} puts someone else on call.{_zone_note(status)}"
    return _part(f"Who is on call: {status.name}", text, _buttons(screen, status), code=usage)


def _buttons(screen: OnCallScreen, status: RotationStatus) -> Buttons:
    name = status.name
    spans = tuple(screen.button(label, word, name) for label, word in TAKE_OVER)
    until_handover = (screen.button(UNTIL_THE_HANDOVER, "turn", name),) if status.next_handover else ()
    is_override = status.current.assignment.reason is Reason.OVERRIDE
    end = (screen.button("End the override", "end", name),) if is_override else ()
    back = (screen.button("All rotations", "home"),) if len(screen.statuses) > 1 else ()
    return tuple(row for row in (spans, until_handover, end, back) if row)


def sentence(status: RotationStatus) -> str:
    """Say in one sentence who is on call, and until when."""
    who, until = _who(status, status.current, is_bare=True), _until(status, status.current)
    return f"{who} is on call for {status.name}{until} ({status.rotation.zone})."


def _who(status: RotationStatus, shift: Shift, *, is_bare: bool = False) -> str:
    named = shorten(status.named(shift.assignment.members), MAX_NAME_LENGTH)
    return f"{named} (override)" if shift.assignment.reason is Reason.OVERRIDE and not is_bare else named


def _until(status: RotationStatus, shift: Shift) -> str:
    if shift.until is None:
        return ""
    return f" until {shift.until.astimezone(zone_of(status.rotation.zone)):%a %Y-%m-%d %H:%M}"


def _line(status: RotationStatus, *, zone: str) -> str:
    until = _until(status, status.current)
    name = shorten(status.name, MAX_NAME_LENGTH)
    return f"{name}: {_who(status, status.current)}{until}{zone if until else ''}"


def _zone_note(status: RotationStatus) -> str:
    return f"\n\nTimes are in {status.rotation.zone}."


def _part(head: str, text: str, buttons: Buttons, *, code: str = "") -> Part:
    """Make the first line bold, and `code` copyable by a tap."""
    text = f"{head}\n\n{text}"
    entities = [Entity("bold", 0, utf16_len(head))]
    if code:
        entities.append(Entity("code", utf16_len(text[: text.rindex(code)]), utf16_len(code)))
    return Part(text, tuple(entities), buttons)
