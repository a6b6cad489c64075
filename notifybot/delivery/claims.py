"""Claim due posts: one call in flight per chat, within Telegram's rate limits, alerts first.

A post is due when IS_DUE holds and its `not_before` has come. Its chat may be called when nothing is in flight there,
its hold has ended and the rate limits allow it. A claim is good for one call: a first send, the next part, or an edit.

Statements are built once: a message costs a handful of them, and building one costs more than running it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import (
    LABEL_STYLE_TABLENAME_PLUS_COL,
    ColumnElement,
    Integer,
    ScalarSelect,
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

from notifybot.delivery import load
from notifybot.delivery.outage import AWAY_AFTER, BOT_BANNED_AFTER, PROBE_EVERY
from notifybot.delivery.rate_limits import ChatPaces, RateLimits
from notifybot.model.chats import Bot, Chat, Post
from notifybot.model.conditions import HAS_WORK, IS_DUE
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
"""One call in eight goes to the oldest post in the chat that has waited longest, regardless of urgency, so that nothing
starves."""


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
    """The claiming daemon: its term, and the limits it keeps."""

    term: int
    limits: RateLimits


CHATS, POSTS, DELIVERIES, MESSAGES = table_of(Chat), table_of(Post), table_of(Delivery), table_of(Message)

NOW, LIMIT = bindparam("now", type_=CHATS.c.next_at.type), bindparam("limit", type_=Integer())

_CHAT_COLUMNS = ("id", "kind", "held_until", "claimed_post", "claim_until", "pace", "group_pace", "quiet_pace")


def _ready(*conditions: ColumnElement[bool]) -> Subquery:
    """Select chats that may have a due post, the longest waiting first."""
    ready = select(CHATS).where(CHATS.c.next_at <= NOW, text(HAS_WORK), *conditions)
    return ready.order_by(CHATS.c.next_at).limit(LIMIT).subquery("chats")


def _top_post(chosen: Subquery, *conditions: ColumnElement[bool]) -> ScalarSelect[Any]:
    """Select the most urgent due post of each chat, the oldest of that urgency."""
    due = select(POSTS.c.id).where(POSTS.c.chat_id == chosen.c.id, text(IS_DUE), POSTS.c.not_before <= NOW, *conditions)
    return due.order_by(POSTS.c.urgency, POSTS.c.not_before, POSTS.c.id).limit(1).correlate(chosen).scalar_subquery()


def _longest_waiting_post(chosen: Subquery) -> ScalarSelect[Any]:
    """Select the longest waiting due post of each chat, with one index search per urgency."""
    found = POSTS.alias("found")
    firsts = [_top_post(chosen, POSTS.c.urgency == int(urgency)) for urgency in Urgency]
    ordered = select(found.c.id).where(found.c.id.in_(firsts)).order_by(found.c.not_before, found.c.id)
    return ordered.limit(1).correlate(chosen).scalar_subquery()


def _with_posts(chosen: Subquery, post: ScalarSelect[Any]) -> Select[Any]:
    """Select these chats, each with this post and its message; posts_id is null without a post."""
    joined = (
        chosen.outerjoin(POSTS, POSTS.c.id == post)
        .outerjoin(DELIVERIES, DELIVERIES.c.post_id == POSTS.c.id)
        .outerjoin(MESSAGES, MESSAGES.c.id == DELIVERIES.c.message_id)
    )
    wanted = select(*(chosen.c[name] for name in _CHAT_COLUMNS), *load.COLUMNS).select_from(joined)
    ordered = wanted.order_by(chosen.c.urgency, chosen.c.next_at).limit(LIMIT)
    return ordered.set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL)


_BOT = select(*(table_of(Bot).c[name] for name in ("held_until", "pace", "floods", "network_errors", "probe_at")))

# One branch per urgency makes each an index search, with any number of waiting chats.
_BY_URGENCY = union_all(*(select(_ready(CHATS.c.urgency == int(urgency))) for urgency in Urgency))
_MOST_URGENT = _BY_URGENCY.subquery("chats")
_READY = _with_posts(_MOST_URGENT, _top_post(_MOST_URGENT))
_LONGEST_WAITING = _ready()
_OLDEST = _with_posts(_LONGEST_WAITING, _longest_waiting_post(_LONGEST_WAITING))
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
        pace=bindparam("chat_pace_after"),
        group_pace=bindparam("group_pace_after"),
        quiet_pace=bindparam("quiet_pace_after"),
    )
)
_NOTE_PACE = update(table_of(Bot)).values(pace=bindparam("new_pace"))
_NOTE_PROBE = update(table_of(Bot)).values(probe_at=bindparam("next_probe"))


def claim_due(session: Session, leader: Leader, *, now: datetime, limit: int, call_number: int = 0) -> ClaimResult:
    """Claim at most `limit` calls that are due and within the rate limits, most urgent first.

    `call_number` counts the calls so far; one in FAIR_EVERY goes to the chat that has waited longest.
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
    if _first_next_at(session) is None:
        return ClaimResult((), None)
    run(session, _NOTE_PROBE, next_probe=now + PROBE_EVERY)
    return ClaimResult((), now + PROBE_EVERY, must_probe=True)


def _first_next_at(session: Session) -> datetime | None:
    first: datetime | None = fetch(session, _FIRST_NEXT_AT)[0].at
    return first


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
            before_fair = _calls_before_fair(call_number + len(self.claims))
            room = min(before_fair, limit - len(self.claims)) or 1
            rows = fetch(self.session, _READY if before_fair else _OLDEST, now=self.now, limit=room)
            if not rows:
                return _first_next_at(self.session)
            self._claim_rows(rows)
        return None

    def _open_at(self) -> datetime:
        """Return when the next call may be claimed; the send gate holds it until it may leave."""
        limit = self.leader.limits.overall
        return limit.next_allowed(self.pace, self.now) - max(limit.interval, CLAIM_AHEAD)

    def _claim_rows(self, rows: Sequence[Any]) -> None:
        """Claim each ready chat's top post while the overall limit allows; put back those that must wait."""
        claimed: list[dict[str, object]] = []
        put_back: list[dict[str, object]] = []
        for row in rows:
            if self._open_at() > self.now:
                break
            until = self._blocked_until(row)
            if until is not None:
                put_back.append({"chat": row.chats_id, "until": until})
            elif row.posts_id is None:
                chats.reschedule(self.session, row.chats_id, now=self.now)
            else:
                claimed.append(self._claim_row(row))
        if put_back:
            run_many(self.session, _PUT_BACK, put_back)
        run_many(self.session, _CLAIM, claimed)

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
        claim = {"chat": row.chats_id, "post": row.posts_id, "term": self.leader.term, "until": until}
        paces = limits.after_call(_paces(row), now, **_limited_as(row))
        return {
            **claim,
            "chat_pace_after": paces.chat,
            "group_pace_after": paces.group,
            "quiet_pace_after": paces.quiet,
        }


# A row is one of _READY: a chat with its top post and the message.


def _paces(row: Any) -> ChatPaces:
    return ChatPaces(row.chats_pace, row.chats_group_pace, row.chats_quiet_pace)


def _limited_as(row: Any) -> dict[str, bool]:
    """Return the arguments of RateLimits that select the limits of this chat and post."""
    is_group = chats.is_group(row.chats_id, row.chats_kind)
    return {"is_group": is_group, "is_alert": row.posts_urgency == Urgency.ALERT}


def _may_upload(row: Any) -> bool:
    """Return True for a message with files, or with a text so long that it goes as one."""
    return bool(row.messages_file_count) or len(row.messages_content or "") > MAX_TEXT_UNITS
