"""Refuse unknown names and suggest similar ones."""

from collections.abc import Collection, Iterator, Sequence

from sqlmodel import Session, col, select

from notifybot.errors import NotifybotError, did_you_mean
from notifybot.model.chats import Chat
from notifybot.model.people import Person
from notifybot.recipients.address import Recipient, RecipientKind
from notifybot.recipients.directory import Directory
from notifybot.times.display import listed

MAX_COMPARED = 1000
"""People, and channels, to compare: comparing very many would block everyone else."""
MAX_SUGGESTED = 3


def unknown_recipients(session: Session, unknown: Sequence[Recipient], directory: Directory) -> NotifybotError:
    """Return the refusal for unknown names, with suggestions."""
    names = [recipient.name for recipient in unknown]
    is_person = all(recipient.kind is RecipientKind.PERSON for recipient in unknown)
    what = ("user" if is_person else "recipient") + ("s" if len(names) > 1 else "")
    detail = f"There {'are' if len(names) > 1 else 'is'} no {what} {listed([repr(name) for name in names])}."
    hints = dict.fromkeys(_hints(unknown[:MAX_SUGGESTED], _KnownNames(session, directory), directory))
    return NotifybotError(detail, hint=" ".join([*hints, "GET /subscribed-users lists everyone who pressed /start."]))


def _hints(unknown: Sequence[Recipient], known: "_KnownNames", directory: Directory) -> Iterator[str]:
    for recipient in unknown:
        if recipient.name in directory.names:
            yield f"{recipient.name} is a name in the config: send to it with `to`."
        elif near := known.nearest(recipient.name):
            yield f"Did you mean {near}?"


class _KnownNames:
    """All names that exist, in lower case, and how a suggestion spells each."""

    def __init__(self, session: Session, directory: Directory) -> None:
        self._spellings: dict[str, str] = {}
        self._add(_channels(session))
        self._add({*directory.names, *directory.accounts, *directory.known})
        for user_id, account, chat_name in _people(session):
            spelling = f"{account or chat_name} (user_id {user_id})"
            self._spellings |= {user_id: spelling, chat_name.lower(): spelling}
            if account is not None:
                self._spellings[account.lower()] = account

    def _add(self, names: Collection[str]) -> None:
        self._spellings |= {name.lower(): name for name in names}

    def nearest(self, name: str) -> str | None:
        near = did_you_mean(name.lower(), self._spellings)
        return None if near is None else self._spellings[near]


def _people(session: Session) -> Sequence[tuple[str, str | None, str]]:
    return session.exec(select(Person.user_id, Person.account, Person.chat_name).limit(MAX_COMPARED)).all()


def _channels(session: Session) -> list[str]:
    """Return the chats known by @name; these ids sort next to each other, so not all chats are read."""
    near = select(Chat.id).where(col(Chat.id) >= "@", col(Chat.id) < "A").limit(MAX_COMPARED)
    return [chat_id for chat_id in session.exec(near) if chat_id.startswith("@")]
