"""What is told again under a dedup_key: it counts on the message that is bound to it, and the newest text is shown.

A key belongs to a caller and their recipients. It is bound while its message lives: until the source says that the
trouble is over, until an alert is closed unanswered, or KEPT_AFTER_ANSWER after an answer, in which time repeats only
count. Deadlines stay what the first made them.
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

KEPT_AFTER_ACKNOWLEDGEMENT = timedelta(hours=24)


def recipients_key(recipients: Collection[str]) -> str:
    """All recipients as one text, whatever their order."""
    return "\n".join(sorted(set(recipients)))


def find_bound(
    session: Session, account: str, recipients: Collection[str], dedup_key: str, *, now: datetime
) -> str | None:
    """The message that this key is bound to now. What failed or was cancelled told nobody: the next begins anew."""
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
    """From now on the key means this message."""
    key = {"account": account, "recipients": recipients_key(recipients), "dedup_key": dedup_key}
    affected(session, delete(DedupKey).where(and_(*(getattr(DedupKey, name) == key[name] for name in key))))
    insert_rows(session, DedupKey, [{**key, "message_id": message_id}])


@dataclass(frozen=True)
class NewText:
    """What is told again: the newest text, in whatever markup it is written. `why_plain`: that cannot be read."""

    title: str | None
    content: str
    parse_mode: str | None = None
    why_plain: str | None = None


def count_repeat(session: Session, message_id: str, told: NewText | None, *, now: datetime) -> Message:
    """The same once more: counted, and shown with the newest text (None: none came) unless somebody answered."""
    message = queries.find(session, message_id)
    newest = (
        {}
        if told is None or message.acknowledged_at is not None
        else {"title": told.title, **_text_columns(message, told)}
    )
    counted = {"repeats": col(Message.repeats) + 1, "repeated_at": now, **newest}
    affected(session, update(Message).where(col(Message.id) == message_id).values(**counted))
    if newest and told is not None:
        _note_plain(session, message_id, told, now=now)
    changes(session).messages.add(message_id)
    timeline.trim(session, message_id, EventKind.EDITED)
    edit.refresh_posts(session, [message_id], now=now)
    return queries.find(session, message_id)


def keep_after_acknowledgement(session: Session, message_id: str, *, now: datetime) -> None:
    """Somebody answered: for a while repeats of this trouble do not ask again."""
    answered = update(DedupKey).where(col(DedupKey.message_id) == message_id)
    affected(session, answered.values(bound_until=now + KEPT_AFTER_ACKNOWLEDGEMENT))


def keep_while_open(session: Session, message_id: str) -> None:
    """The answer was taken back: the key is bound as before it."""
    taken_back = update(DedupKey).where(col(DedupKey.message_id) == message_id)
    affected(session, taken_back.values(bound_until=None))


def _text_columns(message: Message, told: NewText) -> dict[str, Any]:
    """The columns of a text; its markup is its own, all else looks as before."""
    look = replace(Appearance.of(message.look), parse_mode=told.parse_mode)
    return {"content": told.content, "look": look.stored()}


def _note_plain(session: Session, message_id: str, told: NewText, *, now: datetime) -> None:
    if told.why_plain is not None:
        detail = timeline.shown_plain(told.why_plain)
        timeline.add(session, [message_id], EventKind.REFORMATTED, now=now, detail=detail)


def resolve(
    session: Session, message_id: str, actor: Actor, *, now: datetime, last_word: NewText | None = None
) -> Message:
    """The trouble is over: the key is free, an open alert is closed, what stands in the chats says so, with the last
    word as its text if there is one, under the title that it had unless another comes."""
    message = queries.find(session, message_id)
    resolved = update(Message).where(col(Message.id) == message_id, col(Message.resolved_at).is_(None))
    newest = (
        {} if last_word is None else {"title": last_word.title or message.title, **_text_columns(message, last_word)}
    )
    if affected(session, resolved.values(resolved_at=now, **newest)):
        affected(session, delete(DedupKey).where(col(DedupKey.message_id) == message_id))
        timeline.add(session, [message_id], EventKind.RESOLVED, now=now, actor=actor.name)
        if last_word is not None:
            _note_plain(session, message_id, last_word, now=now)
        if message.is_alert and transitions.move(session, message_id, Transition.CLOSE, closed_at=now):
            timeline.add(session, [message_id], EventKind.CLOSED, now=now, actor=actor.name)
            edit.withdraw_unshown(session, message_id, now=now)
        changes(session).messages.add(message_id)
        edit.refresh_posts(session, [message_id], now=now)
    return queries.find(session, message_id)
