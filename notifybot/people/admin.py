"""Manage people: find, rename, remove."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete
from sqlmodel import Session, col, or_, select

from notifybot.errors import NotFound
from notifybot.model.actors import Actor
from notifybot.model.chats import Chat
from notifybot.model.people import LinkSecret, Person
from notifybot.model.schedules import OF_PERSON, SummaryPlan
from notifybot.people.linking import PersonStatus
from notifybot.posts import replies
from notifybot.rendering.parts import Part
from notifybot.storage.statements import affected


def everybody(session: Session, *, account: str | None = None) -> Sequence[PersonStatus]:
    """Return all people in order of subscription; with `account` only the person linked to it."""
    asked = select(Person, Chat.unreachable).join(Chat).order_by(col(Person.created_at), col(Person.user_id))
    if account is not None:
        asked = asked.where(Person.account == account)
    return [PersonStatus(person, unreachable) for person, unreachable in session.exec(asked)]


def find(session: Session, name: str) -> PersonStatus:
    """Find a person by account, user_id or chat id; an account match wins. Raises NotFound."""
    is_meant = or_(col(Person.account) == name, col(Person.user_id) == name.lower(), col(Person.chat_id) == name)
    asked = select(Person, Chat.unreachable).join(Chat).where(is_meant)
    found = {person.account == name: PersonStatus(person, unreachable) for person, unreachable in session.exec(asked)}
    if not found:
        raise NotFound(
            f"Nobody has the account, user_id or chat id {name!r}.", hint="`notifybot people list` lists everyone."
        )
    return found.get(True) or found[False]


def find_account(session: Session, account: str) -> PersonStatus:
    """Find the person linked to an account, and no other: it may look like a stranger's user_id or chat id. Raises
    NotFound."""
    found = everybody(session, account=account)
    if not found:
        raise NotFound(f"The account {account} is not linked to a chat.", hint="`notifybot link` links it.")
    return found[0]


def rename(session: Session, name: str, chat_name: str) -> PersonStatus:
    """Set someone's displayed name, which then no longer follows Telegram. Raises NotFound."""
    found = find(session, name)
    found.person.chat_name, found.person.is_renamed = chat_name, True
    session.add(found.person)
    session.flush()
    return found


def remove(session: Session, name: str, actor: Actor, *, now: datetime) -> PersonStatus:
    """Delete someone with their link, preferences and summaries, and notify them. Messages stay. Raises NotFound."""
    found = find(session, name)
    person = found.person
    affected(session, delete(LinkSecret).where(col(LinkSecret.chat_id) == person.chat_id))
    session.delete(person)
    session.flush()
    affected(session, delete(SummaryPlan).where(col(SummaryPlan.reader) == OF_PERSON + person.user_id))
    who = actor.name.removeprefix("account:")
    text = f"You are no longer subscribed: {who} removed you. /start subscribes you again."
    replies.queue_reply(session, person.chat_id, Part(text), now=now)
    return found
