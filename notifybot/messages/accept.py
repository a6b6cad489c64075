"""Accept messages in batches. A refused message does not affect the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from sqlmodel import Session

from notifybot.errors import Forbidden, NotFound, NotifybotError
from notifybot.messages import dedup
from notifybot.messages.dedup import NewText
from notifybot.messages.idempotency import answer_again, duplicate_of, earlier_answers, note_client_id
from notifybot.messages.insert import MessageRows
from notifybot.messages.new_message import Acceptance, NewMessage, send_timing
from notifybot.model import actors
from notifybot.model.ids import new_ids
from notifybot.recipients import allowed, lookup, resolve
from notifybot.recipients.address import Recipient, RecipientKind, person_recipient, recipient_of
from notifybot.recipients.directory import Directory
from notifybot.recipients.lookup import Lookup

NO_CONFIG = Directory()


@dataclass(frozen=True)
class _BatchLookup:
    """Data from the database about a batch."""

    recipients: Lookup
    earlier: dict[tuple[str, str], tuple[str, Acceptance]]
    """Fingerprint and result of earlier requests, by account and client_id."""


def accept(
    session: Session, batch: Sequence[NewMessage], *, now: datetime, directory: Directory = NO_CONFIG
) -> list[Acceptance | NotifybotError]:
    """Write messages, deliveries, posts and timelines. Returns a result for each, in order: acceptance or refusal.

    A client_id seen within CLIENT_ID_RETENTION, including in this batch, returns its first message.
    """
    answers: list[Acceptance | NotifybotError] = []
    for has_key, group in groupby(batch, key=lambda new: new.dedup_key is not None):
        if has_key:
            answers += [_accept_under_key(session, new, directory, now=now) for new in group]
        else:
            answers += _accept_all(session, list(group), directory, now=now)
    return answers


def _accept_all(
    session: Session, batch: Sequence[NewMessage], directory: Directory, *, now: datetime
) -> list[Acceptance | NotifybotError]:
    recipients = lookup.look_up(session, batch, directory, now=now)
    found = _BatchLookup(recipients, earlier_answers(session, batch, now=now))
    rows = MessageRows(now, new_ids(now))
    answers = [_accept_one(session, new, found, rows) for new in batch]
    rows.insert(session)
    return answers


def _accept_under_key(
    session: Session, new: NewMessage, directory: Directory, *, now: datetime
) -> Acceptance | NotifybotError:
    """Count a message with a dedup_key on the message bound to it, or resolve that one, or bind the key to this one."""
    assert new.dedup_key is not None
    if refusal := _refusal(session, new, directory, now=now):
        return refusal
    if new.repeat is not None or (new.send_at is not None and new.send_at > now):
        hint = "Leave out send_at and repeat, or leave out the dedup_key."
        return NotifybotError("A message with a dedup_key is sent at once and cannot be scheduled.", hint=hint)
    if (earlier := earlier_answers(session, [new], now=now)) and new.client_id is not None:
        return answer_again(new, *earlier[new.account, new.client_id])
    names = [recipient.name for recipient in new.recipients]
    bound = dedup.find_bound(session, new.account, names, new.dedup_key, now=now)
    if bound is None:
        return _bind(session, new, names, directory, now=now)
    text = NewText(new.title, new.content, new.look.parse_mode, new.why_plain) if new.has_text else None
    if new.is_resolving:
        message = dedup.resolve(session, bound, actors.by_account(new.account), last_text=text, now=now)
    else:
        message = dedup.count_repeat(session, bound, text, now=now)
    note_client_id(session, new, bound, now=now)
    return duplicate_of(session, message)


def _refusal(session: Session, new: NewMessage, directory: Directory, *, now: datetime) -> Forbidden | None:
    """Refuse a caller that cannot send to these recipients; another caller of its account may have bound the key."""
    try:
        allowed.check_may_notify(session, new, now=now, directory=directory)
    except Forbidden as refusal:
        return refusal
    return None


def _bind(
    session: Session, new: NewMessage, names: Sequence[str], directory: Directory, *, now: datetime
) -> Acceptance | NotifybotError:
    assert new.dedup_key is not None
    if new.is_resolving:
        return NotFound(
            f"No open message has the dedup_key {new.dedup_key!r}.",
            hint="It is resolved already, or you never sent one to these recipients.",
        )
    (answer,) = _accept_all(session, [new], directory, now=now)
    if isinstance(answer, Acceptance):
        dedup.bind(session, new.account, names, new.dedup_key, answer.id)
    return answer


def _accept_one(
    session: Session, new: NewMessage, found: _BatchLookup, rows: MessageRows
) -> Acceptance | NotifybotError:
    if new.client_id is not None and (new.account, new.client_id) in found.earlier:
        return answer_again(new, *found.earlier[new.account, new.client_id])
    try:
        timing = send_timing(new, now=rows.now)
        resolved = resolve.resolve_request(session, new, found.recipients, is_later=timing is not None)
    except NotifybotError as refusal:
        return refusal
    if timing is None:
        accepted = rows.add(new, resolved)
    else:
        accepted = rows.add_scheduled(_with_exact_recipients(new, found.recipients), timing)
    if new.client_id is not None:
        found.earlier[new.account, new.client_id] = (new.fingerprint, accepted)
    return accepted


def _with_exact_recipients(new: NewMessage, found: Lookup) -> NewMessage:
    """Store people by id if their name would mean something else when it is read again at the release."""
    return new._replace(recipients=tuple(_exact_recipient(recipient, found) for recipient in new.recipients))


def _exact_recipient(recipient: Recipient, found: Lookup) -> Recipient:
    # An account may be named like a chat or like a name of the config. A clear name stays, since its account may be
    # linked to another chat by then.
    reread = recipient_of(recipient.name)
    is_account = reread.kind is RecipientKind.NAME and reread.name not in found.directory.names
    if recipient.kind is not RecipientKind.PERSON or reread == recipient or is_account:
        return recipient
    account = found.directory.accounts.get(recipient.name, recipient.name)
    return person_recipient(found.by_name[account].user_id)
