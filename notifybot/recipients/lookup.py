"""Read from the database what resolving a batch of recipients needs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sqlmodel import Session

from notifybot.people import people
from notifybot.people.people import Reader
from notifybot.posts import chats
from notifybot.posts.chats import Reached
from notifybot.recipients.address import Recipient, RecipientKind, recipient_of
from notifybot.recipients.directory import Directory
from notifybot.rotations.overrides import active_or_upcoming


class RecipientRequest(Protocol):
    """What a message says of its recipients. `allowed`: to whom its caller may send, in the config's words; None is
    anybody. `is_awaited`: they chose this time for it, so that no quiet hours hold it up."""

    @property
    def account(self) -> str: ...
    @property
    def recipients(self) -> tuple[Recipient, ...]: ...
    @property
    def is_alert(self) -> bool: ...
    @property
    def allowed(self) -> frozenset[str] | None: ...
    @property
    def is_awaited(self) -> bool: ...


@dataclass(frozen=True)
class RecipientQuery:
    """Recipients alone, as far as it matters who may tell them something."""

    account: str
    recipients: tuple[Recipient, ...]
    allowed: frozenset[str] | None
    is_alert: bool = True
    is_awaited: bool = False


@dataclass(frozen=True)
class Lookup:
    """What the database says of the recipients of a batch, at `now`."""

    directory: Directory
    now: datetime
    by_name: Mapping[str, Reader]
    by_chat: Mapping[str, Reader]
    """Whose private chats were named by their ids, where it matters what they chose."""
    everybody: Sequence[Reader]
    chats: Mapping[str, Reached]


def look_up(session: Session, wishes: Collection[RecipientRequest], directory: Directory, *, now: datetime) -> Lookup:
    """Read what `way_of` has to know of all these recipients at once."""
    if directory.turning:
        directory = as_of(session, directory, _names_in(wishes), now=now)
    asked = _Asked(directory)
    for wish in wishes:
        asked.note(wish)
    by_name = people.readers(session, asked.persons) if asked.persons else {}
    by_chat = people.readers_of_chats(session, asked.private) if asked.private else {}
    everybody = people.all_readers(session) if asked.is_everybody else ()
    theirs = {reader.chat_id for reader in (*by_name.values(), *everybody)}
    return Lookup(directory, now, by_name, by_chat, everybody, chats.current(session, asked.chats, theirs))


def _names_in(wishes: Collection[RecipientRequest]) -> set[str]:
    named = {recipient.name for wish in wishes for recipient in wish.recipients}
    return named.union(*(wish.allowed for wish in wishes if wish.allowed is not None))


@dataclass
class _Asked:
    """What the recipients of a batch name. `private`: private chats, where it matters what their people chose."""

    directory: Directory
    persons: set[str] = field(default_factory=set)
    chats: set[str] = field(default_factory=set)
    private: set[str] = field(default_factory=set)
    is_everybody: bool = False

    def note(self, wish: RecipientRequest) -> None:
        reaches_all = wish.is_alert and self.directory.alerts_reach_muted
        for recipient in wish.recipients:
            for member in self.directory.members(recipient):
                self._add(member)
                if not reaches_all and member.kind is RecipientKind.CHAT and member.name.isdecimal():
                    self.private.add(member.name)
        for text in wish.allowed or ():
            for member in self.directory.members(recipient_of(text)):
                self._add(member)

    def _add(self, member: Recipient) -> None:
        match member.kind:
            case RecipientKind.CHAT:
                self.chats.add(member.name)
            case RecipientKind.SUBSCRIBERS:
                self.is_everybody = True
            case _:
                self.persons.add(member.name)


def as_of(session: Session, directory: Directory, names: Collection[str], *, now: datetime) -> Directory:
    """The directory with whoever is on call at `now`, where one of these names turns; for others it costs nothing."""
    if directory.turning.isdisjoint(names):
        return directory
    return directory.at(now, active_or_upcoming(session, now=now))
