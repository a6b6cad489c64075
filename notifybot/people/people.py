"""People who pressed /start, and their private chats."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import or_
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from notifybot.errors import NotifybotError
from notifybot.model.enums import Deadline
from notifybot.model.people import Person
from notifybot.posts import chats
from notifybot.storage.statements import fetch, in_list, table_of
from notifybot.storage.writer import changes


def subscribe(session: Session, chat_id: str, chat_name: str, *, now: datetime) -> tuple[Person, bool]:
    """Return the person of this private chat, created if needed, and True if they are new."""
    known = session.exec(select(Person).where(Person.chat_id == chat_id)).first()
    if known is not None:
        if known.chat_name != chat_name and not known.is_renamed:
            known.chat_name = chat_name
            session.add(known)
        return known, False
    chats.ensure(session, {chat_id})
    person = Person(user_id=str(uuid.uuid4()), chat_id=chat_id, chat_name=chat_name, created_at=now)
    session.add(person)
    session.flush()
    return person, True


def subscribe_new(session: Session, chat_id: str, chat_name: str, *, now: datetime) -> Person:
    """Subscribe a chat for a caller. Raises NotifybotError if it is already subscribed."""
    if session.exec(select(Person).where(Person.chat_id == chat_id)).first() is not None:
        raise NotifybotError(
            f"The chat {chat_id} is already subscribed.", hint="GET /subscribed-users lists all subscribers."
        )
    return subscribe(session, chat_id, chat_name, now=now)[0]


def everybody(session: Session) -> Sequence[Person]:
    """Return all people in order of subscription."""
    return session.exec(select(Person).order_by(col(Person.created_at), col(Person.user_id))).all()


@dataclass(frozen=True, slots=True)
class Reader:
    """The columns of Person that decide if and when someone is notified."""

    user_id: str
    account: str | None
    chat_id: str
    chat_name: str
    is_enabled: bool
    muted_until: datetime | None
    time_zone: str | None
    quiet_from: str | None
    quiet_until: str | None

    @property
    def label(self) -> str:
        return self.account or self.chat_name


PEOPLE = table_of(Person)
_READERS = select_columns(*(PEOPLE.c[field.name] for field in fields(Reader)))
_NAMED = _READERS.where(or_(in_list(PEOPLE.c.user_id, "names"), in_list(PEOPLE.c.account, "names")))
_OF_CHATS = _READERS.where(in_list(PEOPLE.c.chat_id, "chats"))
_EVERYBODY = _READERS.order_by(PEOPLE.c.created_at, PEOPLE.c.user_id)


def readers(session: Session, names: Collection[str]) -> dict[str, Reader]:
    """Find people by account or user_id; names that nobody has are left out."""
    found: dict[str, Reader] = {}
    for row in fetch(session, _NAMED, names=sorted(names)):
        reader = Reader(*row)
        found |= {name: reader for name in (reader.user_id, reader.account) if name is not None and name in names}
    return found


def readers_of_chats(session: Session, chat_ids: Collection[str]) -> dict[str, Reader]:
    """Find the owners of private chats, by chat id."""
    return {row.chat_id: Reader(*row) for row in fetch(session, _OF_CHATS, chats=sorted(chat_ids))}


def all_readers(session: Session) -> list[Reader]:
    """Return everyone in order of subscription."""
    return [Reader(*row) for row in fetch(session, _EVERYBODY)]


def replan_summary(session: Session, *, now: datetime) -> None:
    """Let the summary job look at once for changed preferences, instead of within half a minute."""
    changes(session).note_deadline(Deadline.SUMMARY, now)
