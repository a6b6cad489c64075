"""Taking over people and codes that another program knows: all that fits, and why the rest does not."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlmodel import Session, select

from notifybot import chats, linking
from notifybot.identities import Person
from notifybot.messages import Actor
from notifybot.secret_key import SecretKey


@dataclass(frozen=True)
class Record:
    """Somebody as the other program knows them. Without a `user_id` they get a new one."""

    chat_id: str
    user_id: str | None = None
    chat_name: str | None = None
    account: str | None = None
    created_at: datetime | None = None
    linked_at: datetime | None = None


@dataclass(frozen=True)
class Code:
    """A code that the other program gave to a chat, and that nobody has used yet."""

    code: str
    chat_id: str
    expires_at: datetime


class Fate(StrEnum):
    ADDED = "added"
    LINKED = "linked"
    """Was subscribed already, and got their account."""
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True)
class Entry:
    """What became of one record or code; `reason`, where it was refused."""

    what: str
    fate: Fate
    reason: str | None = None


class Rehearsed(Exception):
    """All of it was tried and taken back."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        super().__init__()
        self.entries = entries


def take(
    session: Session, key: SecretKey, people: Sequence[Record], codes: Sequence[Code], actor: Actor, *, now: datetime
) -> list[Entry]:
    """Take over what fits. Nobody is told; who is known already keeps what they have."""
    found = [_take_person(session, record, actor, now=now) for record in people]
    return found + [_take_code(session, key, code, now=now) for code in codes]


def rehearse(
    session: Session, key: SecretKey, people: Sequence[Record], codes: Sequence[Code], actor: Actor, *, now: datetime
) -> None:
    """Raises Rehearsed with what `take` would do, so that nothing of it stays."""
    raise Rehearsed(take(session, key, people, codes, actor, now=now))


def _take_person(session: Session, record: Record, actor: Actor, *, now: datetime) -> Entry:
    what = record.account or record.chat_name or record.chat_id
    known = session.exec(select(Person).where(Person.chat_id == record.chat_id)).one_or_none()
    if (reason := _why_not(session, record, known)) is not None:
        return Entry(what, Fate.REFUSED, reason)
    if known is not None and record.account in (None, known.account):
        return Entry(what, Fate.UNCHANGED)
    person = known or _new_person(session, record, now=now)
    if record.account is not None:
        person.account, person.linked_at, person.linked_by = record.account, record.linked_at or now, actor.name
    session.add(person)
    session.flush()
    return Entry(what, Fate.ADDED if known is None else Fate.LINKED)


def _why_not(session: Session, record: Record, known: Person | None) -> str | None:
    """What of the record contradicts what is known here."""
    if record.user_id is not None and known is not None and known.user_id != record.user_id:
        return f"the chat {record.chat_id} is subscribed already, under the user_id {known.user_id}"
    if record.user_id is not None and known is None and session.get(Person, record.user_id) is not None:
        return f"the user_id {record.user_id} is another chat's"
    if record.account is None:
        return None
    if known is not None and known.account not in (None, record.account):
        return f"the chat {record.chat_id} is linked to {known.account}"
    holder = linking.person_of(session, record.account)
    if holder is not None and holder.chat_id != record.chat_id:
        return f"{record.account} is linked to another chat, {holder.chat_id}"
    return None


def _new_person(session: Session, record: Record, *, now: datetime) -> Person:
    chats.ensure(session, {record.chat_id})
    return Person(
        user_id=record.user_id or str(uuid.uuid4()),
        chat_id=record.chat_id,
        chat_name=record.chat_name or record.account or record.chat_id,
        created_at=record.created_at or record.linked_at or now,
    )


def _take_code(session: Session, key: SecretKey, code: Code, *, now: datetime) -> Entry:
    what = f"a code of the chat {code.chat_id}"
    if code.expires_at <= now:
        return Entry(what, Fate.REFUSED, "it has expired")
    if session.exec(select(Person).where(Person.chat_id == code.chat_id)).one_or_none() is None:
        return Entry(what, Fate.REFUSED, "the chat is not subscribed")
    expires_at = min(code.expires_at, now + linking.VALID_FOR)
    is_taken = linking.add_code(session, key, code.code, code.chat_id, expires_at=expires_at, now=now)
    return Entry(what, Fate.ADDED) if is_taken else Entry(what, Fate.REFUSED, "another chat has the same code")
