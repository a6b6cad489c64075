"""Accepting messages: many at once, in a handful of statements, each refused alone."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, delete, or_
from sqlmodel import Session, col, select

from notifybot import attachments, chats, messages, outbox, people, repeats, timeline
from notifybot.chats import Reached
from notifybot.database import affected, changes
from notifybot.errors import Conflict, NotFound, NotifybotError
from notifybot.ids import new_ids
from notifybot.lifecycle import State
from notifybot.models import (
    ClientId,
    Delivery,
    DeliveryStatus,
    EventKind,
    Message,
    Purpose,
    TimelineEvent,
    Urgency,
)
from notifybot.prepared import insert_rows
from notifybot.rendering import USUAL, Look, NewFile
from notifybot.repeats import Told

CLIENT_IDS_KEPT = timedelta(days=7)


class RecipientKind(StrEnum):
    CHAT = "chat"
    PERSON = "person"


@dataclass(frozen=True)
class Recipient:
    """Whom a message is for: a chat by id or @name, a person by account or user_id."""

    kind: RecipientKind
    name: str


@dataclass(frozen=True)
class Extras:
    """What most messages do not have. `why_plain`: the markup of its text could not be read."""

    look: Look = USUAL
    files: tuple[NewFile, ...] = ()
    data: dict[str, Any] | None = None
    dedup_key: str | None = None
    is_resolving: bool = False
    """The trouble of this dedup_key is over."""
    has_text: bool = True
    why_plain: str | None = None


@dataclass(frozen=True)
class NewMessage:
    """A message as it comes in: checked, with the configured deadlines filled in (None: never)."""

    account: str
    source: str
    recipients: tuple[Recipient, ...]
    content: str
    title: str | None
    is_alert: bool
    escalate_after: timedelta | None
    close_after: timedelta | None
    client_id: str | None = None
    fingerprint: str = ""
    """Of the whole request; see ClientId."""
    extras: Extras | None = None

    @property
    def dedup_key(self) -> str | None:
        return None if self.extras is None else self.extras.dedup_key


@dataclass(frozen=True)
class Accepted:
    """What the caller is told."""

    id: str
    status: State
    is_duplicate: bool
    created_at: datetime
    escalate_at: datetime | None
    close_at: datetime | None


class _Manner(NamedTuple):
    """How posts are sent."""

    urgency: Urgency
    is_silent: bool = False
    thread_id: int | None = None


ALERT, NOTICE = _Manner(Urgency.ALERT), _Manner(Urgency.NOTICE)
URGENCY_OF_NOTICES = {
    "low": Urgency.BULK,
    "normal": Urgency.NOTICE,
    "high": Urgency.REPLY,
    "critical": Urgency.ALERT,
}


@dataclass
class _Rows:
    """What a batch inserts, all accepted at `now`; what all rows of a table have in common stands in `_insert`."""

    now: datetime
    ids: Iterator[str]
    """They sort in the order of acceptance, within the batch too."""
    messages: list[dict[str, Any]] = field(default_factory=list)
    with_extras: list[dict[str, Any]] = field(default_factory=list)
    """Messages too, with the columns that most do not need."""
    files: list[tuple[str, Sequence[NewFile]]] = field(default_factory=list)
    posts: dict["_Manner", list[dict[str, Any]]] = field(default_factory=dict)
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    reformatted: list[dict[str, Any]] = field(default_factory=list)
    client_ids: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class _Known:
    """What the database says about the names in a batch."""

    chat_of_person: dict[str, str | NotifybotError]
    chats: dict[str, Reached]
    answers: dict[tuple[str, str], tuple[str, Accepted]]
    """By account and client_id: the fingerprint, and what was answered."""


def accept(session: Session, batch: Sequence[NewMessage], *, now: datetime) -> list[Accepted | NotifybotError]:
    """Write messages, deliveries, posts and timelines; answer each in order, refused ones with the refusal.

    A client_id seen within CLIENT_IDS_KEPT, in this batch too, answers with its first message.
    """
    answers: list[Accepted | NotifybotError] = []
    for has_key, group in groupby(batch, key=lambda new: new.dedup_key is not None):
        if has_key:
            answers += [_accept_under_key(session, new, now=now) for new in group]
        else:
            answers += _accept_all(session, list(group), now=now)
    return answers


def _accept_all(session: Session, batch: Sequence[NewMessage], *, now: datetime) -> list[Accepted | NotifybotError]:
    known = _look_up(session, batch, now=now)
    rows = _Rows(now, new_ids(now))
    answers = [_accept_one(new, known, rows) for new in batch]
    _insert(session, rows)
    return answers


def _accept_under_key(session: Session, new: NewMessage, *, now: datetime) -> Accepted | NotifybotError:
    """A message with a dedup_key: what is bound to the key is told again, or is over; else the key is bound to it."""
    assert new.extras is not None
    assert new.dedup_key is not None
    if (earlier := _earlier_answers(session, [new], now=now)) and new.client_id is not None:
        return _repeated(new, *earlier[new.account, new.client_id])
    names = [recipient.name for recipient in new.recipients]
    bound = repeats.bound(session, new.account, names, new.dedup_key, now=now)
    if bound is None:
        return _bind(session, new, names, now=now)
    told = _told(new, new.extras)
    if new.extras.is_resolving:
        message = repeats.resolve(session, bound, messages.by_account(new.account), last_word=told, now=now)
    else:
        message = repeats.count(session, bound, told, now=now)
    _note_client_id(session, new, bound, now=now)
    return _duplicate(message)


def _told(new: NewMessage, extras: Extras) -> Told | None:
    return Told(new.title, new.content, extras.look.parse_mode, extras.why_plain) if extras.has_text else None


def _bind(session: Session, new: NewMessage, names: Sequence[str], *, now: datetime) -> Accepted | NotifybotError:
    assert new.extras is not None
    assert new.dedup_key is not None
    if new.extras.is_resolving:
        return NotFound(
            f"Nothing is open under the dedup_key {new.dedup_key!r}.",
            hint="It was resolved already, or was never sent by you to these recipients.",
        )
    (answer,) = _accept_all(session, [new], now=now)
    if isinstance(answer, Accepted):
        repeats.bind(session, new.account, names, new.dedup_key, answer.id)
    return answer


def _note_client_id(session: Session, new: NewMessage, message_id: str, *, now: datetime) -> None:
    if new.client_id is not None:
        key = {"account": new.account, "client_id": new.client_id, "message_id": message_id}
        row = {**key, "fingerprint": new.fingerprint, "expires_at": now + CLIENT_IDS_KEPT}
        insert_rows(session, ClientId, [row])


def _look_up(session: Session, batch: Sequence[NewMessage], *, now: datetime) -> _Known:
    named = [recipient for new in batch for recipient in new.recipients]
    persons = {recipient.name for recipient in named if recipient.kind is RecipientKind.PERSON}
    chat_of_person = people.chats_of(session, persons)
    reached = {chat_id for chat_id in chat_of_person.values() if isinstance(chat_id, str)}
    asked = {recipient.name for recipient in named if recipient.kind is RecipientKind.CHAT} | reached
    return _Known(chat_of_person, chats.current(session, asked), _earlier_answers(session, batch, now=now))


def _earlier_answers(
    session: Session, batch: Sequence[NewMessage], *, now: datetime
) -> dict[tuple[str, str], tuple[str, Accepted]]:
    keys = {(new.account, new.client_id) for new in batch if new.client_id is not None}
    if not keys:
        return {}
    is_asked = _is_one_of(keys)
    affected(session, delete(ClientId).where(is_asked, col(ClientId.expires_at) <= now))
    found = session.exec(select(ClientId, Message).join(Message).where(is_asked)).all()
    return {(seen.account, seen.client_id): (seen.fingerprint, _duplicate(message)) for seen, message in found}


def _is_one_of(keys: Collection[tuple[str, str]]) -> ColumnElement[bool]:
    """Account by account: for pairs in a list SQLite would read the whole table."""
    named: dict[str, list[str]] = {}
    for account, client_id in sorted(keys):
        named.setdefault(account, []).append(client_id)
    return or_(
        *(and_(col(ClientId.account) == account, col(ClientId.client_id).in_(ids)) for account, ids in named.items())
    )


def _duplicate(message: Message) -> Accepted:
    return Accepted(
        message.id, message.state, True, message.created_at, escalate_at=message.escalate_at, close_at=message.close_at
    )


def _accept_one(new: NewMessage, known: _Known, rows: _Rows) -> Accepted | NotifybotError:
    if new.client_id is not None and (new.account, new.client_id) in known.answers:
        return _repeated(new, *known.answers[new.account, new.client_id])
    chats_reached: dict[str, tuple[Reached, str]] = {}
    for recipient in new.recipients:
        chat_id = known.chat_of_person[recipient.name] if recipient.kind is RecipientKind.PERSON else recipient.name
        if isinstance(chat_id, NotifybotError):
            return chat_id
        chat = known.chats[chat_id]
        chats_reached.setdefault(chat.id, (chat, recipient.name))
    accepted = _add_message(new, rows, list(chats_reached.values()))
    if new.client_id is not None:
        known.answers[new.account, new.client_id] = (new.fingerprint, accepted)
    return accepted


def _repeated(new: NewMessage, fingerprint: str, first: Accepted) -> Accepted | NotifybotError:
    if fingerprint != new.fingerprint:
        return Conflict(
            f"The client_id {new.client_id!r} was used for another request; its message is {first.id}.",
            hint="Use a new client_id for each message, and the same one only to repeat the same request.",
        )
    return Accepted(first.id, first.status, True, first.created_at, first.escalate_at, first.close_at)


def _add_message(new: NewMessage, rows: _Rows, reached: Collection[tuple[Reached, str]]) -> Accepted:
    message_id = next(rows.ids)
    escalate_at, close_at = _deadlines(new, rows.now, reached)
    row = {
        "id": message_id,
        "is_alert": new.is_alert,
        "title": new.title,
        "content": new.content,
        "recipients": [recipient.name for recipient in new.recipients],
        "source": new.source,
        "account": new.account,
        "escalate_at": escalate_at,
        "close_at": close_at,
    }
    manner = ALERT if new.is_alert else NOTICE
    if new.extras is None:
        rows.messages.append(row)
    else:
        manner = _add_extras(rows, row, new.extras)
    for chat, name in reached:
        _add_delivery(rows, message_id, chat, name, manner)
    _add_event(rows, message_id, new)
    return Accepted(message_id, State.INITIATED, False, rows.now, escalate_at, close_at)


def _deadlines(
    new: NewMessage, created_at: datetime, reached: Collection[tuple[Reached, str]]
) -> tuple[datetime | None, datetime | None]:
    """When an alert escalates and closes. Whose every chat is banned for longer than it may wait escalates at once."""
    if not new.is_alert:
        return None, None
    close_at = None if new.close_after is None else created_at + new.close_after
    if new.escalate_after is None or (new.close_after is not None and new.escalate_after >= new.close_after):
        return None, close_at
    escalate_at = created_at + new.escalate_after
    if all(chat.held_until is not None and chat.held_until >= escalate_at for chat, _ in reached):
        escalate_at = created_at
    return escalate_at, close_at


def _add_extras(rows: _Rows, row: dict[str, Any], extras: Extras) -> _Manner:
    look = extras.look
    also = {"look": look.stored(), "data": extras.data, "dedup_key": extras.dedup_key}
    rows.with_extras.append({**row, **also, "file_count": len(extras.files)})
    if extras.files:
        rows.files.append((row["id"], extras.files))
    if extras.why_plain is not None:
        rows.reformatted.append({"message_id": row["id"], "detail": timeline.shown_plain(extras.why_plain)})
    urgency = Urgency.ALERT if row["is_alert"] else URGENCY_OF_NOTICES[look.priority]
    return _Manner(urgency, look.silent or look.priority == "low", look.thread_id)


def _add_delivery(rows: _Rows, message_id: str, chat: Reached, name: str, manner: _Manner) -> None:
    post_id = next(rows.ids)
    rows.posts.setdefault(manner, []).append({"id": post_id, "chat_id": chat.id})
    rows.deliveries.append({"message_id": message_id, "post_id": post_id, "chat_id": chat.id, "recipient": name})


def _add_event(rows: _Rows, message_id: str, new: NewMessage) -> None:
    rows.events.append({"message_id": message_id, "actor": f"account:{new.account}"})
    if new.client_id is not None:
        key = {"account": new.account, "client_id": new.client_id, "message_id": message_id}
        rows.client_ids.append({**key, "fingerprint": new.fingerprint})


def _insert(session: Session, rows: _Rows) -> None:
    if not rows.messages and not rows.with_extras:
        return
    now = rows.now
    message = {"state": State.INITIATED, "created_at": now, "may_expire": False}
    insert_rows(session, Message, rows.messages, same=message)
    insert_rows(session, Message, rows.with_extras, same=message)
    attachments.add(session, rows.files)
    for manner, posts in rows.posts.items():
        same = {**outbox.due_now(manner.urgency, now=now), "is_silent": manner.is_silent, "thread_id": manner.thread_id}
        outbox.queue(session, posts, manner.urgency, now=now, same=same)
    delivery = {"purpose": Purpose.PRIMARY, "status": DeliveryStatus.WAITING, "attempts": 0}
    insert_rows(session, Delivery, rows.deliveries, same=delivery)
    insert_rows(session, TimelineEvent, rows.events, same={"event": EventKind.ACCEPTED, "at": now})
    plain = {"event": EventKind.REFORMATTED, "at": now, "actor": timeline.NOTIFYBOT}
    insert_rows(session, TimelineEvent, rows.reformatted, same=plain)
    insert_rows(session, ClientId, rows.client_ids, same={"expires_at": now + CLIENT_IDS_KEPT})
    noted = changes(session)
    for deadline in {row[name] for row in (*rows.messages, *rows.with_extras) for name in ("escalate_at", "close_at")}:
        noted.note_deadline(deadline)
