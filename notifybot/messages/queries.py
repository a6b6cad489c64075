"""Read messages: one, its details, a page of the list, the backlog."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import add
from typing import Any

from sqlalchemy import ColumnElement, Text, cast, exists, text
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, func, select

from notifybot.errors import NotFound
from notifybot.messages import attachments
from notifybot.model.chats import Post
from notifybot.model.conditions import IS_IN_TROUBLE, IS_NEXT, IS_OPEN, IS_UNACKNOWLEDGED
from notifybot.model.ids import first_id
from notifybot.model.messages import Attachment, Delivery, Message, TimelineEvent
from notifybot.model.schedules import Schedule
from notifybot.model.states import State
from notifybot.posts import timeline
from notifybot.storage.statements import table_of
from notifybot.times import occurrences

STUCK_AFTER = 3
"""Failures in a row after which uploads count as stuck."""
BACKLOG_SAMPLE = 100
"""Waiting messages, in the order of acceptance, among which the oldest is looked for. A scheduled message counts from
its send_at, so the first one is not always the oldest."""

LONG_COLUMNS = ("content", "data", "look", "recipients")
MAX_PAGE_CHARACTERS = 4_000_000
"""On one page of the list: 500 messages of 1 MB each would take gigabytes."""


@dataclass(frozen=True)
class DeliveryDetails:
    """One delivery, and its messages in Telegram."""

    delivery: Delivery
    telegram_message_ids: tuple[int, ...]
    is_reminder: bool = False


@dataclass(frozen=True)
class MessageDetails:
    """One message with its deliveries, timeline and files."""

    message: Message
    deliveries: tuple[DeliveryDetails, ...]
    timeline: tuple[TimelineEvent, ...]
    files: tuple[Attachment, ...]


@dataclass(frozen=True)
class MessageFilter:
    """Filter of a list of messages; None matches all. `before_id`: only messages accepted before this one."""

    status: State | None = None
    source: str | None = None
    since: datetime | None = None
    account: str | None = None
    before_id: str | None = None
    is_open: bool = False
    """Only alerts that can still be closed."""


@dataclass(frozen=True)
class Backlog:
    """Deliveries that wait to be shown, sends with an unknown outcome, and posts whose files cannot be uploaded."""

    waiting: int
    oldest_at: datetime | None
    uncertain: int
    without_files: int = 0


def details(session: Session, message_id: str) -> MessageDetails:
    message = find(session, message_id)
    joined = select(Delivery, Post.shown, Post.is_reminder).join(Post, col(Post.id) == col(Delivery.post_id))
    rows = session.exec(joined.where(Delivery.message_id == message_id).order_by(col(Delivery.id))).all()
    deliveries = tuple(
        DeliveryDetails(delivery, tuple(id for _, *ids in shown for id in ids), is_reminder)
        for delivery, shown, is_reminder in rows
    )
    files = tuple(attachments.rows_of(session, message_id)) if message.file_count else ()
    return MessageDetails(message, deliveries, tuple(timeline.events_of(session, message_id)), files)


def page(session: Session, wanted: MessageFilter, *, limit: int) -> tuple[list[tuple[str, int]], bool]:
    """Return the ids and sizes of the newest messages, at most `limit` of them and about MAX_PAGE_CHARACTERS, and
    whether there are more."""
    sizes = session.execute(_matching(select_columns(col(Message.id), size_of()), wanted).limit(limit + 1)).all()
    found: list[tuple[str, int]] = []
    total = 0
    for message_id, size in sizes[:limit]:
        total += size
        if found and total > MAX_PAGE_CHARACTERS:
            break
        found.append((message_id, size))
    return found, len(found) < len(sizes)


def some(session: Session, ids: Sequence[str]) -> Sequence[Message]:
    """Return the messages with these ids, in this order; those that are gone meanwhile are left out."""
    found = {message.id: message for message in session.exec(select(Message).where(col(Message.id).in_(ids)))}
    return [found[each] for each in ids if each in found]


def size_of() -> ColumnElement[int]:
    """Characters of what a caller can make long."""
    columns = table_of(Message).c
    return reduce(add, [func.coalesce(func.length(cast(columns[name], Text)), 0) for name in LONG_COLUMNS])


def _matching(chosen: Any, wanted: MessageFilter) -> Any:
    """Restrict a query of messages, and order them from the newest."""
    if wanted.is_open:
        chosen = chosen.where(text(IS_OPEN))
    if wanted.status is not None:
        chosen = chosen.where(col(Message.state) == wanted.status)
    if wanted.source is not None:
        chosen = chosen.where(col(Message.source) == wanted.source)
    if wanted.since is not None:
        # The id contains the time too, and is the last column of the indexes.
        chosen = chosen.where(col(Message.created_at) >= wanted.since, col(Message.id) >= first_id(wanted.since))
    if wanted.account is not None:
        chosen = chosen.where(col(Message.account) == wanted.account)
    if wanted.before_id is not None:
        chosen = chosen.where(col(Message.id) < wanted.before_id)
    return chosen.order_by(col(Message.id).desc())


def backlog(session: Session) -> Backlog:
    """Count waiting deliveries and uncertain sends, and find the time of the oldest waiting message."""
    waits = text("status = 'waiting'")  # the text of a partial index
    waiting = session.exec(select(func.count()).select_from(Delivery).where(waits)).one()
    first = select(Delivery.message_id).where(waits).distinct().order_by(Delivery.message_id).limit(BACKLOG_SAMPLE)
    came_at = func.coalesce(Message.send_at, Message.created_at, type_=table_of(Message).c.created_at.type)
    oldest = session.exec(select(func.min(came_at)).where(col(Message.id).in_(first))).one()
    uncertain = session.exec(select(func.coalesce(func.sum(Post.uncertain), 0)).where(text("uncertain > 0"))).one()
    is_stuck = (text(IS_IN_TROUBLE), col(Post.files_follow), col(Post.errors) >= STUCK_AFTER)
    stuck = session.exec(select(func.count()).select_from(Post).where(*is_stuck)).one()
    return Backlog(int(waiting), oldest, int(uncertain), int(stuck))


def find(session: Session, message_id: str) -> Message:
    message = session.get(Message, message_id, populate_existing=True)
    if message is None:
        raise NotFound("There is no message with this id.", hint="GET /api/messages lists the messages and their ids.")
    return message


def any_unacknowledged(session: Session, message_ids: Collection[str]) -> bool:
    """Return True if one of these is an alert that still waits for an acknowledgement."""
    found = select(col(Message.id)).where(col(Message.id).in_(message_ids), text(IS_UNACKNOWLEDGED))
    return session.execute(found).first() is not None


def open_alerts(session: Session, chat_id: str, *, limit: int) -> list[Message]:
    """Return the open alerts in this chat, newest first, acknowledged ones included."""
    is_here = exists().where(col(Delivery.message_id) == Message.id, col(Delivery.chat_id) == chat_id)
    here = select(Message).where(text(IS_OPEN), is_here)
    return list(session.exec(here.order_by(col(Message.id).desc()).limit(limit)))


def next_times(session: Session, schedule_id: str) -> tuple[datetime, ...]:
    """Return the next few times of a schedule; none while it is paused or after it has ended."""
    schedule = session.get(Schedule, schedule_id, populate_existing=True)
    if schedule is None or schedule.paused_at is not None:
        return ()
    waiting = select(Message.send_at).where(text(IS_NEXT), Message.schedule_id == schedule_id)
    send_at = session.exec(waiting).first()
    return () if send_at is None else occurrences.upcoming(schedule, send_at)
