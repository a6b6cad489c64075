"""Which post is due, and the claim on it: one call in flight a chat, Telegram's limits kept, alerts first.

A post is due when IS_DUE holds and its `not_before` has come; its chat may be called when nothing is in flight there,
its hold has ended and its pace allows. A claim is good for one call: a first send, the next part, or an edit.

Statements are built once, for a message costs a handful of them and building one costs more than running it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    LABEL_STYLE_TABLENAME_PLUS_COL,
    ColumnElement,
    Integer,
    Select,
    Subquery,
    bindparam,
    func,
    select,
    text,
    union_all,
    update,
)
from sqlmodel import Session

from notifybot import chats, messages, outbox
from notifybot.formatting import MessageView, PostView
from notifybot.models import HAS_WORK, IS_DUE, Bot, Chat, Delivery, Message, Post, Purpose, Urgency, table_of
from notifybot.pacing import Limits
from notifybot.prepared import fetch, run, run_many
from notifybot.rendering import Button, Entity, Part

LEASE = timedelta(seconds=30)
"""A claim lapses after this: longer than any call to Telegram may take (telegram_http.Timeouts)."""
AWAY_AFTER = 3
"""So many failures in a row, of whatever chats, mean that Telegram is away: then one call at a time probes."""
FAIR_EVERY = 8
"""Every eighth call goes to who waited longest, whatever its urgency, so that nobody starves."""


@dataclass(frozen=True)
class Claim:
    """The right to make one call for one post."""

    post: PostView
    urgency: Urgency
    term: int


@dataclass(frozen=True)
class Claims:
    """What was claimed, and when to look again; None: not before something becomes due."""

    taken: tuple[Claim, ...]
    look_again_at: datetime | None


@dataclass(frozen=True)
class Leader:
    """Who claims: the limits it keeps and its term."""

    term: int
    limits: Limits


CHATS, POSTS, DELIVERIES, MESSAGES = map(table_of, (Chat, Post, Delivery, Message))


NOW, MOST = bindparam("now", type_=CHATS.c.next_at.type), bindparam("most", type_=Integer())


_CHAT_COLUMNS = ("id", "kind", "held_until", "claimed_post", "claim_until", "pace", "group_pace", "quiet_pace")
_SHOWN_COLUMNS = (
    *(POSTS.c[name] for name in ("id", "chat_id", "urgency", "version", "is_silent", "thread_id", "reply")),
    POSTS.c.telegram_message_ids,
    *(DELIVERIES.c[name] for name in ("purpose", "shown_at")),
    *(MESSAGES.c[name] for name in ("id", "state", "is_alert", "title", "content", "source")),
    *(MESSAGES.c[name] for name in ("created_at", "escalated_at", "acknowledged_at", "acknowledged_by", "closed_at")),
)


def _ready(*conditions: ColumnElement[bool]) -> Subquery:
    """Chats that are worth a call now, those whose post waits longest first."""
    ready = select(CHATS).where(CHATS.c.next_at <= NOW, text(HAS_WORK), *conditions)
    return ready.order_by(CHATS.c.next_at).limit(MOST).subquery("chats")


def _with_top_posts(chosen: Subquery) -> Select[Any]:
    """These chats, each with its most urgent due post and what that shows; without one, posts_id is null."""
    top = (
        select(POSTS.c.id)
        .where(POSTS.c.chat_id == chosen.c.id, text(IS_DUE), POSTS.c.not_before <= NOW)
        .order_by(POSTS.c.urgency, POSTS.c.not_before, POSTS.c.id)
        .limit(1)
        .correlate(chosen)
        .scalar_subquery()
    )
    joined = (
        chosen.outerjoin(POSTS, POSTS.c.id == top)
        .outerjoin(DELIVERIES, DELIVERIES.c.post_id == POSTS.c.id)
        .outerjoin(MESSAGES, MESSAGES.c.id == DELIVERIES.c.message_id)
    )
    wanted = select(*(chosen.c[name] for name in _CHAT_COLUMNS), *_SHOWN_COLUMNS).select_from(joined)
    ordered = wanted.order_by(chosen.c.urgency, chosen.c.next_at).limit(MOST)
    return ordered.set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL)


_BOT = select(*table_of(Bot).c)
# One branch for each urgency: so each is a search in an index, however many chats wait.
_BY_URGENCY = union_all(*(select(_ready(CHATS.c.urgency == int(urgency))) for urgency in Urgency))
_READY = _with_top_posts(_BY_URGENCY.subquery("chats"))
_OLDEST = _with_top_posts(_ready())
_FIRST_NEXT_AT = select(func.min(CHATS.c.next_at, type_=CHATS.c.next_at.type).label("at")).where(text(HAS_WORK))
_PUT_BACK = update(CHATS).where(CHATS.c.id == bindparam("chat")).values(next_at=bindparam("until"))
_CLAIM = (
    update(CHATS)
    .where(CHATS.c.id == bindparam("chat"))
    .values(
        claimed_post=bindparam("post"),
        claim_term=bindparam("term"),
        claim_until=bindparam("until"),
        next_at=bindparam("until"),
        pace=bindparam("chat_pace"),
        group_pace=bindparam("every_pace"),
        quiet_pace=bindparam("calm_pace"),
    )
)
_NOTE_PACE = update(table_of(Bot)).values(pace=bindparam("new_pace"))
_NOTE_PROBE = update(table_of(Bot)).values(probe_at=bindparam("next_probe"))


def claim_due(session: Session, leader: Leader, *, now: datetime, most: int, turn: int = 0) -> Claims:
    """Claim at most `most` calls that are due and that Telegram's limits allow, most urgent first.

    `turn` counts calls so far; every FAIR_EVERY-th goes to the chat that waited longest.
    """
    bot = fetch(session, _BOT)[0]
    is_away = bot.network_errors >= AWAY_AFTER
    pause = max(filter(None, (bot.held_until, bot.probe_at if is_away else None)), default=now)
    if pause > now:
        return Claims((), pause)
    claiming = _Claiming(session, leader, now, bot.pace)
    look_again_at = claiming.until_full(1 if is_away else most, turn)
    if claiming.taken:
        run(session, _NOTE_PACE, new_pace=claiming.pace)
    if claiming.taken and is_away:
        run(session, _NOTE_PROBE, next_probe=now + LEASE)
    return Claims(tuple(claiming.taken), look_again_at)


def _first_next_at(session: Session) -> datetime | None:
    first: datetime | None = fetch(session, _FIRST_NEXT_AT)[0].at
    return first


@dataclass
class _Claiming:
    """One round of claiming, at `now`; `pace` is the bot's."""

    session: Session
    leader: Leader
    now: datetime
    pace: datetime | None
    taken: list[Claim] = field(default_factory=list)

    def until_full(self, most: int, turn: int) -> datetime | None:
        """Claim up to `most`; say when to look again, None where only a commit can bring more."""
        while len(self.taken) < most:
            if (open_at := self._open_at()) > self.now:
                return open_at
            before_fair = FAIR_EVERY - 1 - (turn + len(self.taken)) % FAIR_EVERY
            room = min(before_fair, most - len(self.taken)) or 1
            rows = fetch(self.session, _READY if before_fair else _OLDEST, now=self.now, most=room)
            if not rows:
                return _first_next_at(self.session)
            self._take(rows)
        return None

    def _open_at(self) -> datetime:
        return self.leader.limits.overall.open_at(self.pace, self.now)

    def _take(self, rows: Sequence[Any]) -> None:
        """Claim each ready chat's top post while the bot's pace allows; put back those that must wait."""
        claimed: list[dict[str, object]] = []
        put_back: list[dict[str, object]] = []
        for row in rows:
            if self._open_at() > self.now:
                break
            until = _blocked_until(row, self.leader.limits, self.now)
            if until is not None:
                put_back.append({"chat": row.chats_id, "until": until})
            elif row.posts_id is None:
                chats.reschedule(self.session, row.chats_id, now=self.now)
            else:
                claimed.append(self._claim(row))
        run_many(self.session, _PUT_BACK, put_back)
        run_many(self.session, _CLAIM, claimed)

    def _claim(self, row: Any) -> dict[str, object]:
        limits, now = self.leader.limits, self.now
        if row.chats_claimed_post is not None:
            detail = "A call was never heard of again."
            outbox.note_uncertain(self.session, row.chats_claimed_post, now=now, detail=detail)
        self.pace = limits.overall.advanced(self.pace, now)
        self.taken.append(Claim(_post_view(row, now=now), Urgency(row.posts_urgency), self.leader.term))
        claim = {"chat": row.chats_id, "post": row.posts_id, "term": self.leader.term, "until": now + LEASE}
        return claim | _paces(row, limits, now)


# A row is one of _READY: a chat with its top post and what that shows.


def _blocked_until(row: Any, limits: Limits, now: datetime) -> datetime | None:
    """Until when the chat must wait; None: its top post may be shown now.

    Everything but alerts leaves a quarter of a group's budget to them.
    """
    reasons = [now, row.chats_held_until, row.chats_claim_until, limits.chat.open_at(row.chats_pace, now)]
    if _is_group(row):
        reasons.append(limits.group.open_at(row.chats_group_pace, now))
        if row.posts_urgency != Urgency.ALERT:
            reasons.append(limits.group_quiet.open_at(row.chats_quiet_pace, now))
    latest = max(reason for reason in reasons if reason is not None)
    return latest if latest > now else None


def _paces(row: Any, limits: Limits, now: datetime) -> Mapping[str, object]:
    """The chat's paces after this call."""
    is_group, is_quiet = _is_group(row), row.posts_urgency != Urgency.ALERT
    group, quiet = row.chats_group_pace, row.chats_quiet_pace
    return {
        "chat_pace": limits.chat.advanced(row.chats_pace, now),
        "every_pace": limits.group.advanced(group, now) if is_group else group,
        "calm_pace": limits.group_quiet.advanced(quiet, now) if is_group and is_quiet else quiet,
    }


def _is_group(row: Any) -> bool:
    return chats.is_group(row.chats_id, row.chats_kind)


def _post_view(row: Any, *, now: datetime) -> PostView:
    """The post as it should stand now."""
    return PostView(
        id=row.posts_id,
        chat_id=row.posts_chat_id,
        version=row.posts_version,
        is_silent=row.posts_is_silent,
        thread_id=row.posts_thread_id,
        telegram_message_ids=tuple(row.posts_telegram_message_ids),
        reply=None if row.posts_reply is None else _reply(row.posts_reply),
        message=None if row.messages_id is None else _message_view(row, now=now),
    )


def _message_view(row: Any, *, now: datetime) -> MessageView:
    who = row.messages_acknowledged_by
    return MessageView(
        id=row.messages_id,
        state=row.messages_state,
        is_alert=row.messages_is_alert,
        is_escalation=row.deliveries_purpose is Purpose.ESCALATION,
        title=row.messages_title,
        content=row.messages_content,
        source=row.messages_source,
        created_at=row.messages_created_at,
        shown_at=row.deliveries_shown_at or now,
        escalated_at=row.messages_escalated_at,
        acknowledged_at=row.messages_acknowledged_at,
        acknowledged_by=None if who is None else messages.name_of(who),
        closed_at=row.messages_closed_at,
    )


def _reply(stored: Mapping[str, Any]) -> Part:
    """A ready answer, from the form in which `outbox.queue_reply` keeps it."""
    return Part(
        stored["text"],
        tuple(Entity(**entity) for entity in stored["entities"]),
        tuple(tuple(Button(**button) for button in row) for row in stored["buttons"]),
    )
