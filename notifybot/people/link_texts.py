"""Texts that tell people about linking and unlinking."""

from collections.abc import Sequence
from dataclasses import dataclass

from notifybot.model.people import Person
from notifybot.rendering.parts import Part


@dataclass(frozen=True)
class AccountLink:
    """An account was tied to a person's chat. `left` is the account that this chat was before, where it was another."""

    person: Person
    left: str | None
    former: Person | None
    """Whose chat the account was before, where it was another."""


# What people are told


def linked_text(link: AccountLink, actor: str, how: str) -> Part:
    account = link.person.account
    lines = [
        f"This chat is linked to the account {account} now: what is sent to {account} comes here.",
        f"It was linked by {_who(actor)}, {how}.",
        *_left_behind(link),
        "",
        "Was that not you? /unlink undoes it.",
    ]
    return Part("\n".join(lines))


def _left_behind(link: AccountLink) -> Sequence[str]:
    lines = []
    if link.left is not None:
        lines.append(f"Before, it was linked to {link.left}, which has no chat any more.")
    if link.former is not None:
        lines.append(f"The chat that was {link.person.account}'s before ({link.former.chat_name}) is told.")
    return lines


def moved_text(link: AccountLink, actor: str) -> Part:
    account = link.person.account
    return Part(
        f"The account {account} is linked to another chat now ({link.person.chat_name}): what is sent to {account} "
        f"goes there, not here. It was linked by {_who(actor)}.\n\n"
        f"Was that not you? Send /start for a code, and link {account} to this chat again."
    )


def unlinked_text(account: str, actor: str) -> Part:
    return Part(
        f"This chat is not linked to the account {account} any more. It was unlinked by {_who(actor)}; you stay "
        "subscribed. /start begins anew."
    )


def _who(actor: str) -> str:
    return actor.removeprefix("account:")
