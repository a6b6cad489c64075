"""Answer a repeated client_id or Idempotency-Key with its first message."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, or_
from sqlmodel import Session, col, select

from notifybot.errors import Conflict, NotifybotError
from notifybot.messages import queries
from notifybot.messages.new_message import Acceptance, NewMessage
from notifybot.model.messages import ClientId, Message
from notifybot.storage.statements import affected, insert_rows

CLIENT_ID_RETENTION = timedelta(days=7)


def note_client_id(session: Session, new: NewMessage, message_id: str, *, now: datetime) -> None:
    """Remember the client_id of a message for CLIENT_ID_RETENTION."""
    if new.client_id is not None:
        key = {"account": new.account, "client_id": new.client_id, "message_id": message_id}
        row = {**key, "fingerprint": new.fingerprint, "expires_at": now + CLIENT_ID_RETENTION}
        insert_rows(session, ClientId, [row])


def earlier_answers(
    session: Session, batch: Sequence[NewMessage], *, now: datetime
) -> dict[tuple[str, str], tuple[str, Acceptance]]:
    """Find the first requests with the client_ids of a batch: their fingerprints and results."""
    keys = {(new.account, new.client_id) for new in batch if new.client_id is not None}
    if not keys:
        return {}
    is_asked = _is_one_of(keys)
    affected(session, delete(ClientId).where(is_asked, col(ClientId.expires_at) <= now))
    found = session.exec(select(ClientId, Message).join(Message).where(is_asked)).all()
    return {
        (seen.account, seen.client_id): (seen.fingerprint, duplicate_of(session, message)) for seen, message in found
    }


def _is_one_of(keys: Collection[tuple[str, str]]) -> ColumnElement[bool]:
    # Account by account: with a list of pairs, SQLite would read the whole table.
    named: dict[str, list[str]] = {}
    for account, client_id in sorted(keys):
        named.setdefault(account, []).append(client_id)
    return or_(
        *(and_(col(ClientId.account) == account, col(ClientId.client_id).in_(ids)) for account, ids in named.items())
    )


def duplicate_of(session: Session, message: Message) -> Acceptance:
    """Answer a repeated request with the message as it is now."""
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


def answer_again(new: NewMessage, fingerprint: str, first: Acceptance) -> Acceptance | NotifybotError:
    """Answer the same request again, or refuse another one under its client_id."""
    if not _is_same(fingerprint, new.fingerprint):
        return Conflict(
            f"The client_id {new.client_id!r} was used for another request; its message is {first.id}.",
            hint="Use a new client_id for each message; reuse one only to retry the same request.",
        )
    return first._replace(is_duplicate=True)


def _is_same(one: str, other: str) -> bool:
    """Compare fingerprints: of a request some of whose files could not be stored, only the fields count."""
    (fields, _, files), (other_fields, _, other_files) = one.partition(":"), other.partition(":")
    return fields == other_fields and (files == other_files or not (files and other_files))


def forget_old(session: Session, *, now: datetime) -> int:
    """Delete expired client_ids; return their number."""
    return affected(session, delete(ClientId).where(col(ClientId.expires_at) < now))
