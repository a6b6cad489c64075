"""Duration of the statements that could slow down as the database grows, on the daemon's own connections."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from statistics import median

from sqlmodel import Session

from notifybot.alerts import escalate, expire
from notifybot.delivery import claims
from notifybot.delivery.claims import Leader
from notifybot.delivery.rate_limits import RateLimit, RateLimits
from notifybot.health import assess
from notifybot.jobs import retention
from notifybot.messages import forget, queries
from notifybot.messages.queries import MessageFilter
from notifybot.model.states import State
from notifybot.posts import bot
from notifybot.storage.database import Database
from notifybot.times.clock import Clock

FORGOTTEN_AFTER = timedelta(days=90)
ALWAYS_OPEN = RateLimit(timedelta(0), burst=1)
WITHOUT_LIMITS = RateLimits(ALWAYS_OPEN, ALWAYS_OPEN, ALWAYS_OPEN, ALWAYS_OPEN)
CLAIMED_AT_ONCE = 50
LATER = timedelta(minutes=10)
"""Offset of the claims: a new term makes no call in its first moments."""
Work = Callable[[Session], object]


class _Undo(Exception):
    """Rolls the transaction back, and carries the duration of its work in seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


async def timed(url: str, *, rounds: int) -> dict[str, float]:
    """Return the median milliseconds of each statement. Their changes are rolled back."""
    database = Database(url)
    database.start()
    try:
        now = Clock().now()
        term = await database.write(partial(bot.begin_term, now=now))
        times = {what: await _writing(database, work, rounds) for what, work in _writes(term, now).items()}
        times |= {what: await _reading(database, work, rounds) for what, work in READS.items()}
        return times
    finally:
        await database.close()


def _writes(term: int, now: datetime) -> dict[str, Work]:
    leader = Leader(term, WITHOUT_LIMITS)
    return {
        "claim 1 post": partial(_claim, leader=leader, now=now + LATER, limit=1),
        f"claim {CLAIMED_AT_ONCE} posts": partial(_claim, leader=leader, now=now + LATER, limit=CLAIMED_AT_ONCE),
        "retention, messages": partial(forget.forget_messages, before=now - FORGOTTEN_AFTER, limit=200),
        "retention: bookkeeping": partial(retention.forget_bookkeeping, now=now),
        "/health, its write": assess.check_writable,
    }


READS: dict[str, Work] = {
    "next escalation": escalate.next_escalation,
    "next close": expire.next_expiry,
    "/health, its count": queries.backlog,
    "newest 50 messages": partial(queries.page, wanted=MessageFilter(), limit=50),
    "newest 50 waiting messages": partial(queries.page, wanted=MessageFilter(status=State.INITIATED), limit=50),
}


def _claim(session: Session, leader: Leader, now: datetime, limit: int) -> None:
    found = claims.claim_due(session, leader, now=now, limit=limit).claims
    if len(found) < limit:
        raise RuntimeError(f"only {len(found)} of {limit} posts were claimed")


async def _writing(database: Database, work: Work, rounds: int) -> float:
    found = []
    for _ in range(rounds):
        try:
            await database.write(partial(_undone, work=work))
        except _Undo as undo:
            found.append(undo.seconds)
    return median(found) * 1000


def _undone(session: Session, work: Work) -> None:
    began = time.perf_counter()
    work(session)
    raise _Undo(time.perf_counter() - began)


async def _reading(database: Database, work: Work, rounds: int) -> float:
    return median([await database.read(partial(_seconds, work=work)) for _ in range(rounds)]) * 1000


def _seconds(session: Session, work: Work) -> float:
    began = time.perf_counter()
    work(session)
    return time.perf_counter() - began
