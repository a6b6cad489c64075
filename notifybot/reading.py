"""Messages as those see them who ask: one whole, or a page of a list."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlmodel import Session, col, func, select

from notifybot import attachments, messages, schedules, timeline
from notifybot.ids import first_id
from notifybot.lifecycle import State
from notifybot.models import IS_OPEN, Attachment, Delivery, Message, Post, TimelineEvent, table_of

RECENTLY = timedelta(days=1)
"""What was to be sent longer ago has been, or was given up."""

LOOKED_AT = 100
"""Of so many messages that wait, the first accepted ones, the oldest is found: what was scheduled is younger than its
place among them."""


@dataclass(frozen=True)
class Copy:
    """One delivery, and where it stands."""

    delivery: Delivery
    telegram_message_ids: tuple[int, ...]
    is_reminder: bool = False


@dataclass(frozen=True)
class Detail:
    """One message with all that belongs to it."""

    message: Message
    copies: tuple[Copy, ...]
    timeline: tuple[TimelineEvent, ...]
    files: tuple[Attachment, ...]


@dataclass(frozen=True)
class Filter:
    """Which messages a list holds; None: all. `account`: only those that this caller sent."""

    status: State | None = None
    source: str | None = None
    since: datetime | None = None
    account: str | None = None
    before_id: str | None = None
    is_open: bool = False
    """Only alerts that are not closed."""


@dataclass(frozen=True)
class Backlog:
    """What waits to be shown."""

    waiting: int
    oldest_at: datetime | None
    uncertain: int


def detail(session: Session, message_id: str) -> Detail:
    message = messages.find(session, message_id)
    joined = select(Delivery, Post.shown, Post.is_reminder).join(Post, col(Post.id) == col(Delivery.post_id))
    rows = session.exec(joined.where(Delivery.message_id == message_id).order_by(col(Delivery.id))).all()
    copies = tuple(
        Copy(delivery, tuple(id for _, *ids in shown for id in ids), is_reminder)
        for delivery, shown, is_reminder in rows
    )
    files = tuple(attachments.rows(session, message_id)) if message.file_count else ()
    return Detail(message, copies, tuple(timeline.of(session, message_id)), files)


def page(session: Session, wanted: Filter, *, limit: int) -> Sequence[Message]:
    """At most `limit` messages, newest first."""
    chosen = select(Message)
    if wanted.is_open:
        chosen = chosen.where(text(IS_OPEN))
    if wanted.status is not None:
        chosen = chosen.where(Message.state == wanted.status)
    if wanted.source is not None:
        chosen = chosen.where(Message.source == wanted.source)
    if wanted.since is not None:
        # The id holds the time too, and is what the indexes end with.
        chosen = chosen.where(col(Message.created_at) >= wanted.since, col(Message.id) >= first_id(wanted.since))
    if wanted.account is not None:
        chosen = chosen.where(Message.account == wanted.account)
    if wanted.before_id is not None:
        chosen = chosen.where(col(Message.id) < wanted.before_id)
    return session.exec(chosen.order_by(col(Message.id).desc()).limit(limit)).all()


def pending(session: Session, *, account: str | None, now: datetime, limit: int) -> list[Detail]:
    """What is to be sent later, or was released and does not stand in all chats yet, the next first; those of one
    account, or all. What a paused schedule holds comes at the time for which it was meant."""
    # As expressions, so that SQLite takes the index of the times, and not that of the states or of the accounts.
    is_pending = func.lower(Message.state).in_((State.SCHEDULED.value, State.INITIATED.value))
    coming = select(Message).where(text("send_at IS NOT NULL"), col(Message.send_at) >= now - RECENTLY, is_pending)
    if account is not None:
        coming = coming.where(col(Message.account).concat("") == account)
    found = list(session.exec(coming.order_by(col(Message.send_at)).limit(limit)))
    listed = schedules.page(session, account=account, limit=limit)
    found += [each.waiting for each in listed if each.schedule.paused_at is not None and each.waiting is not None]
    by_time = sorted(
        {message.id: message for message in found}.values(), key=lambda each: (each.send_at or now, each.id)
    )
    return [detail(session, message.id) for message in by_time[:limit]]


def backlog(session: Session) -> Backlog:
    """How many deliveries wait, since when, and how often a send could not be recorded."""
    waits = text("status = 'waiting'")  # the text of a partial index
    waiting = session.exec(select(func.count()).select_from(Delivery).where(waits)).one()
    first = select(Delivery.message_id).where(waits).distinct().order_by(Delivery.message_id).limit(LOOKED_AT)
    came_at = func.coalesce(Message.send_at, Message.created_at, type_=table_of(Message).c.created_at.type)
    oldest = session.exec(select(func.min(came_at)).where(col(Message.id).in_(first))).one()
    uncertain = session.exec(select(func.coalesce(func.sum(Post.uncertain), 0)).where(text("uncertain > 0"))).one()
    return Backlog(int(waiting), oldest, int(uncertain))
