"""Accepting messages: many at once, in a handful of statements, each refused alone."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from sqlalchemy import ColumnElement, and_, delete, or_
from sqlmodel import Session, col, select

from notifybot import messages, repeats, routing, schedules
from notifybot.database import affected
from notifybot.errors import Conflict, Forbidden, NotFound, NotifybotError
from notifybot.ids import new_ids
from notifybot.message_rows import CLIENT_IDS_KEPT, Rows
from notifybot.models import ClientId, Message
from notifybot.new_messages import Accepted, Extras, NewMessage, timing_of
from notifybot.prepared import insert_rows
from notifybot.recipients import Directory, Recipient, RecipientKind, person, recipient_of
from notifybot.repeats import Told
from notifybot.routing import Found

__all__ = ["CLIENT_IDS_KEPT", "Accepted", "Extras", "NewMessage", "Recipient", "RecipientKind", "accept"]

NO_CONFIG = Directory()


@dataclass(frozen=True)
class _Known:
    """What the database says about a batch."""

    found: Found
    answers: dict[tuple[str, str], tuple[str, Accepted]]
    """By account and client_id: the fingerprint, and what was answered."""


def accept(
    session: Session, batch: Sequence[NewMessage], *, now: datetime, directory: Directory = NO_CONFIG
) -> list[Accepted | NotifybotError]:
    """Write messages, deliveries, posts and timelines; answer each in order, refused ones with the refusal.

    A client_id seen within CLIENT_IDS_KEPT, in this batch too, answers with its first message. `directory`: what the
    config says of recipients.
    """
    answers: list[Accepted | NotifybotError] = []
    for has_key, group in groupby(batch, key=lambda new: new.dedup_key is not None):
        if has_key:
            answers += [_accept_under_key(session, new, directory, now=now) for new in group]
        else:
            answers += _accept_all(session, list(group), directory, now=now)
    return answers


def _accept_all(
    session: Session, batch: Sequence[NewMessage], directory: Directory, *, now: datetime
) -> list[Accepted | NotifybotError]:
    found = routing.look_up(session, batch, directory, now=now)
    known = _Known(found, _earlier_answers(session, batch, now=now))
    rows = Rows(now, new_ids(now))
    answers = [_accept_one(session, new, known, rows) for new in batch]
    rows.insert(session)
    return answers


def _accept_under_key(
    session: Session, new: NewMessage, directory: Directory, *, now: datetime
) -> Accepted | NotifybotError:
    """A message with a dedup_key: what is bound to the key is told again, or is over; else the key is bound to it."""
    assert new.extras is not None
    assert new.dedup_key is not None
    if refusal := _refusal(session, new, directory, now=now):
        return refusal
    if new.extras.repeat is not None or (new.extras.send_at is not None and new.extras.send_at > now):
        return NotifybotError("What has a dedup_key is told at once: leave out send_at and repeat, or the dedup_key.")
    if (earlier := _earlier_answers(session, [new], now=now)) and new.client_id is not None:
        return _repeated(new, *earlier[new.account, new.client_id])
    names = [recipient.name for recipient in new.recipients]
    bound = repeats.bound(session, new.account, names, new.dedup_key, now=now)
    if bound is None:
        return _bind(session, new, names, directory, now=now)
    told = _told(new, new.extras)
    if new.extras.is_resolving:
        message = repeats.resolve(session, bound, messages.by_account(new.account), last_word=told, now=now)
    else:
        message = repeats.count(session, bound, told, now=now)
    _note_client_id(session, new, bound, now=now)
    return _duplicate(session, message)


def _refusal(session: Session, new: NewMessage, directory: Directory, *, now: datetime) -> Forbidden | None:
    """What was sent under the key may have gone to whom this caller, of the same account, may not send."""
    try:
        routing.check_may_tell(session, new, now=now, directory=directory)
    except Forbidden as refusal:
        return refusal
    return None


def _told(new: NewMessage, extras: Extras) -> Told | None:
    return Told(new.title, new.content, extras.look.parse_mode, extras.why_plain) if extras.has_text else None


def _bind(
    session: Session, new: NewMessage, names: Sequence[str], directory: Directory, *, now: datetime
) -> Accepted | NotifybotError:
    assert new.extras is not None
    assert new.dedup_key is not None
    if new.extras.is_resolving:
        return NotFound(
            f"Nothing is open under the dedup_key {new.dedup_key!r}.",
            hint="It was resolved already, or was never sent by you to these recipients.",
        )
    (answer,) = _accept_all(session, [new], directory, now=now)
    if isinstance(answer, Accepted):
        repeats.bind(session, new.account, names, new.dedup_key, answer.id)
    return answer


def _note_client_id(session: Session, new: NewMessage, message_id: str, *, now: datetime) -> None:
    if new.client_id is not None:
        key = {"account": new.account, "client_id": new.client_id, "message_id": message_id}
        row = {**key, "fingerprint": new.fingerprint, "expires_at": now + CLIENT_IDS_KEPT}
        insert_rows(session, ClientId, [row])


def _earlier_answers(
    session: Session, batch: Sequence[NewMessage], *, now: datetime
) -> dict[tuple[str, str], tuple[str, Accepted]]:
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


def _duplicate(session: Session, message: Message) -> Accepted:
    times = () if message.schedule_id is None else schedules.find(session, message.schedule_id).next_times
    return Accepted(
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


def _accept_one(session: Session, new: NewMessage, known: _Known, rows: Rows) -> Accepted | NotifybotError:
    if new.client_id is not None and (new.account, new.client_id) in known.answers:
        return _repeated(new, *known.answers[new.account, new.client_id])
    try:
        timing = timing_of(new, now=rows.now)
        way = routing.way_of(session, new, known.found, is_later=timing is not None)
    except NotifybotError as refusal:
        return refusal
    accepted = rows.add(new, way) if timing is None else rows.schedule(_exactly(new, known.found), timing)
    if new.client_id is not None:
        known.answers[new.account, new.client_id] = (new.fingerprint, accepted)
    return accepted


def _exactly(new: NewMessage, found: Found) -> NewMessage:
    """People are kept by their ids where their names, read again later, would mean something else."""
    return replace(new, recipients=tuple(_exact(recipient, found) for recipient in new.recipients))


def _exact(recipient: Recipient, found: Found) -> Recipient:
    """Accounts may be called like a chat or a name of the config; what is clear is found anew when its time comes, for
    an account may be linked to another chat by then."""
    meant = recipient_of(recipient.name)
    is_account = meant.kind is RecipientKind.NAME and meant.name not in found.directory.names
    if recipient.kind is not RecipientKind.PERSON or meant == recipient or is_account:
        return recipient
    account = found.directory.accounts.get(recipient.name, recipient.name)
    return person(found.by_name[account].user_id)


def _repeated(new: NewMessage, fingerprint: str, first: Accepted) -> Accepted | NotifybotError:
    if fingerprint != new.fingerprint:
        return Conflict(
            f"The client_id {new.client_id!r} was used for another request; its message is {first.id}.",
            hint="Use a new client_id for each message, and the same one only to repeat the same request.",
        )
    return replace(first, is_duplicate=True)
