"""Chats: their moves, whether they can be reached, and the time of their next call."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, String, bindparam, case, func, or_, select, text, update
from sqlmodel import Session, col

from notifybot.model.chats import Chat, Post
from notifybot.model.conditions import IS_DUE, IS_NAMED
from notifybot.model.enums import Urgency
from notifybot.model.messages import Delivery
from notifybot.posts import chat_troubles
from notifybot.storage.statements import affected, fetch, in_list, insert_rows, run, table_of
from notifybot.storage.writer import changes

MOVES_FOLLOWED = 5

CHATS, POSTS = table_of(Chat), table_of(Post)
_CHAT, _LEVEL = bindparam("chat", type_=String()), bindparam("level", type_=Integer())
_MOMENT, _SAID = bindparam("moment", type_=CHATS.c.next_at.type), bindparam("said", type_=String())
_DUE_BY_URGENCY = text(f"""
    SELECT urgencies.urgency,
           (SELECT not_before FROM posts
             WHERE chat_id = :chat AND posts.urgency = urgencies.urgency AND {IS_DUE}
             ORDER BY not_before LIMIT 1)
      FROM (SELECT 0 AS urgency UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4) urgencies
""").columns(POSTS.c.urgency, POSTS.c.not_before)

_WHERE_IT_IS = select(CHATS.c.id, CHATS.c.moved_to, CHATS.c.held_until)
_CHAT_ITSELF = _WHERE_IT_IS.where(CHATS.c.id == _CHAT)
_IS_LATER = or_(CHATS.c.next_at.is_(None), CHATS.c.next_at > _MOMENT)
_IS_CALMER = or_(CHATS.c.urgency.is_(None), CHATS.c.urgency > _LEVEL)
_THIS_CHAT = update(CHATS).where(CHATS.c.id == _CHAT)
_RESCHEDULE = _THIS_CHAT.values(urgency=_LEVEL, next_at=_MOMENT)
_RELEASE = _RESCHEDULE.values(claimed_post=None, claim_term=None, claim_until=None)
_NOTE_ANSWER = _THIS_CHAT.where(or_(CHATS.c.unreachable.is_not(None), CHATS.c.kind.is_(None))).values(
    unreachable=None, kind=func.coalesce(_SAID, CHATS.c.kind)
)
_NOTE_TITLE = _THIS_CHAT.where(or_(CHATS.c.title.is_(None), CHATS.c.title != _SAID)).values(title=_SAID)
_MOVED_OR_HELD = _WHERE_IT_IS.where(
    in_list(CHATS.c.id, "chats"), or_(CHATS.c.moved_to.is_not(None), CHATS.c.held_until.is_not(None))
)
_WAKE = (
    update(CHATS)
    .where(in_list(CHATS.c.id, "chats"), or_(_IS_LATER, _IS_CALMER))
    .values(
        next_at=case((_IS_LATER, _MOMENT), else_=CHATS.c.next_at),
        urgency=case((_IS_CALMER, _LEVEL), else_=CHATS.c.urgency),
    )
)


def ensure(session: Session, chat_ids: Collection[str]) -> None:
    """Insert a row for each chat that has none."""
    insert_rows(session, Chat, [{"id": chat_id} for chat_id in sorted(chat_ids)], skip_known=True)


@dataclass(frozen=True)
class Reached:
    """A chat that messages go to, with the end of its flood wait."""

    id: str
    held_until: datetime | None


def current(session: Session, chat_ids: Collection[str], known: Collection[str] = ()) -> dict[str, Reached]:
    """Return the chat that each id stands for now, by the given id. Inserts missing rows, except for `known` ids.

    Follows groups that became supergroups, and @names whose id is known. Chats that neither moved nor have a flood
    wait, which are most, are not even read.
    """
    ensure(session, chat_ids)
    everything = {*chat_ids, *known}
    found = {chat_id: Reached(chat_id, None) for chat_id in everything}
    for row in fetch(session, _MOVED_OR_HELD, chats=sorted(everything)):
        found[row.id] = _followed(session, row)
    return found


def _followed(session: Session, row: Any) -> Reached:
    for _ in range(MOVES_FOLLOWED):
        if row.moved_to is None:
            break
        row = fetch(session, _CHAT_ITSELF, chat=row.moved_to)[0]
    return Reached(row.id, row.held_until)


def is_group(chat_id: str, kind: str | None) -> bool:
    """Return True if Telegram's limit for groups may apply. A chat of unknown kind counts if it can be a group."""
    if kind is not None:
        return kind in ("group", "supergroup")
    return chat_id.startswith(("-", "@"))


def wake(session: Session, chat_ids: Collection[str], urgency: Urgency, *, now: datetime) -> None:
    """Make these chats due for a call, since they have new due posts of this urgency.

    This includes chats that must not be called yet; the next claim puts those back.
    """
    if not chat_ids:
        return
    run(session, _WAKE, chats=sorted(chat_ids), level=int(urgency), moment=now)
    changes(session).is_work_due = True


def release(session: Session, chat_id: str, *, now: datetime) -> None:
    """End the claim on a chat and set the time of its next call."""
    urgency, at = _next_post(session, chat_id, now)
    run(session, _RELEASE, chat=chat_id, level=urgency, moment=at)
    changes(session).is_work_due = True


def reschedule(session: Session, chat_id: str, *, now: datetime) -> None:
    """Set a chat's next call: for its most urgent post that is ready, else for the first one that will be."""
    urgency, at = _next_post(session, chat_id, now)
    run(session, _RESCHEDULE, chat=chat_id, level=urgency, moment=at)


def _next_post(session: Session, chat_id: str, now: datetime) -> tuple[int | None, datetime | None]:
    due = [(urgency, at) for urgency, at in fetch(session, _DUE_BY_URGENCY, chat=chat_id) if at is not None]
    if not due:
        return None, None
    ready = [(urgency, at) for urgency, at in due if at <= now]
    return min(ready) if ready else min(due, key=lambda entry: (entry[1], entry[0]))


def hold(session: Session, chat_id: str, until: datetime) -> None:
    affected(session, update(Chat).where(col(Chat.id) == chat_id).values(held_until=until))


def mark_unreachable(session: Session, chat_id: str, reason: str) -> None:
    affected(session, update(Chat).where(col(Chat.id) == chat_id).values(unreachable=reason))


def note_answer(session: Session, chat_id: str, kind: str | None) -> None:
    """Record that a chat can be reached, and its kind if known."""
    run(session, _NOTE_ANSWER, chat=chat_id, said=kind)


def note_title(session: Session, chat_id: str, title: str) -> None:
    """Record the title of a chat."""
    run(session, _NOTE_TITLE, chat=chat_id, said=title)


def move(session: Session, old: str, new: str, *, now: datetime) -> None:
    """Follow a group that became a supergroup. Waiting posts move with it, shown ones are not edited any more."""
    ensure(session, {new})
    affected(session, update(Chat).where(col(Chat.id) == old).values(moved_to=new))
    waiting = (col(Post.chat_id) == old, text(IS_DUE))
    shown = (*waiting, col(Post.shown_version) > 0)
    affected(session, update(Post).where(*shown).values(shown_version=Post.version))
    moving = select(POSTS.c.id).where(*waiting)
    affected(session, update(Delivery).where(col(Delivery.post_id).in_(moving)).values(chat_id=new))
    affected(session, update(Post).where(*waiting).values(chat_id=new))
    chat_troubles.follow(session, old, new)
    reschedule(session, new, now=now)


def rename(session: Session, name: str, chat_id: str, *, now: datetime) -> None:
    """Replace an @name by its id from Telegram, for all its posts."""
    ensure(session, {chat_id})
    affected(session, update(Chat).where(col(Chat.id) == name).values(moved_to=chat_id))
    for table in (Delivery, Post):
        named = (text(IS_NAMED), col(table.chat_id) == name)
        affected(session, update(table).where(*named).values(chat_id=chat_id))
    chat_troubles.follow(session, name, chat_id)
    reschedule(session, chat_id, now=now)
