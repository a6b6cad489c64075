"""People: who pressed /start, and which chat is theirs."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import or_
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from notifybot.errors import NotifybotError
from notifybot.model.people import Person
from notifybot.posts import chats
from notifybot.storage.statements import fetch, in_list, table_of


def subscribe(session: Session, chat_id: str, chat_name: str, *, now: datetime) -> tuple[Person, bool]:
    """The person of this private chat, made if need be; the second value says whether they are new."""
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
    """Subscribe a chat on a caller's word; raises NotifybotError when it is subscribed already."""
    if session.exec(select(Person).where(Person.chat_id == chat_id)).first() is not None:
        raise NotifybotError(
            f"The chat {chat_id} is subscribed already.", hint="GET /subscribed-users lists everybody who is."
        )
    return subscribe(session, chat_id, chat_name, now=now)[0]


def everybody(session: Session) -> Sequence[Person]:
    """All people, in the order in which they came."""
    return session.exec(select(Person).order_by(col(Person.created_at), col(Person.user_id))).all()


@dataclass(frozen=True, slots=True)
class Reader:
    """A person as far as it matters whether and when they are told something; see models.Person."""

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
    """The people whom these names mean, by account or user_id: of each name that somebody has."""
    found: dict[str, Reader] = {}
    for row in fetch(session, _NAMED, names=sorted(names)):
        reader = Reader(*row)
        found |= {name: reader for name in (reader.user_id, reader.account) if name is not None and name in names}
    return found


def readers_of_chats(session: Session, chat_ids: Collection[str]) -> dict[str, Reader]:
    """The people whose private chats these are, by chat."""
    return {row.chat_id: Reader(*row) for row in fetch(session, _OF_CHATS, chats=sorted(chat_ids))}


def all_readers(session: Session) -> list[Reader]:
    """Everybody, in the order in which they came."""
    return [Reader(*row) for row in fetch(session, _EVERYBODY)]
