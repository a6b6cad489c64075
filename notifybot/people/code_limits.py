"""Rate limits on guessing link codes, as six digits are quickly tried out.

A code lives for 10 minutes. In that time at most 20 wrong guesses are accepted from everyone together, and 5 for one
account: the chance of a hit is at most 20 in 1,000,000 overall, and 5 in 1,000,000 for one account. If a code is always
waiting, 100 guesses a day hit one in 10,000 days.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlmodel import Session, col, select

from notifybot.errors import TooManyRequests
from notifybot.model.people import LinkGuess
from notifybot.storage.statements import affected


@dataclass(frozen=True)
class GuessLimit:
    """At most `most` wrong guesses in any stretch of `span`."""

    most: int
    span: timedelta


DAY = timedelta(days=1)
ACCOUNT_LIMITS = (GuessLimit(5, timedelta(minutes=10)), GuessLimit(20, DAY))
OVERALL_LIMITS = (GuessLimit(20, timedelta(minutes=10)), GuessLimit(100, DAY))


def check(session: Session, account: str, *, now: datetime) -> TooManyRequests | None:
    """Return the refusal if this account cannot try another code now, right or wrong; else None."""
    own, overall = _free_at(session, account, ACCOUNT_LIMITS), _free_at(session, None, OVERALL_LIMITS)
    ends = [at for at in (own, overall) if at is not None and at > now]
    if not ends:
        return None
    free_at = max(ends)
    source = f"for {account}" if own == free_at else "from all callers together"
    return TooManyRequests(
        f"Too many wrong codes {source}.",
        retry_after_s=math.ceil((free_at - now).total_seconds()),
        hint="Deep links have no such limit: GET /api/telegram/link-account, or `notifybot link`.",
    )


def note(session: Session, account: str, *, now: datetime) -> None:
    """Count a wrong guess, and delete those older than all limits."""
    affected(session, delete(LinkGuess).where(col(LinkGuess.at) <= now - DAY))
    session.add(LinkGuess(account=account, at=now))
    session.flush()


def _free_at(session: Session, account: str | None, limits: tuple[GuessLimit, ...]) -> datetime | None:
    """Return when the last of these limits allows a guess again; None if none was ever reached."""
    ends = [_free_under(session, account, limit) for limit in limits]
    return max((end for end in ends if end is not None), default=None)


def _free_under(session: Session, account: str | None, limit: GuessLimit) -> datetime | None:
    guesses = select(LinkGuess.at).order_by(col(LinkGuess.at).desc()).offset(limit.most - 1).limit(1)
    if account is not None:
        guesses = guesses.where(LinkGuess.account == account)
    oldest = session.exec(guesses).first()
    return None if oldest is None else oldest + limit.span
