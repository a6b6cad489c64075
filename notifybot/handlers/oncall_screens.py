"""What people see of who is on call: all rotations, or one of them, each with its buttons."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from notifybot.oncall.shifts import RotationStatus
from notifybot.rendering.buttons import on_call_button
from notifybot.rendering.parts import Buttons, Entity, Part, PostButton
from notifybot.rendering.split import utf16_len
from notifybot.rotations.rotation import Reason, Shift

NO_ROTATION = Part("No rotation is configured: the config has them under rotations.")
TAKE_OVER = (("Take over for 1 h", "3600"), ("Take over for 8 h", "28800"))
UNTIL_THE_HANDOVER = "Take over until the hand-over"
MAX_ROTATIONS = 20
"""Rotations; so many, with so much of each, fit into one message."""
MAX_SHIFTS = 4
MOST_NAMED = 30
"""Characters of a rotation's name on its button."""
MOST_OF_MEMBERS = 60


@dataclass(frozen=True)
class OnCallScreen:
    """How all rotations stand, as of `now`, and in which post that is shown."""

    standings: Sequence[RotationStatus]
    post_id: str
    now: datetime

    def button(self, label: str, word: str, rotation: str = "") -> PostButton:
        return on_call_button(self.post_id, label, word, rotation)


def overview(sheet: OnCallScreen) -> Part:
    """Where there is one rotation alone, that one."""
    if not sheet.standings:
        return NO_ROTATION
    if len(sheet.standings) == 1:
        return page(sheet, sheet.standings[0])
    shared = len({each.rota.zone for each in sheet.standings}) == 1
    shown, more = sheet.standings[:MAX_ROTATIONS], len(sheet.standings) - MAX_ROTATIONS
    lines = [_line(each, zone="" if shared else f" ({each.rota.zone})") for each in shown]
    lines += [f"and {more} more; `notifybot oncall` lists all"] if more > 0 else []
    buttons = [sheet.button(_shortened(each.rotation, MOST_NAMED), "see", each.rotation) for each in shown]
    rows = tuple(tuple(buttons[at : at + 2]) for at in range(0, len(buttons), 2))
    return _part("Who is on call", "\n".join(lines) + (_times(sheet.standings[0]) if shared else ""), rows)


def page(sheet: OnCallScreen, standing: RotationStatus) -> Part:
    """One rotation: who is on call, and who is after that."""
    stints = [f"{_who(standing, standing.now)}{_until(standing, standing.now)}"]
    stints += [f"then {_who(standing, each)}{_until(standing, each)}" for each in standing.stints[1:MAX_SHIFTS]]
    usage = f"/oncall override {standing.rotation} NAME 2h"
    text = "\n".join(stints) + f"\n\n{usage} lets somebody else stand in.{_times(standing)}"
    return _part(f"Who is on call: {standing.rotation}", text, _buttons(sheet, standing), code=usage)


def _buttons(sheet: OnCallScreen, standing: RotationStatus) -> Buttons:
    name = standing.rotation
    takes = tuple(sheet.button(label, word, name) for label, word in TAKE_OVER)
    turn = (sheet.button(UNTIL_THE_HANDOVER, "turn", name),) if standing.handover else ()
    is_override = standing.now.duty.reason is Reason.OVERRIDE
    ends = (sheet.button("End the override", "end", name),) if is_override else ()
    back = (sheet.button("All rotations", "home"),) if len(sheet.standings) > 1 else ()
    return tuple(row for row in (takes, turn, ends, back) if row)


def sentence(standing: RotationStatus) -> str:
    """One sentence: who is on call, until when."""
    who, until = _who(standing, standing.now, is_bare=True), _until(standing, standing.now)
    return f"{who} is on call for {standing.rotation}{until} ({standing.rota.zone})."


def _who(standing: RotationStatus, stint: Shift, *, is_bare: bool = False) -> str:
    named = _shortened(standing.named(stint.duty.members), MOST_OF_MEMBERS)
    return f"{named} (stands in)" if stint.duty.reason is Reason.OVERRIDE and not is_bare else named


def _until(standing: RotationStatus, stint: Shift) -> str:
    if stint.until is None:
        return ""
    return f" until {stint.until.astimezone(ZoneInfo(standing.rota.zone)):%a %Y-%m-%d %H:%M}"


def _line(standing: RotationStatus, *, zone: str) -> str:
    until = _until(standing, standing.now)
    name = _shortened(standing.rotation, MOST_OF_MEMBERS)
    return f"{name}: {_who(standing, standing.now)}{until}{zone if until else ''}"


def _times(standing: RotationStatus) -> str:
    return f"\n\nTimes are those of {standing.rota.zone}."


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _part(head: str, text: str, buttons: Buttons, *, code: str = "") -> Part:
    """Its first line stands out, and `code` is copied by a tap."""
    text = f"{head}\n\n{text}"
    entities = [Entity("bold", 0, utf16_len(head))]
    if code:
        entities.append(Entity("code", utf16_len(text[: text.rindex(code)]), utf16_len(code)))
    return Part(text, tuple(entities), buttons)
