"""Rotations, shifts and overrides in the API."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from notifybot.model.schedules import OnCallOverride
from notifybot.oncall.status import DisplayNames, RotationStatus
from notifybot.rotations.rotation import Reason, Shift
from notifybot.web.documents import Timestamp, build, named


@dataclass(slots=True, kw_only=True)
class ShiftDocument:
    """Who is on call, and until when: `on_call` as the config names them, `names` as people know them."""

    on_call: tuple[str, ...]
    names: list[str]
    reason: Reason
    starts_at: Annotated[Timestamp, named("from")]
    until: Timestamp | None


@dataclass(slots=True, kw_only=True)
class OverrideDocument:
    """Someone who is on call instead, for a while."""

    id: str
    rotation: str
    member: str
    name: str
    starts_at: Annotated[Timestamp, named("from")]
    ends_at: Annotated[Timestamp, named("until")]
    created_at: Timestamp
    created_by: str
    cancelled_at: Timestamp | None


@dataclass(slots=True, kw_only=True)
class NewOverrideDocument(OverrideDocument):
    """A new override, and when its member goes off call: later than `until` if they are on call then anyway."""

    on_call_until: Timestamp | None


@dataclass(slots=True, kw_only=True)
class RotationDocument(ShiftDocument):
    """A rotation: its current shift, the next ones, and its overrides."""

    rotation: str
    time_zone: str
    handover_at: Timestamp | None
    next: list[ShiftDocument]
    overrides: list[OverrideDocument]


@dataclass(slots=True, kw_only=True)
class RotationsDocument:
    rotations: list[RotationDocument]


def rotation(found: RotationStatus) -> RotationDocument:
    current, *following = (_shift(each, found.names) for each in found.shifts)
    return build(
        RotationDocument,
        current,
        rotation=found.name,
        time_zone=found.rotation.zone,
        handover_at=found.next_handover,
        next=following,
        overrides=[override(each, found.names) for each in found.overrides],
    )


def _shift(found: Shift, names: DisplayNames) -> ShiftDocument:
    members = found.assignment.members
    return build(ShiftDocument, found, found.assignment, on_call=members, names=[names[member] for member in members])


def new_override(made: OnCallOverride, names: DisplayNames, on_call_until: datetime | None) -> NewOverrideDocument:
    return build(NewOverrideDocument, made, name=names[made.member], on_call_until=on_call_until)


def override(found: OnCallOverride, names: DisplayNames) -> OverrideDocument:
    return build(OverrideDocument, found, name=names[found.member])
