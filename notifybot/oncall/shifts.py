"""Read who is on call, until when, and who is next."""

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from sqlmodel import Session, col, select

from notifybot.errors import NotFound
from notifybot.model.chats import Chat
from notifybot.model.schedules import OnCallOverride
from notifybot.people import people
from notifybot.recipients.address import RecipientKind, recipient_of
from notifybot.recipients.directory import Directory
from notifybot.rotations import overrides
from notifybot.rotations.rotation import Override, Rotation, Shift, next_handover, shift_start, shifts

DisplayNames = Mapping[str, str]
"""How people see recipients."""

MOST_SHOWN = 6
"""Stints: the one that it is now, and those after it."""


@dataclass(frozen=True)
class RotationStatus:
    """How a rotation stands. `stints`: who is on call now, since when, and who is after that; `names`: how people see
    its members."""

    rotation: str
    rota: Rotation
    stints: tuple[Shift, ...]
    overrides: tuple[OnCallOverride, ...]
    handover: datetime | None
    names: DisplayNames

    @property
    def now(self) -> Shift:
        return self.stints[0]

    def named(self, members: Collection[str]) -> str:
        """Members as people read them."""
        return ", ".join(self.names[member] for member in members) or "nobody"


def all_statuses(session: Session, directory: Directory, *, now: datetime) -> list[RotationStatus]:
    """How all rotations stand, in the order of the config."""
    standing = overrides.active_or_upcoming(session, now=now)
    return [_status(session, directory, name, standing.get(name, []), now=now) for name in directory.rotas]


def find_status(session: Session, directory: Directory, rotation: str, *, now: datetime) -> RotationStatus:
    """How one stands. Raises NotFound."""
    check_known(directory, rotation)
    standing = overrides.active_or_upcoming(session, now=now).get(rotation, [])
    return _status(session, directory, rotation, standing, now=now)


def check_known(directory: Directory, rotation: str) -> None:
    """Raise NotFound for what is no rotation of the config."""
    if rotation in directory.rotas:
        return
    near = difflib.get_close_matches(rotation, directory.rotas, n=1)
    hint = f"Did you mean {near[0]}?" if near else "The config has them under rotations."
    raise NotFound(f"There is no rotation {rotation!r}.", hint=hint)


def _status(
    session: Session, directory: Directory, rotation: str, standing: list[Override], *, now: datetime
) -> RotationStatus:
    rota = directory.rotas[rotation]
    current, *following = islice(shifts(rota, standing, now), MOST_SHOWN)
    begun = replace(current, starts_at=shift_start(rota, overrides.recent(session, rotation, now=now), now))
    rows = [session.get_one(OnCallOverride, each.id) for each in standing]
    members = {*rota.members, *rota.otherwise, *(each.member for each in standing)}
    return RotationStatus(
        rotation, rota, (begun, *following), tuple(rows), next_handover(rota, now), names_of(session, members)
    )


def names_of(session: Session, members: Collection[str]) -> dict[str, str]:
    """How people see these recipients: people by their accounts, or else as they call themselves, chats by their
    titles, all others as they are written."""
    meant = {member: recipient_of(member) for member in members}
    readers = people.readers(session, {each.name for each in meant.values() if each.kind is RecipientKind.PERSON})
    chat_ids = [each.name for each in meant.values() if each.kind is RecipientKind.CHAT]
    asked = select(Chat.id, Chat.title).where(col(Chat.id).in_(chat_ids), col(Chat.title).is_not(None))
    shown = {chat_id: str(title) for chat_id, title in session.exec(asked)} if chat_ids else {}
    everybody = {**readers, **people.readers_of_chats(session, chat_ids)}
    shown |= {name: reader.label for name, reader in everybody.items()}
    return {member: shown.get(each.name, member) for member, each in meant.items()}
