"""People as admins manage them: find, rename, remove."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete
from sqlmodel import Session, col, or_, select

from notifybot.errors import NotFound
from notifybot.model.actors import Actor
from notifybot.model.chats import Chat
from notifybot.model.people import LinkSecret, Person
from notifybot.people import summary_plans
from notifybot.people.linking import PersonStatus
from notifybot.posts import replies
from notifybot.rendering.parts import Part
from notifybot.storage.statements import affected


def everybody(session: Session, *, account: str | None = None) -> Sequence[PersonStatus]:
    """All people, in the order in which they came; `account`: only whoever is linked to it."""
    asked = select(Person, Chat.unreachable).join(Chat).order_by(col(Person.created_at), col(Person.user_id))
    if account is not None:
        asked = asked.where(Person.account == account)
    return [PersonStatus(person, unreachable) for person, unreachable in session.exec(asked)]


def find(session: Session, name: str) -> PersonStatus:
    """The person of this account, user_id, or chat id. Raises NotFound."""
    is_meant = or_(col(Person.account) == name, col(Person.user_id) == name.lower(), col(Person.chat_id) == name)
    asked = select(Person, Chat.unreachable).join(Chat).where(is_meant)
    found = {person.account == name: PersonStatus(person, unreachable) for person, unreachable in session.exec(asked)}
    if not found:
        raise NotFound(
            f"Nobody has the account, user_id or chat id {name!r}.", hint="`notifybot people list` lists everybody."
        )
    return found.get(True) or found[False]


def rename(session: Session, name: str, chat_name: str) -> PersonStatus:
    """Give somebody the name by which they are listed, whatever Telegram calls them. Raises NotFound."""
    found = find(session, name)
    found.person.chat_name, found.person.is_renamed = chat_name, True
    session.add(found.person)
    session.flush()
    return found


def remove(session: Session, name: str, actor: Actor, *, now: datetime) -> PersonStatus:
    """Forget somebody, their link, their preferences and their summaries, and tell them. Messages stay. Raises
    NotFound."""
    found = find(session, name)
    person = found.person
    affected(session, delete(LinkSecret).where(col(LinkSecret.chat_id) == person.chat_id))
    session.delete(person)
    session.flush()
    summary_plans.forget(session, person.user_id)
    who = actor.name.removeprefix("account:")
    text = f"You are not subscribed any more: {who} removed you. /start subscribes you anew."
    replies.queue_reply(session, person.chat_id, Part(text), now=now)
    return found
