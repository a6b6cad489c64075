"""Reasons why a recipient leads to no chat."""

from collections.abc import Iterable, Sequence

from sqlmodel import Session

from notifybot.errors import Conflict, NotifybotError
from notifybot.people import people
from notifybot.recipients import suggest
from notifybot.recipients.address import EVERYBODY, Recipient, RecipientKind, recipient_of
from notifybot.recipients.directory import Directory
from notifybot.recipients.lookup import Lookup, RecipientRequest
from notifybot.times.display import listed

_LINK_HINT = (
    "They send /start to the bot and run `notifybot verify` with its code, or open the link from `notifybot link`."
)


def why_unreachable(
    session: Session, unreached: Sequence[Recipient], request: RecipientRequest, found: Lookup
) -> NotifybotError:
    """Return the refusal for recipients without a chat: unknown ones first, all at once."""
    unknown = [recipient for recipient in unreached if is_unknown(recipient, request.account, found.directory)]
    if unknown:
        return suggest.unknown_recipients(session, unknown, found.directory)
    recipient = unreached[0]
    if recipient == EVERYBODY:
        return Conflict("Nobody is subscribed yet.", hint="People subscribe by sending /start to the bot.")
    names = [member.name for member in found.directory.members(recipient)]
    if recipient.kind is RecipientKind.NAME and recipient.name in found.directory.names:
        return Conflict(f"No member of {recipient.name} has a chat with the bot yet: {listed(names)}.", hint=_LINK_HINT)
    return Conflict(f"{names[0]} has no chat with the bot yet.", hint=_LINK_HINT)


def is_unknown(recipient: Recipient, account: str, directory: Directory) -> bool:
    """Return True for an unreached recipient that no config names: renamed, removed or a typing error.

    The account of the caller itself is no typing error.
    """
    if recipient == EVERYBODY or (recipient.kind is RecipientKind.NAME and recipient.name in directory.names):
        return False
    return all(name not in directory.known and name != account for name in _names_of(recipient, directory))


def _names_of(recipient: Recipient, directory: Directory) -> tuple[str, ...]:
    return recipient.name, directory.accounts.get(recipient.name, recipient.name)


def members_without_chat(session: Session, directory: Directory) -> list[str]:
    """Return members of the config's names who cannot be notified."""
    members = {member.name for each in directory.names.values() for member in each} & directory.known
    return sorted(members - people.readers(session, members).keys())


def without_chat(session: Session, recipients: Iterable[str], directory: Directory) -> list[str]:
    """Return the people behind these recipients who cannot be notified."""
    members = {member for text in recipients for member in directory.members(recipient_of(text))}
    people_asked = {member.name for member in members if member.kind is RecipientKind.PERSON}
    return sorted(people_asked - people.readers(session, people_asked).keys())
