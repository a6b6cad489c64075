"""Override rows: read and expire them."""

from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, select
from sqlmodel import Session, col

from notifybot.model.schedules import OnCallOverride
from notifybot.rotations.rotation import Override
from notifybot.storage.statements import affected, fetch, table_of

RECENTLY = timedelta(days=31)
"""How long overrides are kept after their end."""
OVERRIDES = table_of(OnCallOverride)
_NOT_ENDED = (
    select(
        OVERRIDES.c.rotation,
        OVERRIDES.c.id,
        OVERRIDES.c.member,
        OVERRIDES.c.starts_at,
        OVERRIDES.c.ends_at,
        OVERRIDES.c.created_at,
    )
    .where(OVERRIDES.c.ends_at > bindparam("moment", type_=OVERRIDES.c.ends_at.type))
    .where(OVERRIDES.c.cancelled_at.is_(None))
    .order_by(OVERRIDES.c.starts_at, OVERRIDES.c.id)
)


def active_or_upcoming(session: Session, *, now: datetime) -> dict[str, list[Override]]:
    """Return running and upcoming overrides by rotation, in order of their start."""
    found: dict[str, list[Override]] = {}
    for rotation, *facts in fetch(session, _NOT_ENDED, moment=now):
        found.setdefault(rotation, []).append(Override(*facts))
    return found


def recent(session: Session, rotation: str, *, now: datetime) -> list[Override]:
    """Return a rotation's running and upcoming overrides, and those that ended within RECENTLY."""
    return [Override(*facts) for name, *facts in fetch(session, _NOT_ENDED, moment=now - RECENTLY) if name == rotation]


def forget_old(session: Session, *, now: datetime) -> int:
    """Delete overrides that ended longer than RECENTLY ago; return how many."""
    return affected(session, delete(OnCallOverride).where(col(OnCallOverride.ends_at) < now - RECENTLY))
