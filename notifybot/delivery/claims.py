"""Which post is due, and the claim on it: one call in flight a chat, Telegram's limits kept, alerts first.

A post is due when IS_DUE holds and its `not_before` has come; its chat may be called when nothing is in flight there,
its hold has ended and its pace allows. A claim is good for one call: a first send, the next part, or an edit.

Statements are built once, for a message costs a handful of them and building one costs more than running it.
"""

from collections.abc import Mapping, Sequence
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
from notifybot.delivery.rate_limits import RateLimits
from notifybot.model.chats import Bot, Chat, Post
from notifybot.model.conditions import HAS_WORK, IS_DUE
from notifybot.model.enums import Urgency
from notifybot.model.messages import Delivery, Message
from notifybot.posts import chats, posts
from notifybot.rendering.split import MAX_TEXT_UNITS
from notifybot.rendering.views import PostView
from notifybot.storage.statements import fetch, run, run_many, table_of

LEASE = timedelta(seconds=30)
"""A claim lapses after this: longer than any call to Telegram may take (telegram_http.Timeouts)."""
LEASE_WITH_FILES = timedelta(minutes=10)
"""The same for a call that uploads, and may wait for another upload of the same file before."""
AHEAD = timedelta(milliseconds=10)
"""Claims run ahead of the limit by this, and by one call at least, so that commits cost none of the rate."""
GOLDEN_RATIO = (5**0.5 - 1) / 2
FAIR_EVERY = 8
"""One call in eight goes to the chat that waited longest and to the oldest post there, whatever its urgency, so that
nobody starves."""


@dataclass(frozen=True)
class Claim:
    """The right to make one call for one post."""

    post: PostView
    urgency: Urgency
    term: int


@dataclass(frozen=True)
class ClaimResult:
    """What was claimed, and when to look again; None: not before something becomes due. `must_probe`: Telegram is away,
    and it is time to ask whether it is back. `is_spent`: the bot's pace allows nothing before, whatever becomes due."""

    taken: tuple[Claim, ...]
    look_again_at: datetime | None
    must_probe: bool = False
    is_spent: bool = False


@dataclass(frozen=True)
class Leader:
    """Who claims: the limits it keeps and its term."""

    term: int
    limits: RateLimits


CHATS, POSTS, DELIVERIES, MESSAGES = table_of(Chat), table_of(Post), table_of(Delivery), table_of(Message)

NOW, MOST = bindparam("now", type_=CHATS.c.next_at.type), bindparam("most", type_=Integer())

_CHAT_COLUMNS = ("id", "kind", "held_until", "claimed_post", "claim_until", "pace", "group_pace", "quiet_pace")


def _ready(*conditions: ColumnElement[bool]) -> Subquery:
    """Chats that are worth a call now, those whose post waits longest first."""
    ready = select(CHATS).where(CHATS.c.next_at <= NOW, text(HAS_WORK), *conditions)
    return ready.order_by(CHATS.c.next_at).limit(MOST).subquery("chats")


def _top_post(chosen: Subquery, *conditions: ColumnElement[bool]) -> ScalarSelect[Any]:
    """The most urgent due post of each of these chats, the oldest of that urgency."""
    due = select(POSTS.c.id).where(POSTS.c.chat_id == chosen.c.id, text(IS_DUE), POSTS.c.not_before <= NOW, *conditions)
    return due.order_by(POSTS.c.urgency, POSTS.c.not_before, POSTS.c.id).limit(1).correlate(chosen).scalar_subquery()


def _longest_waiting_post(chosen: Subquery) -> ScalarSelect[Any]:
    """The due post that waits longest in each of these chats, by a search in an index for each urgency."""
    found = POSTS.alias("found")
    firsts = [_top_post(chosen, POSTS.c.urgency == int(urgency)) for urgency in Urgency]
    ordered = select(found.c.id).where(found.c.id.in_(firsts)).order_by(found.c.not_before, found.c.id)
    return ordered.limit(1).correlate(chosen).scalar_subquery()


def _with_posts(chosen: Subquery, post: ScalarSelect[Any]) -> Select[Any]:
    """These chats, each with this post and what that shows; without one, posts_id is null."""
    joined = (
        chosen.outerjoin(POSTS, POSTS.c.id == post)
        .outerjoin(DELIVERIES, DELIVERIES.c.post_id == POSTS.c.id)
        .outerjoin(MESSAGES, MESSAGES.c.id == DELIVERIES.c.message_id)
    )
    wanted = select(*(chosen.c[name] for name in _CHAT_COLUMNS), *load.COLUMNS).select_from(joined)
    ordered = wanted.order_by(chosen.c.urgency, chosen.c.next_at).limit(MOST)
    return ordered.set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL)


_BOT = select(*(table_of(Bot).c[name] for name in ("held_until", "pace", "floods", "network_errors", "probe_at")))

# One branch for each urgency: so each is a search in an index, however many chats wait.
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
        pace=bindparam("chat_pace"),
        group_pace=bindparam("every_pace"),
        quiet_pace=bindparam("calm_pace"),
    )
)
_NOTE_PACE = update(table_of(Bot)).values(pace=bindparam("new_pace"))
_NOTE_PROBE = update(table_of(Bot)).values(probe_at=bindparam("next_probe"))


def claim_due(session: Session, leader: Leader, *, now: datetime, most: int, turn: int = 0) -> ClaimResult:
    """Claim at most `most` calls that are due and that Telegram's limits allow, most urgent first.

    `turn` counts calls so far; one in FAIR_EVERY goes to whoever waited longest.
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
    look_again_at = claiming.until_full(1 if is_careful else most, turn)
    if claiming.taken:
        run(session, _NOTE_PACE, new_pace=claiming.pace)
    if claiming.taken and is_careful:
        run(session, _NOTE_PROBE, next_probe=now + LEASE)
    return ClaimResult(tuple(claiming.taken), look_again_at, is_spent=claiming.is_spent)


def _calls_before_fair(turn: int) -> int:
    """0 where this call goes to whoever waited longest. By the golden ratio and not by a steady count, with which some
    chats that take turns would always meet the fair call, and others never."""
    return next(more for more in count() if (turn + more + 1) * GOLDEN_RATIO % 1 > 1 - 1 / FAIR_EVERY)


def _probe(session: Session, *, now: datetime) -> ClaimResult:
    """Ask for a probe if anything may wait, even for the end of its back-off; the next is due PROBE_EVERY later."""
    if _first_next_at(session) is None:
        return ClaimResult((), None)
    run(session, _NOTE_PROBE, next_probe=now + PROBE_EVERY)
    return ClaimResult((), now + PROBE_EVERY, must_probe=True)


def _first_next_at(session: Session) -> datetime | None:
    first: datetime | None = fetch(session, _FIRST_NEXT_AT)[0].at
    return first


@dataclass
class _ClaimRound:
    """One round of claiming, at `now`; `pace` is the bot's."""

    session: Session
    leader: Leader
    now: datetime
    pace: datetime | None
    taken: list[Claim] = field(default_factory=list)
    is_spent: bool = False

    def until_full(self, most: int, turn: int) -> datetime | None:
        """Claim up to `most`; say when to look again, None where only a commit can bring more."""
        while len(self.taken) < most:
            if (open_at := self._open_at()) > self.now:
                self.is_spent = True
                return open_at
            before_fair = _calls_before_fair(turn + len(self.taken))
            room = min(before_fair, most - len(self.taken)) or 1
            rows = fetch(self.session, _READY if before_fair else _OLDEST, now=self.now, most=room)
            if not rows:
                return _first_next_at(self.session)
            self._take(rows)
        return None

    def _open_at(self) -> datetime:
        """When the next call may be claimed; the dispatcher lets it leave in time."""
        limit = self.leader.limits.overall
        return limit.open_at(self.pace, self.now) - max(limit.interval, AHEAD)

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
        if put_back:
            run_many(self.session, _PUT_BACK, put_back)
        run_many(self.session, _CLAIM, claimed)

    def _claim(self, row: Any) -> dict[str, object]:
        limits, now = self.leader.limits, self.now
        if row.chats_claimed_post is not None:
            detail = "A call was never heard of again."
            posts.note_uncertain(self.session, row.chats_claimed_post, now=now, detail=detail)
        self.pace = limits.overall.advanced(self.pace, now)
        self.taken.append(
            Claim(load.load_post(self.session, row, now=now), Urgency(row.posts_urgency), self.leader.term)
        )
        until = now + (LEASE_WITH_FILES if _may_upload(row) else LEASE)
        claim = {"chat": row.chats_id, "post": row.posts_id, "term": self.leader.term, "until": until}
        return {**claim, **_paces(row, limits, now)}


# A row is one of _READY: a chat with its top post and what that shows.


def _blocked_until(row: Any, limits: RateLimits, now: datetime) -> datetime | None:
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


def _paces(row: Any, limits: RateLimits, now: datetime) -> Mapping[str, object]:
    """The chat's paces after this call."""
    is_group, is_quiet = _is_group(row), row.posts_urgency != Urgency.ALERT
    group, quiet = row.chats_group_pace, row.chats_quiet_pace
    return {
        "chat_pace": limits.chat.advanced(row.chats_pace, now),
        "every_pace": limits.group.advanced(group, now) if is_group else group,
        "calm_pace": limits.group_quiet.advanced(quiet, now) if is_group and is_quiet else quiet,
    }


def _may_upload(row: Any) -> bool:
    """It has files, or its text is so long that it goes as one."""
    return bool(row.messages_file_count) or len(row.messages_content or "") > MAX_TEXT_UNITS


def _is_group(row: Any) -> bool:
    return chats.is_group(row.chats_id, row.chats_kind)
