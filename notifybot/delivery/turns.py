"""Whose turn it is: answers to people first, then the most urgent, and within one urgency each caller in turn."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from notifybot.model.enums import Urgency


class Lane(NamedTuple):
    """What one caller has due at one urgency, in chats that took a message before or in new ones (`is_new`).

    A caller has at most one call in flight in new chats: a thousand invented ones then cost the others nothing.
    """

    urgency: int
    is_new: bool
    caller: str
    at: datetime
    """Time of its first turn."""


@dataclass
class Served:
    """Who had the last turns. It is lost at a restart, which costs a caller one turn at most."""

    callers: dict[int, tuple[str, bool]] = field(default_factory=dict)
    """The lane that was served last at each urgency."""
    urgency: int | None = None
    """Urgency of the last turn with a call."""

    def note(self, lane: Lane, *, has_called: bool = True) -> None:
        """Note a turn; without a call if its chats had to wait."""
        self.callers[lane.urgency] = (lane.caller, lane.is_new)
        if has_called:
            self.urgency = lane.urgency


class Share(NamedTuple):
    """The lane whose turn it is, and how many calls it gets."""

    lane: Lane
    calls: int


def open_lanes(lanes: Sequence[Lane], busy: Collection[str], *, now: datetime) -> list[Lane]:
    """Return the lanes that may have a turn now; `busy`: callers with a call in flight in a new chat."""
    return [lane for lane in lanes if lane.at <= now and not (lane.is_new and lane.caller in busy)]


def next_share(lanes: Sequence[Lane], served: Served, room: int) -> Share:
    """Choose among open lanes; `room`: how many calls may begin.

    Answers never take two turns in a row while something else waits: strangers can ask for as many as they like.
    """
    top = min(lane.urgency for lane in lanes)
    others = [lane.urgency for lane in lanes if lane.urgency != Urgency.REPLY]
    is_shared = top == Urgency.REPLY and bool(others)
    if is_shared and served.urgency == Urgency.REPLY:
        top = min(others)
    waiting = sorted((lane for lane in lanes if lane.urgency == top), key=lambda lane: (lane.caller, lane.is_new))
    last = served.callers.get(top)
    lane = next((lane for lane in waiting if last is not None and (lane.caller, lane.is_new) > last), waiting[0])
    return Share(lane, 1 if is_shared or lane.is_new else -(-room // len(waiting)))
