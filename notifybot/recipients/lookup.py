"""Read from the database what resolving a batch of recipients needs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sqlmodel import Session

from notifybot.config.types import SELF
from notifybot.people import people
from notifybot.people.people import Reader
from notifybot.posts import chats
from notifybot.posts.chats import Reached
from notifybot.recipients.address import Recipient, RecipientKind, person_recipient, recipient_of
from notifybot.recipients.directory import Directory
from notifybot.rotations.overrides import active_or_upcoming


class RecipientRequest(Protocol):
    """Recipients of a message and their caller.

    `allowed`: recipients that the caller may send to, None for all. `is_awaited`: the recipients chose the time
    themselves, so quiet hours do not delay it.
    """

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
    """Recipients without a message."""

    account: str
    recipients: tuple[Recipient, ...]
    allowed: frozenset[str] | None
    is_alert: bool = True
    is_awaited: bool = False


@dataclass(frozen=True)
class Lookup:
    """Database rows for the recipients of a batch, as of `now`."""

    directory: Directory
    now: datetime
    by_name: Mapping[str, Reader]
    by_chat: Mapping[str, Reader]
    """Owners of private chats addressed by id, if their preferences matter."""
    everybody: Sequence[Reader]
    chats: Mapping[str, Reached]


def look_up(session: Session, requests: Collection[RecipientRequest], directory: Directory, *, now: datetime) -> Lookup:
    """Read everything that resolving these recipients needs, in one go."""
    if directory.rotating:
        directory = as_of(session, directory, _names_in(requests), now=now)
    asked = _Asked(directory)
    for request in requests:
        asked.add(request)
    by_name = people.readers(session, asked.persons) if asked.persons else {}
    by_chat = people.readers_of_chats(session, asked.private) if asked.private else {}
    everybody = people.all_readers(session) if asked.is_everybody else ()
    own_chats = {reader.chat_id for reader in (*by_name.values(), *everybody)}
    return Lookup(directory, now, by_name, by_chat, everybody, chats.current(session, asked.chats | own_chats))


def allowed_recipients(request: RecipientRequest) -> list[Recipient]:
    """Return `allowed` as recipients. SELF is the caller's account, even if a name in the config is spelled like it."""
    texts = request.allowed or ()
    return [person_recipient(request.account) if text == SELF else recipient_of(text) for text in texts]


def _names_in(requests: Collection[RecipientRequest]) -> set[str]:
    named = {recipient.name for request in requests for recipient in request.recipients}
    return named.union(*(request.allowed for request in requests if request.allowed is not None))


@dataclass
class _Asked:
    """People and chats to read for a batch. `private`: private chats whose owners' preferences matter."""

    directory: Directory
    persons: set[str] = field(default_factory=set)
    chats: set[str] = field(default_factory=set)
    private: set[str] = field(default_factory=set)
    is_everybody: bool = False

    def add(self, request: RecipientRequest) -> None:
        ignores_mutes = request.is_alert and self.directory.alerts_reach_muted
        for recipient in request.recipients:
            for member in self.directory.members(recipient):
                self._add_member(member)
                if not ignores_mutes and member.kind is RecipientKind.CHAT and member.chat_id.isdecimal():
                    self.private.add(member.chat_id)
        for allowed in allowed_recipients(request):
            for member in self.directory.members(allowed):
                self._add_member(member)

    def _add_member(self, member: Recipient) -> None:
        match member.kind:
            case RecipientKind.CHAT:
                self.chats.add(member.chat_id)
            case RecipientKind.SUBSCRIBERS:
                self.is_everybody = True
            case _:
                self.persons.add(member.name)


def as_of(session: Session, directory: Directory, names: Collection[str], *, now: datetime) -> Directory:
    """Return the directory as of `now` if one of these names rotates; otherwise nothing is read."""
    if directory.rotating.isdisjoint(names):
        return directory
    return directory.at(now, active_or_upcoming(session, now=now))
