"""What is told again under a dedup_key: it counts on the message that is bound to it, and the newest text is shown.

A key belongs to a caller and their recipients. It is bound while its message lives: until the source says that the
trouble is over, until an alert is closed unanswered, or KEPT_AFTER_ANSWER after an answer, in which time repeats only
count. Deadlines stay what the first made them.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, or_, select, update
from sqlmodel import Session, col

from notifybot import messages, timeline
from notifybot.database import affected, changes
from notifybot.lifecycle import State, Step
from notifybot.messages import Actor
from notifybot.models import DedupKey, EventKind, Message
from notifybot.prepared import insert_rows

KEPT_AFTER_ANSWER = timedelta(hours=24)


def key_of(recipients: Collection[str]) -> str:
    """All recipients as one text, whatever their order."""
    return "\n".join(sorted(set(recipients)))


def bound(session: Session, account: str, recipients: Collection[str], dedup_key: str, *, now: datetime) -> str | None:
    """The message that this key is bound to now. What failed or was cancelled told nobody: the next begins anew."""
    of_key = select(col(Message.id)).join(DedupKey, col(DedupKey.message_id) == col(Message.id))
    of_key = of_key.where(
        col(DedupKey.account) == account,
        col(DedupKey.recipients) == key_of(recipients),
        col(DedupKey.dedup_key) == dedup_key,
        or_(col(DedupKey.bound_until).is_(None), col(DedupKey.bound_until) > now),
        col(Message.state) != State.CANCELLED,
        or_(col(Message.is_alert), col(Message.state) != State.FAILED),
        or_(col(Message.state) != State.CLOSED, col(Message.acknowledged_at).is_not(None)),
        col(Message.resolved_at).is_(None),
    )
    return session.execute(of_key).scalar()


def bind(session: Session, account: str, recipients: Collection[str], dedup_key: str, message_id: str) -> None:
    """From now on the key means this message."""
    key = {"account": account, "recipients": key_of(recipients), "dedup_key": dedup_key}
    affected(session, delete(DedupKey).where(and_(*(getattr(DedupKey, name) == key[name] for name in key))))
    insert_rows(session, DedupKey, [{**key, "message_id": message_id}])


def count(session: Session, message_id: str, *, title: str | None, content: str | None, now: datetime) -> Message:
    """The same once more: counted, and shown with the newest text (None: none came) unless somebody answered."""
    message = messages.find(session, message_id)
    is_newer = content is not None and message.acknowledged_at is None
    newest: dict[str, Any] = {"title": title, "content": content} if is_newer else {}
    counted = {"repeats": col(Message.repeats) + 1, "repeated_at": now, **newest}
    affected(session, update(Message).where(col(Message.id) == message_id).values(**counted))
    changes(session).messages.add(message_id)
    timeline.trim(session, message_id, EventKind.EDITED)
    messages.refresh_posts(session, [message_id], now=now)
    return messages.find(session, message_id)


def keep_after_answer(session: Session, message_id: str, *, now: datetime) -> None:
    """Somebody answered: for a while repeats of this trouble do not ask again."""
    answered = update(DedupKey).where(col(DedupKey.message_id) == message_id)
    affected(session, answered.values(bound_until=now + KEPT_AFTER_ANSWER))


def resolve(session: Session, message_id: str, actor: Actor, *, now: datetime, content: str | None = None) -> Message:
    """The trouble is over: the key is free, an open alert is closed, what stands in the chats says so, with the last
    word as its text if there is one."""
    message = messages.find(session, message_id)
    resolved = update(Message).where(col(Message.id) == message_id, col(Message.resolved_at).is_(None))
    if affected(session, resolved.values(resolved_at=now, **({} if content is None else {"content": content}))):
        affected(session, delete(DedupKey).where(col(DedupKey.message_id) == message_id))
        timeline.add(session, [message_id], EventKind.RESOLVED, now=now, actor=actor.name)
        if message.is_alert and messages.move(session, message_id, Step.CLOSE, closed_at=now):
            timeline.add(session, [message_id], EventKind.CLOSED, now=now, actor=actor.name)
            messages.withdraw_unshown(session, message_id, now=now)
        changes(session).messages.add(message_id)
        messages.refresh_posts(session, [message_id], now=now)
    return messages.find(session, message_id)
