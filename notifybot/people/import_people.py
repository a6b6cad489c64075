"""Import people and codes from another program: everything that fits, with reasons for the rest."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlmodel import Session, select

from notifybot.model.actors import Actor
from notifybot.model.people import Person
from notifybot.people import linking
from notifybot.posts import chats
from notifybot.system.secret_key import SecretKey


@dataclass(frozen=True)
class PersonRecord:
    """A person in the other program. Without a `user_id` they get a new one."""

    chat_id: str
    user_id: str | None = None
    chat_name: str | None = None
    account: str | None = None
    created_at: datetime | None = None
    linked_at: datetime | None = None


@dataclass(frozen=True)
class CodeRecord:
    """An unused link code that the other program gave to a chat."""

    code: str
    chat_id: str
    expires_at: datetime


class ImportOutcome(StrEnum):
    ADDED = "added"
    LINKED = "linked"
    """Was already subscribed, and got their account."""
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True)
class ImportEntry:
    """Outcome for one record or code; `reason` if it was refused."""

    what: str
    fate: ImportOutcome
    reason: str | None = None


class DryRun(Exception):
    """Raised to roll back an import that was only tried."""

    def __init__(self, entries: Sequence[ImportEntry]) -> None:
        super().__init__()
        self.entries = entries


def import_all(
    session: Session,
    key: SecretKey,
    people: Sequence[PersonRecord],
    codes: Sequence[CodeRecord],
    actor: Actor,
    *,
    now: datetime,
) -> list[ImportEntry]:
    """Import everything that fits. Nobody is notified; known people keep what they have."""
    found = [_import_person(session, record, actor, now=now) for record in people]
    return found + [_import_code(session, key, code, now=now) for code in codes]


def dry_run(
    session: Session,
    key: SecretKey,
    people: Sequence[PersonRecord],
    codes: Sequence[CodeRecord],
    actor: Actor,
    *,
    now: datetime,
) -> None:
    """Raise DryRun with what `import_all` would do, so that nothing is stored."""
    raise DryRun(import_all(session, key, people, codes, actor, now=now))


def _import_person(session: Session, record: PersonRecord, actor: Actor, *, now: datetime) -> ImportEntry:
    what = record.account or record.chat_name or record.chat_id
    known = session.exec(select(Person).where(Person.chat_id == record.chat_id)).one_or_none()
    if (reason := _conflict(session, record, known)) is not None:
        return ImportEntry(what, ImportOutcome.REFUSED, reason)
    if known is not None and record.account in (None, known.account):
        return ImportEntry(what, ImportOutcome.UNCHANGED)
    person = known or _new_person(session, record, now=now)
    if record.account is not None:
        person.account, person.linked_at, person.linked_by = record.account, record.linked_at or now, actor.name
    session.add(person)
    session.flush()
    return ImportEntry(what, ImportOutcome.ADDED if known is None else ImportOutcome.LINKED)


def _conflict(session: Session, record: PersonRecord, known: Person | None) -> str | None:
    """Return how the record contradicts the database, if it does."""
    if record.user_id is not None and known is not None and known.user_id != record.user_id:
        return f"the chat {record.chat_id} is already subscribed, with the user_id {known.user_id}"
    if record.user_id is not None and known is None and session.get(Person, record.user_id) is not None:
        return f"the user_id {record.user_id} belongs to another chat"
    if record.account is None:
        return None
    if known is not None and known.account not in (None, record.account):
        return f"the chat {record.chat_id} is linked to {known.account}"
    holder = linking.person_of(session, record.account)
    if holder is not None and holder.chat_id != record.chat_id:
        return f"{record.account} is linked to another chat, {holder.chat_id}"
    return None


def _new_person(session: Session, record: PersonRecord, *, now: datetime) -> Person:
    chats.ensure(session, {record.chat_id}, is_new=False)
    return Person(
        user_id=record.user_id or str(uuid.uuid4()),
        chat_id=record.chat_id,
        chat_name=record.chat_name or record.account or record.chat_id,
        created_at=record.created_at or record.linked_at or now,
    )


def _import_code(session: Session, key: SecretKey, code: CodeRecord, *, now: datetime) -> ImportEntry:
    what = f"a code of the chat {code.chat_id}"
    if code.expires_at <= now:
        return ImportEntry(what, ImportOutcome.REFUSED, "it has expired")
    if linking.holder_of_code(session, key, code.code, now=now) == code.chat_id:
        return ImportEntry(what, ImportOutcome.UNCHANGED)
    # A code shows that its owner pressed /start. Other programs have no other record of people who are not linked.
    if session.exec(select(Person).where(Person.chat_id == code.chat_id)).one_or_none() is None:
        session.add(_new_person(session, PersonRecord(code.chat_id), now=now))
        session.flush()
    expires_at = min(code.expires_at, now + linking.VALID_FOR)
    is_taken = linking.add_code(session, key, code.code, code.chat_id, expires_at=expires_at, now=now)
    return (
        ImportEntry(what, ImportOutcome.ADDED)
        if is_taken
        else ImportEntry(what, ImportOutcome.REFUSED, "another chat has the same code")
    )
