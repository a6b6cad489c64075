"""Read who is on call, until when, and who is next."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from sqlmodel import Session, col, select

from notifybot.errors import NotFound, did_you_mean
from notifybot.model.chats import Chat
from notifybot.model.schedules import OnCallOverride
from notifybot.people import people
from notifybot.recipients.address import RecipientKind, recipient_of
from notifybot.recipients.directory import Directory
from notifybot.rotations import overrides
from notifybot.rotations.rotation import Override, Rotation, Shift, next_handover, shift_start, shifts

DisplayNames = Mapping[str, str]
"""Recipients as people see them."""

MAX_SHIFTS = 6
"""Shifts shown: the current one and those after it."""


@dataclass(frozen=True)
class RotationStatus:
    """Current and coming shifts of a rotation, and its overrides. `names`: its members as people see them."""

    name: str
    rotation: Rotation
    shifts: tuple[Shift, ...]
    overrides: tuple[OnCallOverride, ...]
    next_handover: datetime | None
    names: DisplayNames

    @property
    def current(self) -> Shift:
        return self.shifts[0]

    def named(self, members: Collection[str]) -> str:
        return ", ".join(self.names[member] for member in members) or "nobody"


def all_statuses(session: Session, directory: Directory, *, now: datetime) -> list[RotationStatus]:
    """Return the status of every rotation, in config order."""
    found = overrides.active_or_upcoming(session, now=now)
    return [_status(session, directory, name, found.get(name, []), now=now) for name in directory.rotations]


def find_status(session: Session, directory: Directory, name: str, *, now: datetime) -> RotationStatus:
    """Return the status of one rotation. Raises NotFound."""
    check_known(directory, name)
    found = overrides.active_or_upcoming(session, now=now).get(name, [])
    return _status(session, directory, name, found, now=now)


def end_of_duty(session: Session, directory: Directory, override: OnCallOverride, *, now: datetime) -> datetime | None:
    """Return when the member of a new override goes off call: at its end, or later if they are on call anyway.

    None if no end is in sight.
    """
    active = overrides.active_or_upcoming(session, now=now).get(override.rotation, [])
    return next(shifts(directory.rotations[override.rotation], active, override.starts_at)).until


def check_known(directory: Directory, rotation: str) -> None:
    """Raise NotFound unless the config defines this rotation."""
    if rotation in directory.rotations:
        return
    near = did_you_mean(rotation, directory.rotations)
    hint = "Rotations are defined in the config, under rotations." if near is None else f"Did you mean {near}?"
    raise NotFound(f"There is no rotation {rotation!r}.", hint=hint)


def _status(
    session: Session, directory: Directory, name: str, active: list[Override], *, now: datetime
) -> RotationStatus:
    rotation = directory.rotations[name]
    current, *following = islice(shifts(rotation, active, now), MAX_SHIFTS)
    started = replace(current, starts_at=shift_start(rotation, overrides.recent(session, name, now=now), now))
    rows = [session.get_one(OnCallOverride, each.id) for each in active]
    members = {*rotation.members, *rotation.otherwise, *(each.member for each in active)}
    return RotationStatus(
        name,
        rotation,
        (started, *following),
        tuple(rows),
        next_handover(rotation, now),
        names_of(session, members),
    )


def names_of(session: Session, members: Collection[str]) -> dict[str, str]:
    """Return recipients as people see them: accounts or else Telegram names, titles of chats, all others as written."""
    meant = {member: recipient_of(member) for member in members}
    readers = people.readers(session, {each.name for each in meant.values() if each.kind is RecipientKind.PERSON})
    chat_ids = [each.chat_id for each in meant.values() if each.kind is RecipientKind.CHAT]
    asked = select(Chat.id, Chat.title).where(col(Chat.id).in_(chat_ids), col(Chat.title).is_not(None))
    shown = {chat_id: str(title) for chat_id, title in session.exec(asked)} if chat_ids else {}
    everybody = {**readers, **people.readers_of_chats(session, chat_ids)}
    shown |= {name: reader.label for name, reader in everybody.items()}
    return {member: shown.get(each.chat_id, member) for member, each in meant.items()}
