"""Chats: their moves, whether they can be reached, and what each caller has due in them."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, String, bindparam, delete, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col

from notifybot.model.chats import Chat, Post, Turn
from notifybot.model.conditions import IS_DUE, IS_NAMED
from notifybot.model.enums import Urgency
from notifybot.model.messages import Delivery
from notifybot.posts import chat_troubles
from notifybot.storage.statements import affected, fetch, in_list, insert_rows, run, table_of
from notifybot.storage.writer import changes

MOVES_FOLLOWED = 5

CHATS, POSTS, TURNS = table_of(Chat), table_of(Post), table_of(Turn)
_CHAT, _LEVEL = bindparam("chat", type_=String()), bindparam("level", type_=Integer())
_MOMENT, _SAID = bindparam("moment", type_=TURNS.c.next_at.type), bindparam("said", type_=String())
_CALLER = bindparam("caller", type_=String())
_URGENCIES = " UNION ALL ".join(f"SELECT {int(urgency)} AS urgency" for urgency in Urgency)
# One index search for each caller and urgency: a chat may have a hundred thousand due posts.
_FIRST_DUE = f"FROM posts WHERE chat_id = :chat AND posts.urgency = due.urgency AND {IS_DUE}"
_ADD_TURNS = text(f"""
    INSERT INTO turns (chat_id, urgency, caller, is_new, next_at, since)
    WITH RECURSIVE due (urgency, caller) AS (
        SELECT due.urgency, (SELECT min(caller) {_FIRST_DUE}) FROM ({_URGENCIES}) due
        UNION ALL
        SELECT due.urgency, (SELECT min(posts.caller) {_FIRST_DUE} AND posts.caller > due.caller)
          FROM due WHERE due.caller IS NOT NULL
    )
    SELECT first.id, first.urgency, first.caller, first.is_new, first.at, first.at
      FROM (SELECT chats.id, due.urgency, due.caller, chats.is_new,
                   (SELECT min(posts.not_before) {_FIRST_DUE} AND posts.caller = due.caller) AS at
              FROM due JOIN chats ON chats.id = :chat WHERE due.caller IS NOT NULL) first
""")
_WHERE_IT_IS = select(CHATS.c.id, CHATS.c.moved_to, CHATS.c.held_until)
_CHAT_ITSELF = _WHERE_IT_IS.where(CHATS.c.id == _CHAT)
_THIS_CHAT = update(CHATS).where(CHATS.c.id == _CHAT)
_NO_TURNS = delete(TURNS).where(TURNS.c.chat_id == _CHAT)
_RELEASE = _THIS_CHAT.values(claimed_post=None, claim_term=None, claim_until=None)
_NOTE_ANSWER = _THIS_CHAT.where(or_(CHATS.c.unreachable.is_not(None), CHATS.c.kind.is_(None), CHATS.c.is_new)).values(
    unreachable=None, kind=func.coalesce(_SAID, CHATS.c.kind), is_new=False
)
_NOTE_TITLE = _THIS_CHAT.where(or_(CHATS.c.title.is_(None), CHATS.c.title != _SAID)).values(title=_SAID)
_MOVED_OR_HELD = _WHERE_IT_IS.where(
    in_list(CHATS.c.id, "chats"), or_(CHATS.c.moved_to.is_not(None), CHATS.c.held_until.is_not(None))
)
_woken = insert(TURNS).from_select(
    ["chat_id", "urgency", "caller", "is_new", "next_at", "since"],
    select(CHATS.c.id, _LEVEL, _CALLER, CHATS.c.is_new, _MOMENT, _MOMENT).where(in_list(CHATS.c.id, "chats")),
)
_WAKE = _woken.on_conflict_do_update(
    index_elements=[TURNS.c.chat_id, TURNS.c.urgency, TURNS.c.caller],
    set_={"next_at": _woken.excluded.next_at},
    where=_woken.excluded.next_at < TURNS.c.next_at,
)
_KNOWN = update(CHATS).where(in_list(CHATS.c.id, "chats"), CHATS.c.is_new).values(is_new=False)


def ensure(session: Session, chat_ids: Collection[str], *, is_new: bool = True) -> None:
    """Insert a row for each chat that has none. `is_new` is False for chats that certainly exist."""
    insert_rows(session, Chat, [{"id": chat_id} for chat_id in sorted(chat_ids)], skip_known=True)
    if not is_new:
        run(session, _KNOWN, chats=sorted(chat_ids))


@dataclass(frozen=True)
class Reached:
    """A chat that messages go to, with the end of its flood wait."""

    id: str
    held_until: datetime | None


def current(session: Session, chat_ids: Collection[str]) -> dict[str, Reached]:
    """Return the chat that each id stands for now, by the given id; one without a row stands for itself.

    Follows groups that became supergroups, and @names whose id is known. Chats that neither moved nor have a flood
    wait, which are most, are not even read.
    """
    found = {chat_id: Reached(chat_id, None) for chat_id in chat_ids}
    for row in fetch(session, _MOVED_OR_HELD, chats=sorted(found)):
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


def wake(session: Session, due: Iterable[tuple[str, int, str]], *, now: datetime) -> None:
    """Give callers a turn in these chats, since they have new due posts there: (chat, urgency, caller) each.

    This includes chats that must not be called yet; the next claim puts those back.
    """
    turns: defaultdict[tuple[int, str], set[str]] = defaultdict(set)
    for chat_id, urgency, caller in due:
        turns[int(urgency), caller].add(chat_id)
    for (level, caller), chat_ids in turns.items():
        run(session, _WAKE, chats=sorted(chat_ids), level=level, caller=caller, moment=now)
        changes(session).is_work_due = True


def release(session: Session, chat_id: str) -> None:
    """End the claim on a chat."""
    run(session, _RELEASE, chat=chat_id)
    reschedule(session, chat_id)


def reschedule(session: Session, chat_id: str) -> None:
    """Write the turns of a chat again, from its due posts."""
    run(session, _NO_TURNS, chat=chat_id)
    if run(session, _ADD_TURNS, chat=chat_id) > 0:
        changes(session).is_work_due = True


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


def move(session: Session, old: str, new: str) -> None:
    """Follow a group that became a supergroup. Waiting posts move with it, shown ones are not edited any more."""
    ensure(session, {new}, is_new=False)
    affected(session, update(Chat).where(col(Chat.id) == old).values(moved_to=new))
    waiting = (col(Post.chat_id) == old, text(IS_DUE))
    shown = (*waiting, col(Post.shown_version) > 0)
    affected(session, update(Post).where(*shown).values(shown_version=Post.version))
    moving = select(POSTS.c.id).where(*waiting)
    affected(session, update(Delivery).where(col(Delivery.post_id).in_(moving)).values(chat_id=new))
    affected(session, update(Post).where(*waiting).values(chat_id=new))
    chat_troubles.follow(session, old, new)
    for chat_id in (old, new):
        reschedule(session, chat_id)


def rename(session: Session, name: str, chat_id: str) -> None:
    """Replace an @name by its id from Telegram, for all its posts."""
    ensure(session, {chat_id}, is_new=False)
    affected(session, update(Chat).where(col(Chat.id) == name).values(moved_to=chat_id))
    for table in (Delivery, Post):
        named = (text(IS_NAMED), col(table.chat_id) == name)
        affected(session, update(table).where(*named).values(chat_id=chat_id))
    chat_troubles.follow(session, name, chat_id)
    reschedule(session, chat_id)
