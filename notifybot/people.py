"""People: who pressed /start, and which chat is theirs."""

import difflib
import uuid
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlmodel import Session, col, or_, select

from notifybot import chats
from notifybot.errors import NotifybotError
from notifybot.models import Person

NAMES_COMPARED = 1000


def subscribe(session: Session, chat_id: str, chat_name: str, *, now: datetime) -> tuple[Person, bool]:
    """The person of this private chat, made if need be; the second value says whether they are new."""
    known = session.exec(select(Person).where(Person.chat_id == chat_id)).first()
    if known is not None:
        if known.chat_name != chat_name:
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


def chats_of(session: Session, names: Collection[str]) -> dict[str, str | NotifybotError]:
    """The chat of each person, named by account or user_id; for an unknown name the refusal, naming the nearest."""
    if not names:
        return {}
    is_named = or_(col(Person.user_id).in_(names), col(Person.account).in_(names))
    found: dict[str, str | NotifybotError] = {}
    for person in session.exec(select(Person).where(is_named)):
        found[person.user_id] = person.chat_id
        if person.account is not None:
            found[person.account] = person.chat_id
    for name in set(names) - found.keys():
        found[name] = _unknown(session, name)
    return found


def _unknown(session: Session, name: str) -> NotifybotError:
    known = session.exec(select(Person.user_id, Person.account, Person.chat_name).limit(NAMES_COMPARED)).all()
    by_label = {label: person[0] for person in known for label in person if label}
    near = difflib.get_close_matches(name, by_label, n=1)
    hint = "GET /subscribed-users lists everybody who pressed /start, with their user_id."
    if near:
        hint = f"Did you mean {near[0]} (user_id {by_label[near[0]]})? {hint}"
    return NotifybotError(f"There is no user {name!r}.", hint=hint)
