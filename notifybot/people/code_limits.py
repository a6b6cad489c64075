"""How often somebody may guess: a secret of six digits is worth nothing where anybody may try them all.

Any 10 minutes, which is how long a code lives, hold at most 20 wrong guesses of everybody together, and 5 for one
account. So a code is found with a chance of at most 20 in 1,000,000 by all accounts at once, of 5 in 1,000,000 by one.
Where a code waits around the clock, the 100 guesses of a day find one in 10,000 days.
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
    """At most so many wrong guesses in any stretch of this length."""

    most: int
    span: timedelta


DAY = timedelta(days=1)
ACCOUNT_LIMITS = (GuessLimit(5, timedelta(minutes=10)), GuessLimit(20, DAY))
OVERALL_LIMITS = (GuessLimit(20, timedelta(minutes=10)), GuessLimit(100, DAY))


def check(session: Session, account: str, *, now: datetime) -> TooManyRequests | None:
    """Why this account may not guess now, right or wrong; None where it may."""
    own, everybodys = _free_at(session, account, ACCOUNT_LIMITS), _free_at(session, None, OVERALL_LIMITS)
    ends = [at for at in (own, everybodys) if at is not None and at > now]
    if not ends:
        return None
    free_at = max(ends)
    whose = f"for {account}" if own == free_at else "by all callers together"
    return TooManyRequests(
        f"Too many wrong codes were tried {whose}.",
        retry_after_s=math.ceil((free_at - now).total_seconds()),
        hint="A deep link is not limited: GET /api/telegram/link-account, or `notifybot link`.",
    )


def note(session: Session, account: str, *, now: datetime) -> None:
    """Count a wrong guess, and forget those that count no more."""
    affected(session, delete(LinkGuess).where(col(LinkGuess.at) <= now - DAY))
    session.add(LinkGuess(account=account, at=now))
    session.flush()


def _free_at(session: Session, account: str | None, limits: tuple[GuessLimit, ...]) -> datetime | None:
    """When the last of these limits leaves room; None where none was ever reached."""
    ends = [_last_of(session, account, limit) for limit in limits]
    return max((end for end in ends if end is not None), default=None)


def _last_of(session: Session, account: str | None, limit: GuessLimit) -> datetime | None:
    guesses = select(LinkGuess.at).order_by(col(LinkGuess.at).desc()).offset(limit.most - 1).limit(1)
    if account is not None:
        guesses = guesses.where(LinkGuess.account == account)
    oldest = session.exec(guesses).first()
    return None if oldest is None else oldest + limit.span
