"""Deduplication: repeats under a dedup_key are counted on the message bound to it and replace its text.

A key belongs to a caller and a set of recipients. It is bound until its message is resolved, closed without an
acknowledgement, or, after an acknowledgement, for BOUND_AFTER_ACKNOWLEDGEMENT: meanwhile repeats are only counted. The
deadlines stay those of the first message.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, or_, select, update
from sqlmodel import Session, col

from notifybot.messages import edit, queries, transitions
from notifybot.model.actors import Actor
from notifybot.model.enums import EventKind
from notifybot.model.messages import DedupKey, Message
from notifybot.model.states import State, Transition
from notifybot.posts import timeline
from notifybot.rendering.parts import Appearance
from notifybot.storage.statements import affected, insert_rows
from notifybot.storage.writer import changes

BOUND_AFTER_ACKNOWLEDGEMENT = timedelta(hours=24)


def recipients_key(recipients: Collection[str]) -> str:
    """Join recipients to one text that does not depend on their order."""
    return "\n".join(sorted(set(recipients)))


def find_bound(
    session: Session, account: str, recipients: Collection[str], dedup_key: str, *, now: datetime
) -> str | None:
    """Return the id of the message that this key is bound to, if any. One that failed or was cancelled does not count,
    since it reached no one."""
    of_key = select(col(Message.id)).join(DedupKey, col(DedupKey.message_id) == col(Message.id))
    of_key = of_key.where(
        col(DedupKey.account) == account,
        col(DedupKey.recipients) == recipients_key(recipients),
        col(DedupKey.dedup_key) == dedup_key,
        or_(col(DedupKey.bound_until).is_(None), col(DedupKey.bound_until) > now),
        col(Message.state) != State.CANCELLED,
        or_(col(Message.is_alert), col(Message.state) != State.FAILED),
        or_(col(Message.state) != State.CLOSED, col(Message.acknowledged_at).is_not(None)),
        col(Message.resolved_at).is_(None),
    )
    return session.execute(of_key).scalar()


def bind(session: Session, account: str, recipients: Collection[str], dedup_key: str, message_id: str) -> None:
    """Bind the key to this message from now on."""
    key = {"account": account, "recipients": recipients_key(recipients), "dedup_key": dedup_key}
    affected(session, delete(DedupKey).where(and_(*(getattr(DedupKey, name) == key[name] for name in key))))
    insert_rows(session, DedupKey, [{**key, "message_id": message_id}])


@dataclass(frozen=True)
class NewText:
    """A newer text of a message. `why_plain`: reason why its markup cannot be parsed."""

    title: str | None
    content: str
    parse_mode: str | None = None
    why_plain: str | None = None


def count_repeat(session: Session, message_id: str, text: NewText | None, *, now: datetime) -> Message:
    """Count a repeat. Unless the message is acknowledged, its text becomes the newest one (None if none came)."""
    message = queries.find(session, message_id)
    counted: dict[str, Any] = {"repeats": col(Message.repeats) + 1, "repeated_at": now}
    if text is not None and message.acknowledged_at is None:
        counted |= {"title": text.title, **_text_columns(message, text)}
        _note_plain(session, message_id, text, now=now)
    affected(session, update(Message).where(col(Message.id) == message_id).values(**counted))
    changes(session).messages.add(message_id)
    timeline.trim(session, message_id, EventKind.EDITED)
    edit.refresh_posts(session, [message_id], now=now)
    return queries.find(session, message_id)


def keep_after_acknowledgement(session: Session, message_id: str, *, now: datetime) -> None:
    """Let the key expire some time after an acknowledgement, so that repeats do not alert again until then."""
    _bind_until(session, message_id, now + BOUND_AFTER_ACKNOWLEDGEMENT)


def keep_while_open(session: Session, message_id: str) -> None:
    """Bind the key without an end again, after an acknowledgement was taken back."""
    _bind_until(session, message_id, None)


def _bind_until(session: Session, message_id: str, until: datetime | None) -> None:
    affected(session, update(DedupKey).where(col(DedupKey.message_id) == message_id).values(bound_until=until))


def _text_columns(message: Message, text: NewText) -> dict[str, Any]:
    look = replace(Appearance.of(message.look), parse_mode=text.parse_mode)
    return {"content": text.content, "look": look.stored()}


def _note_plain(session: Session, message_id: str, text: NewText, *, now: datetime) -> None:
    if text.why_plain is not None:
        detail = timeline.shown_plain(text.why_plain)
        timeline.add(session, [message_id], EventKind.REFORMATTED, now=now, detail=detail)


def resolve(
    session: Session, message_id: str, actor: Actor, *, now: datetime, last_text: NewText | None = None
) -> Message:
    """Resolve a message: free its key, close an open alert and update its posts. Resolving again changes nothing.

    `last_text` replaces the text; the title stays unless there is a new one.
    """
    message = queries.find(session, message_id)
    unresolved = update(Message).where(col(Message.id) == message_id, col(Message.resolved_at).is_(None))
    resolved: dict[str, Any] = {"resolved_at": now}
    if last_text is not None:
        resolved |= {"title": last_text.title or message.title, **_text_columns(message, last_text)}
    if affected(session, unresolved.values(**resolved)):
        affected(session, delete(DedupKey).where(col(DedupKey.message_id) == message_id))
        timeline.add(session, [message_id], EventKind.RESOLVED, now=now, actor=actor.name)
        if last_text is not None:
            _note_plain(session, message_id, last_text, now=now)
        if message.is_alert and transitions.move(session, message_id, Transition.CLOSE, closed_at=now):
            timeline.add(session, [message_id], EventKind.CLOSED, now=now, actor=actor.name)
            edit.withdraw_unshown(session, message_id, now=now)
        changes(session).messages.add(message_id)
        edit.refresh_posts(session, [message_id], now=now)
    return queries.find(session, message_id)
