"""Texts that tell people about linking and unlinking."""

from collections.abc import Iterator
from dataclasses import dataclass

from notifybot.model.people import Person
from notifybot.rendering.parts import Part


@dataclass(frozen=True)
class AccountLink:
    """An account linked to a person's chat.

    `left_account`: another account that this chat was linked to before; `previous_person`: owner of another chat that
    the account was linked to before.
    """

    person: Person
    left_account: str | None
    previous_person: Person | None


def linked_text(link: AccountLink, actor: str, how: str) -> Part:
    account = link.person.account
    lines = [
        f"This chat is now linked to the account {account}: messages for {account} arrive here.",
        f"It was linked by {_name(actor)}, {how}.",
        *_replaced(link),
        "",
        "If this was not you, /unlink undoes it.",
    ]
    return Part("\n".join(lines))


def _replaced(link: AccountLink) -> Iterator[str]:
    if link.left_account is not None:
        yield f"It was linked to {link.left_account} before; that account has no chat now."
    if link.previous_person is not None:
        yield f"The previous chat of {link.person.account} ({link.previous_person.chat_name}) is notified."


def moved_text(link: AccountLink, actor: str) -> Part:
    account = link.person.account
    return Part(
        f"The account {account} is now linked to another chat ({link.person.chat_name}): messages for {account} go "
        f"there, not here. It was linked by {_name(actor)}.\n\n"
        f"If this was not you, send /start for a code and link {account} to this chat again."
    )


def unlinked_text(account: str, actor: str) -> Part:
    return Part(
        f"This chat is no longer linked to the account {account}. It was unlinked by {_name(actor)}. You stay "
        "subscribed; /start gives you a new code."
    )


def _name(actor: str) -> str:
    return actor.removeprefix("account:")
