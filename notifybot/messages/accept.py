"""Accept messages in batches; each is refused alone."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from sqlalchemy import ColumnElement, and_, delete, or_
from sqlmodel import Session, col, select

from notifybot.errors import Conflict, Forbidden, NotFound, NotifybotError
from notifybot.messages import dedup, queries
from notifybot.messages.dedup import NewText
from notifybot.messages.insert import CLIENT_IDS_KEPT, MessageRows
from notifybot.messages.new_message import Acceptance, Extras, NewMessage, send_timing
from notifybot.model import actors
from notifybot.model.ids import new_ids
from notifybot.model.messages import ClientId, Message
from notifybot.recipients import allowed, lookup, resolve
from notifybot.recipients.address import Recipient, RecipientKind, person_recipient, recipient_of
from notifybot.recipients.directory import Directory
from notifybot.recipients.lookup import Lookup
from notifybot.storage.statements import affected, insert_rows

NO_CONFIG = Directory()


@dataclass(frozen=True)
class _BatchLookup:
    """What the database says about a batch."""

    found: Lookup
    answers: dict[tuple[str, str], tuple[str, Acceptance]]
    """By account and client_id: the fingerprint, and what was answered."""


def accept(
    session: Session, batch: Sequence[NewMessage], *, now: datetime, directory: Directory = NO_CONFIG
) -> list[Acceptance | NotifybotError]:
    """Write messages, deliveries, posts and timelines; answer each in order, refused ones with the refusal.

    A client_id seen within CLIENT_IDS_KEPT, in this batch too, answers with its first message. `directory`: what the
    config says of recipients.
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
    found = lookup.look_up(session, batch, directory, now=now)
    known = _BatchLookup(found, _earlier_answers(session, batch, now=now))
    rows = MessageRows(now, new_ids(now))
    answers = [_accept_one(session, new, known, rows) for new in batch]
    rows.insert(session)
    return answers


def _accept_under_key(
    session: Session, new: NewMessage, directory: Directory, *, now: datetime
) -> Acceptance | NotifybotError:
    """A message with a dedup_key: what is bound to the key is told again, or is over; else the key is bound to it."""
    assert new.extras is not None
    assert new.dedup_key is not None
    if refusal := _refusal(session, new, directory, now=now):
        return refusal
    if new.extras.repeat is not None or (new.extras.send_at is not None and new.extras.send_at > now):
        return NotifybotError("What has a dedup_key is told at once: leave out send_at and repeat, or the dedup_key.")
    if (earlier := _earlier_answers(session, [new], now=now)) and new.client_id is not None:
        return _answer_again(new, *earlier[new.account, new.client_id])
    names = [recipient.name for recipient in new.recipients]
    bound = dedup.find_bound(session, new.account, names, new.dedup_key, now=now)
    if bound is None:
        return _bind(session, new, names, directory, now=now)
    told = _new_text(new, new.extras)
    if new.extras.is_resolving:
        message = dedup.resolve(session, bound, actors.by_account(new.account), last_word=told, now=now)
    else:
        message = dedup.count_repeat(session, bound, told, now=now)
    _note_client_id(session, new, bound, now=now)
    return _duplicate(session, message)


def _refusal(session: Session, new: NewMessage, directory: Directory, *, now: datetime) -> Forbidden | None:
    """What was sent under the key may have gone to whom this caller, of the same account, may not send."""
    try:
        allowed.check_may_notify(session, new, now=now, directory=directory)
    except Forbidden as refusal:
        return refusal
    return None


def _new_text(new: NewMessage, extras: Extras) -> NewText | None:
    return NewText(new.title, new.content, extras.look.parse_mode, extras.why_plain) if extras.has_text else None


def _bind(
    session: Session, new: NewMessage, names: Sequence[str], directory: Directory, *, now: datetime
) -> Acceptance | NotifybotError:
    assert new.extras is not None
    assert new.dedup_key is not None
    if new.extras.is_resolving:
        return NotFound(
            f"Nothing is open under the dedup_key {new.dedup_key!r}.",
            hint="It was resolved already, or was never sent by you to these recipients.",
        )
    (answer,) = _accept_all(session, [new], directory, now=now)
    if isinstance(answer, Acceptance):
        dedup.bind(session, new.account, names, new.dedup_key, answer.id)
    return answer


def _note_client_id(session: Session, new: NewMessage, message_id: str, *, now: datetime) -> None:
    if new.client_id is not None:
        key = {"account": new.account, "client_id": new.client_id, "message_id": message_id}
        row = {**key, "fingerprint": new.fingerprint, "expires_at": now + CLIENT_IDS_KEPT}
        insert_rows(session, ClientId, [row])


def _earlier_answers(
    session: Session, batch: Sequence[NewMessage], *, now: datetime
) -> dict[tuple[str, str], tuple[str, Acceptance]]:
    keys = {(new.account, new.client_id) for new in batch if new.client_id is not None}
    if not keys:
        return {}
    is_asked = _is_one_of(keys)
    affected(session, delete(ClientId).where(is_asked, col(ClientId.expires_at) <= now))
    found = session.exec(select(ClientId, Message).join(Message).where(is_asked)).all()
    return {(seen.account, seen.client_id): (seen.fingerprint, _duplicate(session, message)) for seen, message in found}


def _is_one_of(keys: Collection[tuple[str, str]]) -> ColumnElement[bool]:
    """Account by account: for pairs in a list SQLite would read the whole table."""
    named: dict[str, list[str]] = {}
    for account, client_id in sorted(keys):
        named.setdefault(account, []).append(client_id)
    return or_(
        *(and_(col(ClientId.account) == account, col(ClientId.client_id).in_(ids)) for account, ids in named.items())
    )


def _duplicate(session: Session, message: Message) -> Acceptance:
    times = () if message.schedule_id is None else queries.next_times(session, message.schedule_id)
    return Acceptance(
        message.id,
        message.state,
        True,
        message.created_at,
        message.escalate_at,
        message.close_at,
        send_at=message.send_at,
        schedule_id=message.schedule_id,
        next_times=times,
    )


def _accept_one(
    session: Session, new: NewMessage, known: _BatchLookup, rows: MessageRows
) -> Acceptance | NotifybotError:
    if new.client_id is not None and (new.account, new.client_id) in known.answers:
        return _answer_again(new, *known.answers[new.account, new.client_id])
    try:
        timing = send_timing(new, now=rows.now)
        way = resolve.resolve_request(session, new, known.found, is_later=timing is not None)
    except NotifybotError as refusal:
        return refusal
    accepted = rows.add(new, way) if timing is None else rows.schedule(_with_exact_recipients(new, known.found), timing)
    if new.client_id is not None:
        known.answers[new.account, new.client_id] = (new.fingerprint, accepted)
    return accepted


def _with_exact_recipients(new: NewMessage, found: Lookup) -> NewMessage:
    """People are kept by their ids where their names, read again later, would mean something else."""
    return replace(new, recipients=tuple(_exact_recipient(recipient, found) for recipient in new.recipients))


def _exact_recipient(recipient: Recipient, found: Lookup) -> Recipient:
    """Accounts may be called like a chat or a name of the config; what is clear is found anew when its time comes, for
    an account may be linked to another chat by then."""
    meant = recipient_of(recipient.name)
    is_account = meant.kind is RecipientKind.NAME and meant.name not in found.directory.names
    if recipient.kind is not RecipientKind.PERSON or meant == recipient or is_account:
        return recipient
    account = found.directory.accounts.get(recipient.name, recipient.name)
    return person_recipient(found.by_name[account].user_id)


def _answer_again(new: NewMessage, fingerprint: str, first: Acceptance) -> Acceptance | NotifybotError:
    if fingerprint != new.fingerprint:
        return Conflict(
            f"The client_id {new.client_id!r} was used for another request; its message is {first.id}.",
            hint="Use a new client_id for each message, and the same one only to repeat the same request.",
        )
    return replace(first, is_duplicate=True)
