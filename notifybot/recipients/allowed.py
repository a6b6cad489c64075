"""Check that a caller may send to a recipient."""

from datetime import datetime

from sqlmodel import Session

from notifybot.errors import Forbidden
from notifybot.recipients.address import EVERYBODY, Recipient, RecipientKind, recipient_of
from notifybot.recipients.directory import Directory
from notifybot.recipients.lookup import Lookup, RecipientRequest, look_up


def check_allowed(wish: RecipientRequest, found: Lookup, *, is_later: bool = False) -> None:
    """Raise Forbidden for a recipient that is not named by `allowed`, and leads to chats which that does not stand for.

    Also for one that nobody knows: who may send to few learns nothing of the others. `is_later`: also for one that
    leads to a rotation which `allowed` does not name, whoever is on call now.
    """
    allowed = wish.allowed
    if allowed is None:
        return
    directory, named = found.directory, [recipient_of(text) for text in allowed]
    members = {member for each in named for member in directory.members(each)}
    chat_ids = {chat_id for member in members if (chat_id := _chat_of(member, found)) is not None}
    if is_later:
        members |= {member for each in named for member in directory.lasting(each)}
    for recipient in wish.recipients:
        for member in directory.lasting(recipient) if is_later else directory.members(recipient):
            is_person = member.kind is RecipientKind.PERSON and member.name in found.by_name
            is_named = member in members or (is_person and EVERYBODY in members)
            if not is_named and _chat_of(member, found) not in chat_ids:
                raise _not_allowed(wish, recipient, member)


def _not_allowed(wish: RecipientRequest, recipient: Recipient, member: Recipient) -> Forbidden:
    hint = "socket.allow says to whom callers of the socket may send, and each token for itself."
    if member.kind is RecipientKind.NAME:
        hint = f"Who is on call at another time may be anybody: {member.name} must be allowed by its own name."
    return Forbidden(f"{wish.account} may not send to {recipient.name}.", hint=hint)


def check_may_notify(session: Session, whom: RecipientRequest, *, now: datetime, directory: Directory) -> None:
    """`check_allowed` for who changes what others were told, or will be."""
    if whom.allowed is not None:
        check_allowed(whom, look_up(session, [whom], directory, now=now), is_later=True)


def _chat_of(member: Recipient, found: Lookup) -> str | None:
    """The chat of a single recipient, None for one without."""
    match member.kind:
        case RecipientKind.CHAT:
            return found.chats[member.name].id
        case RecipientKind.PERSON if member.name in found.by_name:
            return found.chats[found.by_name[member.name].chat_id].id
        case _:
            return None
