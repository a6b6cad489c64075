"""Claim due posts: one call in flight per chat, within Telegram's rate limits, alerts first, and callers in turn.

A post is due when IS_DUE holds and its `not_before` has come. Its chat may be called when nothing is in flight there,
its hold has ended and the rate limits allow it. delivery/turns.py decides whose turn it is. A claim is good for one
call: a first send, the next part, or an edit.

Statements are built once: a message costs a handful of them, and building one costs more than running it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import (
    LABEL_STYLE_TABLENAME_PLUS_COL,
    Boolean,
    ColumnElement,
    Integer,
    Select,
    String,
    Subquery,
    bindparam,
    func,
    select,
    text,
    update,
)
from sqlmodel import Session

from notifybot.delivery import load
from notifybot.delivery.outage import AWAY_AFTER, BOT_BANNED_AFTER, PROBE_EVERY
from notifybot.delivery.rate_limits import ChatPaces, RateLimits
from notifybot.delivery.turns import Lane, Served, next_share, open_lanes
from notifybot.model.chats import Bot, Chat, Post, Turn
from notifybot.model.conditions import IS_DUE
from notifybot.model.enums import Urgency
from notifybot.model.messages import Delivery, Message
from notifybot.posts import chats, posts
from notifybot.rendering.split import MAX_TEXT_UNITS
from notifybot.rendering.views import PostView
from notifybot.storage.statements import fetch, run, run_many, table_of

LEASE = timedelta(seconds=30)
"""A claim lapses after this: longer than any call to Telegram may take (telegram_api.http.Timeouts)."""
LEASE_WITH_FILES = timedelta(minutes=10)
"""For a call that uploads, and may first wait for another upload of the same file."""
CLAIM_AHEAD = timedelta(milliseconds=10)
"""Claims run ahead of the overall limit by this, or by one call if that is more: commits then do not slow sending."""
GOLDEN_RATIO = (5**0.5 - 1) / 2
FAIR_EVERY = 8
"""One call in eight goes to what has waited longest, regardless of urgency, so that nothing starves."""


@dataclass(frozen=True)
class Claim:
    """The right to make one call for one post."""

    post: PostView
    urgency: Urgency
    term: int


@dataclass(frozen=True)
class ClaimResult:
    """Claims, and when to look again; None means when something becomes due. `must_probe`: Telegram is away, and a
    probe is due. `is_spent`: the overall limit allows nothing before `look_again_at`, even if more becomes due."""

    claims: tuple[Claim, ...]
    look_again_at: datetime | None
    must_probe: bool = False
    is_spent: bool = False


@dataclass(frozen=True)
class Leader:
    """The claiming daemon: its term, the limits it keeps, and whose turn it was last."""

    term: int
    limits: RateLimits
    served: Served = field(default_factory=Served)


CHATS, POSTS, TURNS = table_of(Chat), table_of(Post), table_of(Turn)
DELIVERIES, MESSAGES = table_of(Delivery), table_of(Message)

NOW, LIMIT = bindparam("now", type_=TURNS.c.next_at.type), bindparam("limit", type_=Integer())

_CHAT_COLUMNS = ("id", "kind", "held_until", "claimed_post", "claim_until", "pace", "group_pace", "quiet_pace")
_SLOTS = " UNION ALL ".join(
    f"SELECT {int(urgency)} AS urgency, {is_new} AS is_new" for urgency in Urgency for is_new in ("false", "true")
)
_OF_SLOT = "FROM turns WHERE turns.urgency = lanes.urgency AND turns.is_new = lanes.is_new"
# One index search for each lane, with any number of turns in it.
_LANES = text(f"""
    WITH RECURSIVE lanes (urgency, is_new, caller) AS (
        SELECT lanes.urgency, lanes.is_new, (SELECT min(turns.caller) {_OF_SLOT}) FROM ({_SLOTS}) lanes
        UNION ALL
        SELECT lanes.urgency, lanes.is_new, (SELECT min(turns.caller) {_OF_SLOT} AND turns.caller > lanes.caller)
          FROM lanes WHERE lanes.caller IS NOT NULL
    )
    SELECT lanes.urgency, lanes.is_new, lanes.caller,
           (SELECT min(turns.next_at) {_OF_SLOT} AND turns.caller = lanes.caller) AS next_at
      FROM lanes WHERE lanes.caller IS NOT NULL
""").columns(TURNS.c.urgency, TURNS.c.is_new, TURNS.c.caller, TURNS.c.next_at)


_OF_LANE = (
    TURNS.c.urgency == bindparam("urgency", type_=Integer()),
    TURNS.c.is_new == bindparam("is_new", type_=Boolean()),
    TURNS.c.caller == bindparam("caller", type_=String()),
    TURNS.c.next_at <= NOW,
)
_IN_CHAT = TURNS.c.chat_id == bindparam("chat", type_=String())
_FIRST_CHAT = select(TURNS.c.chat_id).where(*_OF_LANE).order_by(TURNS.c.next_at).limit(1)
_LONGEST_WAITING = select(TURNS).where(_IN_CHAT, TURNS.c.next_at <= NOW).order_by(TURNS.c.since).limit(1)


def _ready(*conditions: ColumnElement[bool]) -> Subquery:
    """Select the chats in which a lane may have a due post, the longest waiting first."""
    first = select(TURNS).where(*_OF_LANE, *conditions).order_by(TURNS.c.next_at).limit(LIMIT).subquery("first")
    of_chat = (CHATS.c[name] for name in (*_CHAT_COLUMNS, "last_caller"))
    wanted = select(*of_chat, first.c.urgency, first.c.caller, first.c.next_at)
    return wanted.join(first, first.c.chat_id == CHATS.c.id).subquery("chats")


def _next_caller(chosen: Subquery) -> ColumnElement[str]:
    """Select the caller whose turn it is in each chat: the next after the last one."""
    first = select(func.min(TURNS.c.caller)).where(
        TURNS.c.chat_id == chosen.c.id, TURNS.c.urgency == chosen.c.urgency, TURNS.c.next_at <= NOW
    )
    after_last = first.where(TURNS.c.caller > chosen.c.last_caller)
    return func.coalesce(*(each.correlate(chosen).scalar_subquery() for each in (after_last, first)))


def _with_posts(chosen: Subquery, caller: ColumnElement[str]) -> Select[Any]:
    """Select these chats, each with this caller's oldest due post and its message; posts_id is null without a post."""
    due = (POSTS.c.chat_id == chosen.c.id, POSTS.c.urgency == chosen.c.urgency, text(IS_DUE), POSTS.c.not_before <= NOW)
    oldest = select(POSTS.c.id).where(*due, POSTS.c.caller == caller).order_by(POSTS.c.not_before, POSTS.c.id).limit(1)
    joined = (
        chosen.outerjoin(POSTS, POSTS.c.id == oldest.correlate(chosen).scalar_subquery())
        .outerjoin(DELIVERIES, DELIVERIES.c.post_id == POSTS.c.id)
        .outerjoin(MESSAGES, MESSAGES.c.id == DELIVERIES.c.message_id)
    )
    wanted = select(*(chosen.c[name] for name in _CHAT_COLUMNS), POSTS.c.caller, *load.COLUMNS).select_from(joined)
    ordered = wanted.order_by(chosen.c.next_at).limit(LIMIT)
    return ordered.set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL)


_OF_A_LANE, _OF_A_CHAT = _ready(), _ready(_IN_CHAT)
_READY = _with_posts(_OF_A_LANE, _next_caller(_OF_A_LANE))
_READY_HERE = _with_posts(_OF_A_CHAT, _OF_A_CHAT.c.caller)
_BOT = select(*(table_of(Bot).c[name] for name in ("held_until", "pace", "floods", "network_errors", "probe_at")))
_BUSY = (
    select(POSTS.c.caller)
    .join(CHATS, CHATS.c.claimed_post == POSTS.c.id)
    .where(CHATS.c.claimed_post.is_not(None), CHATS.c.claim_term == bindparam("term", type_=Integer()))
    .where(CHATS.c.is_new, CHATS.c.claim_until > NOW)
)
_NEXT_AT = select(func.min(TURNS.c.next_at, type_=TURNS.c.next_at.type).label("at")).where(TURNS.c.next_at > NOW)
_ANY_TURN = select(TURNS.c.urgency).limit(1)
_PUT_BACK = (
    update(TURNS)
    .where(TURNS.c.chat_id == bindparam("chat"), TURNS.c.urgency == bindparam("level"))
    .where(TURNS.c.next_at < bindparam("until", type_=TURNS.c.next_at.type))
    .values(next_at=bindparam("until", type_=TURNS.c.next_at.type))
)
_LEASE = update(TURNS).where(TURNS.c.chat_id == bindparam("chat")).values(next_at=bindparam("until"))
_CLAIM = (
    update(CHATS)
    .where(CHATS.c.id == bindparam("chat"))
    .values(
        claimed_post=bindparam("post"),
        claim_term=bindparam("term"),
        claim_until=bindparam("until"),
        last_caller=bindparam("caller"),
        pace=bindparam("chat_pace_after"),
        group_pace=bindparam("group_pace_after"),
        quiet_pace=bindparam("quiet_pace_after"),
    )
)
_NOTE_PACE = update(table_of(Bot)).values(pace=bindparam("new_pace"))
_NOTE_PROBE = update(table_of(Bot)).values(probe_at=bindparam("next_probe"))


def claim_due(session: Session, leader: Leader, *, now: datetime, limit: int, call_number: int = 0) -> ClaimResult:
    """Claim at most `limit` calls that are due and within the rate limits, in the order of delivery/turns.py.

    `call_number` counts the calls so far; one in FAIR_EVERY goes to what has waited longest.
    """
    bot = fetch(session, _BOT)[0]
    if bot.held_until is not None and bot.held_until > now:
        return ClaimResult((), bot.held_until)
    is_away = bot.network_errors >= AWAY_AFTER
    is_careful = is_away or bot.floods >= BOT_BANNED_AFTER
    if is_careful and bot.probe_at is not None and bot.probe_at > now:
        return ClaimResult((), bot.probe_at)
    if is_away and bot.probe_at is not None:
        return _probe(session, now=now)
    claiming = _ClaimRound(session, leader, now, bot.pace)
    look_again_at = claiming.claim(1 if is_careful else limit, call_number)
    if claiming.claims:
        run(session, _NOTE_PACE, new_pace=claiming.pace)
    if claiming.claims and is_careful:
        run(session, _NOTE_PROBE, next_probe=now + LEASE)
    return ClaimResult(tuple(claiming.claims), look_again_at, is_spent=claiming.is_spent)


def _calls_before_fair(call_number: int) -> int:
    """Return how many calls come before the next fair one; 0 for this call.

    The golden ratio spreads them out: with a fixed count, some alternating chats would always meet the fair call, and
    others never.
    """
    return next(more for more in count() if (call_number + more + 1) * GOLDEN_RATIO % 1 > 1 - 1 / FAIR_EVERY)


def _probe(session: Session, *, now: datetime) -> ClaimResult:
    """Ask for a probe if anything waits, back-offs included; the next one is due PROBE_EVERY later."""
    if not fetch(session, _ANY_TURN):
        return ClaimResult((), None)
    run(session, _NOTE_PROBE, next_probe=now + PROBE_EVERY)
    return ClaimResult((), now + PROBE_EVERY, must_probe=True)


def _next_at(session: Session, now: datetime) -> datetime | None:
    """Return the time of the next turn; one that has come already waits for the end of a call."""
    at: datetime | None = fetch(session, _NEXT_AT, now=now)[0].at
    return at


@dataclass
class _ClaimRound:
    """One round of claiming; `pace` is that of the overall limit."""

    session: Session
    leader: Leader
    now: datetime
    pace: datetime | None
    claims: list[Claim] = field(default_factory=list)
    is_spent: bool = False

    def claim(self, limit: int, call_number: int) -> datetime | None:
        """Claim up to `limit`; return when to look again, None if only a commit can add more."""
        while len(self.claims) < limit:
            if (open_at := self._open_at()) > self.now:
                self.is_spent = True
                return open_at
            lanes = self._open_lanes()
            if not lanes:
                return _next_at(self.session, self.now)
            before_fair = _calls_before_fair(call_number + len(self.claims))
            room = min(before_fair, limit - len(self.claims))
            if before_fair:
                self._claim_share(*next_share(lanes, self.leader.served, room))
            else:
                self._claim_longest_waiting(min(lanes, key=lambda lane: lane.at))
        return None

    def _open_lanes(self) -> list[Lane]:
        lanes = [Lane(*row) for row in fetch(self.session, _LANES)]
        has_new = any(lane.is_new for lane in lanes)
        busy = fetch(self.session, _BUSY, term=self.leader.term, now=self.now) if has_new else []
        return open_lanes(lanes, {row.caller for row in busy}, now=self.now)

    def _claim_share(self, lane: Lane, calls: int) -> None:
        before = len(self.claims)
        rows = fetch(self.session, _READY, now=self.now, limit=calls, **_parameters(lane))
        self._claim_rows(rows, lane.urgency)
        self.leader.served.note(lane, has_called=len(self.claims) > before)

    def _claim_longest_waiting(self, lane: Lane) -> None:
        """Claim what has waited longest in the first chat of this lane, regardless of urgency."""
        (chat,) = fetch(self.session, _FIRST_CHAT, now=self.now, **_parameters(lane))
        (turn,) = fetch(self.session, _LONGEST_WAITING, chat=chat.chat_id, now=self.now)
        rows = fetch(self.session, _READY_HERE, chat=chat.chat_id, now=self.now, limit=1, **_parameters(turn))
        self._claim_rows(rows, turn.urgency)

    def _open_at(self) -> datetime:
        """Return when the next call may be claimed; the send gate holds it until it may leave."""
        limit = self.leader.limits.overall
        return limit.next_allowed(self.pace, self.now) - max(limit.interval, CLAIM_AHEAD)

    def _claim_rows(self, rows: Sequence[Any], urgency: int) -> None:
        """Claim each ready chat's top post while the overall limit allows; put back those that must wait."""
        claimed: list[dict[str, object]] = []
        put_back: list[dict[str, object]] = []
        for row in rows:
            if self._open_at() > self.now:
                break
            until = self._blocked_until(row)
            if until is not None:
                put_back.append({"chat": row.chats_id, "level": urgency, "until": until})
            elif row.posts_id is None:
                chats.reschedule(self.session, row.chats_id)
            else:
                claimed.append(self._claim_row(row))
        if put_back:
            run_many(self.session, _PUT_BACK, put_back)
        run_many(self.session, _CLAIM, claimed)
        run_many(self.session, _LEASE, [{"chat": each["chat"], "until": each["until"]} for each in claimed])

    def _blocked_until(self, row: Any) -> datetime | None:
        """Return until when the chat must wait; None if its top post may be shown now."""
        allowed = self.leader.limits.next_allowed(_paces(row), self.now, **_limited_as(row))
        reasons = [allowed, row.chats_held_until, row.chats_claim_until]
        latest = max(reason for reason in reasons if reason is not None)
        return latest if latest > self.now else None

    def _claim_row(self, row: Any) -> dict[str, object]:
        limits, now = self.leader.limits, self.now
        if row.chats_claimed_post is not None:
            detail = "The outcome of a call is unknown."
            posts.note_uncertain(self.session, row.chats_claimed_post, now=now, detail=detail)
        self.pace = limits.overall.after_call(self.pace, now)
        self.claims.append(
            Claim(load.load_post(self.session, row, now=now), Urgency(row.posts_urgency), self.leader.term)
        )
        until = now + (LEASE_WITH_FILES if _may_upload(row) else LEASE)
        whose = {"chat": row.chats_id, "post": row.posts_id, "caller": row.posts_caller}
        claim = {**whose, "term": self.leader.term, "until": until}
        paces = limits.after_call(_paces(row), now, **_limited_as(row))
        return {
            **claim,
            "chat_pace_after": paces.chat,
            "group_pace_after": paces.group,
            "quiet_pace_after": paces.quiet,
        }


def _parameters(lane: Any) -> dict[str, object]:
    """Return the parameters of _OF_LANE for a lane or a turn."""
    return {"urgency": lane.urgency, "is_new": lane.is_new, "caller": lane.caller}


# A row is one of _READY: a chat with its next post and the message.


def _paces(row: Any) -> ChatPaces:
    return ChatPaces(row.chats_pace, row.chats_group_pace, row.chats_quiet_pace)


def _limited_as(row: Any) -> dict[str, bool]:
    """Return the arguments of RateLimits that select the limits of this chat and post."""
    is_group = chats.is_group(row.chats_id, row.chats_kind)
    return {"is_group": is_group, "is_alert": row.posts_urgency == Urgency.ALERT}


def _may_upload(row: Any) -> bool:
    """Return True for a message with files, or with a text so long that it goes as one."""
    return bool(row.messages_file_count) or len(row.messages_content or "") > MAX_TEXT_UNITS
