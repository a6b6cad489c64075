"""Check that a caller may send to a recipient."""

from datetime import datetime

from sqlmodel import Session

from notifybot.errors import Forbidden
from notifybot.recipients.address import EVERYBODY, Recipient, RecipientKind
from notifybot.recipients.directory import Directory
from notifybot.recipients.lookup import Lookup, RecipientRequest, allowed_recipients, look_up


def check_allowed(request: RecipientRequest, found: Lookup, *, is_later: bool = False) -> None:
    """Raise Forbidden for a recipient outside `allowed`: neither listed nor leading only to chats behind the list.

    Unknown recipients are refused too, so that a restricted caller cannot probe for names. With `is_later` a rotation
    must be listed itself, no matter who is on call now.
    """
    if request.allowed is None:
        return
    directory, listed = found.directory, allowed_recipients(request)
    members = {member for each in listed for member in directory.members(each)}
    chat_ids = {_chat_of(member, found) for member in members if not _is_topic(member)} - {None}
    if is_later:
        members |= {member for each in listed for member in directory.members_at_any_time(each)}
    for recipient in request.recipients:
        for member in directory.members_at_any_time(recipient) if is_later else directory.members(recipient):
            is_person = member.kind is RecipientKind.PERSON and member.name in found.by_name
            is_listed = member in members or (is_person and EVERYBODY in members)
            if not is_listed and _chat_of(member, found) not in chat_ids:
                raise _not_allowed(request, recipient, member)


def _is_topic(member: Recipient) -> bool:
    """Return True for a topic: permission for a topic does not cover the rest of its chat."""
    return member.thread_id is not None


def _not_allowed(request: RecipientRequest, recipient: Recipient, member: Recipient) -> Forbidden:
    hint = "socket.allow limits callers on the socket, http.allow people with a JWT, and a token its own recipients."
    if member.kind is RecipientKind.NAME:
        hint = f"Anyone may be on call by then: the rotation {member.name} must be allowed by name."
    return Forbidden(f"{request.account} is not allowed to send to {recipient.name}.", hint=hint)


def check_may_notify(session: Session, whom: RecipientRequest, *, now: datetime, directory: Directory) -> None:
    """Apply `check_allowed` to a caller who changes a message that these recipients got or will get."""
    if whom.allowed is not None:
        check_allowed(whom, look_up(session, [whom], directory, now=now), is_later=True)


def _chat_of(member: Recipient, found: Lookup) -> str | None:
    match member.kind:
        case RecipientKind.CHAT:
            return found.chats[member.chat_id].id
        case RecipientKind.PERSON if member.name in found.by_name:
            return found.chats[found.by_name[member.name].chat_id].id
        case _:
            return None
