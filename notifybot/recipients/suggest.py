"""Refuse unknown names and suggest similar ones."""

import difflib
from collections.abc import Collection, Iterator, Sequence

from sqlmodel import Session, col, select

from notifybot.errors import NotifybotError
from notifybot.model.chats import Chat
from notifybot.model.people import Person
from notifybot.recipients.address import Recipient, RecipientKind
from notifybot.recipients.directory import Directory
from notifybot.times.display import listed

MOST_COMPARED = 1000
"""Of people, and of channels: comparing all of very many would hold up everybody else."""
MOST_GUESSED = 3


def unknown_recipients(session: Session, unknown: Sequence[Recipient], directory: Directory) -> NotifybotError:
    """What to say of names that nobody has."""
    names = [recipient.name for recipient in unknown]
    is_person = all(recipient.kind is RecipientKind.PERSON for recipient in unknown)
    what = ("user" if is_person else "recipient") + ("s" if len(names) > 1 else "")
    said = f"There {'are' if len(names) > 1 else 'is'} no {what} {listed([repr(name) for name in names])}."
    hints = dict.fromkeys(_hints(unknown[:MOST_GUESSED], _KnownNames(session, directory), directory))
    return NotifybotError(said, hint=" ".join([*hints, "GET /subscribed-users lists everybody who pressed /start."]))


def _hints(unknown: Sequence[Recipient], known: "_KnownNames", directory: Directory) -> Iterator[str]:
    for recipient in unknown:
        if recipient.name in directory.names:
            yield f"{recipient.name} is a name of the config: send to it with `to`."
        elif near := known.nearest(recipient.name):
            yield f"Did you mean {near}?"


class _KnownNames:
    """All names that there are, and how each is told to somebody who meant it."""

    def __init__(self, session: Session, directory: Directory) -> None:
        self._told: dict[str, str] = {}
        self._add(_channels(session))
        self._add({*directory.names, *directory.accounts, *directory.known})
        for user_id, account, chat_name in _people(session):
            told = f"{account or chat_name} (user_id {user_id})"
            self._told |= {user_id: told, chat_name.lower(): told}
            if account is not None:
                self._told[account.lower()] = account

    def _add(self, names: Collection[str]) -> None:
        self._told |= {name.lower(): name for name in names}

    def nearest(self, name: str) -> str | None:
        near = difflib.get_close_matches(name.lower(), self._told, n=1)
        return self._told[near[0]] if near else None


def _people(session: Session) -> Sequence[tuple[str, str | None, str]]:
    return session.exec(select(Person.user_id, Person.account, Person.chat_name).limit(MOST_COMPARED)).all()


def _channels(session: Session) -> list[str]:
    """Chats that were named by @name, without reading all chats: in the order of their ids these stand together."""
    near = select(Chat.id).where(col(Chat.id) >= "@", col(Chat.id) < "A").limit(MOST_COMPARED)
    return [chat_id for chat_id in session.exec(near) if chat_id.startswith("@")]
